//! What the people of the demo site write.

/// How many languages people speak.
pub(super) const LANGUAGES: usize = 6;

/// What customers answer, by language.
pub(super) const REPLIES: [&[&str]; LANGUAGES] = [
    &[
        "It still happens, see the attached log.",
        "Thanks, that *worked*!",
        "Any news on this? It blocks the whole team.",
        "I restarted twice. The error is:\n{noformat}\nE1042: \"connection reset\"\n{noformat}",
    ],
    &[
        "Leider tritt der Fehler weiterhin auf, größtenteils nach dem Neustart.",
        "Danke, jetzt läuft es wieder.",
        "Gibt es schon etwas Neues?",
    ],
    &[
        "まだ直っていません。添付のログをご確認ください。",
        "ありがとうございます。解決しました。",
        "進捗はいかがでしょうか？",
    ],
    &[
        "Sigue sin funcionar, ¿hay alguna novedad?",
        "¡Muchas gracias, ya funciona!",
        "Adjunto la captura de pantalla.",
    ],
    &[
        "لا تزال المشكلة قائمة، يرجى الاطلاع على السجل المرفق.",
        "شكرًا جزيلاً، تم حل المشكلة.",
    ],
    &[
        "Toujours pas résolu, hélas… 😕",
        "Merci beaucoup, c'est réglé 🎉",
        "Pièce jointe ajoutée.",
    ],
];

/// What agents answer.
pub(super) const ANSWERS: &[&str] = &[
    "We are looking into it.",
    "Could you send us the exact error message?",
    "A fix has been rolled out; please try again and tell us.",
    "I have passed this on to the network team.",
    "Please sign in at https://intranet.example/reset?step=1&lang=en first.",
];

/// What agents tell each other.
pub(super) const NOTES: &[&str] = &[
    "Same as last week, see the runbook.",
    "Escalate if it is not fixed by noon.",
    "[~admin] please check the licence.",
];

/// What customers say at the end.
pub(super) const VERDICTS: &[&str] = &[
    "Quick and friendly.",
    "Took too long.",
    "Großartig!",
    "とても助かりました",
    "Solved, but nobody told me.",
];

/// Files that people attach: name and media type.
pub(super) const FILES: &[(&str, &str)] = &[
    ("screenshot.png", "image/png"),
    ("error log.txt", "text/plain"),
    ("Fehlerprotokoll_größe.pdf", "application/pdf"),
    ("画面.png", "image/png"),
    ("invoice, March.csv", "text/csv"),
    ("dump.bin", "application/octet-stream"),
];
