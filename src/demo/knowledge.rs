//! The knowledge base: articles, and a search that pages by cursor.

use super::answer::{Answer, Asked};
use super::json;

/// Title, text, page id and the desk whose knowledge base has it.
const ARTICLES: &[(&str, &str, &str, &str)] = &[
    (
        "Connect to the VPN",
        "Install the VPN client, then sign in with your password and a code.",
        "8786177",
        "ITSM",
    ),
    (
        "VPN on a phone",
        "The VPN works on phones, too. Scan the code in the portal.",
        "8786178",
        "ITSM",
    ),
    (
        "Reset your password",
        "Your password can be reset once a day. A new password has twelve characters.",
        "8786179",
        "ITSM",
    ),
    (
        "Printing",
        "Every printer is found by its room. No VPN is needed in the office.",
        "8786180",
        "ITSM",
    ),
    (
        "Order hardware",
        "Hardware is ordered through the portal & approved by your lead.",
        "8786181",
        "ITSM",
    ),
    (
        "Urlaub beantragen",
        "Der Antrag braucht die Zustimmung der Leitung.",
        "8786182",
        "HR",
    ),
    (
        "Payslips",
        "Payslips come by e-mail; the password is your employee number.",
        "8786183",
        "HR",
    ),
    (
        "Parking",
        "Parking cards are at the reception, password-free.",
        "8786184",
        "FAC",
    ),
];

/// The text of an article, as a page.
pub(super) fn view(id: &str) -> Answer {
    match ARTICLES.iter().find(|(_, _, page, _)| *page == id) {
        Some((title, text, ..)) => Answer::new(
            200,
            "text/html;charset=UTF-8",
            format!("<h1>{title}</h1>\n<p>{}</p>", text.replace('&', "&amp;")),
        ),
        None => Answer::refuse(404, "The article does not exist."),
    }
}

/// Answers a search for articles, of one desk or of all.
pub(super) fn answer(asked: &Asked, desk: Option<&str>) -> Answer {
    let (Some(query), Some(highlight)) = (asked.one("query"), asked.one("highlight")) else {
        return Answer::refuse(400, "The parameters query and highlight are required.");
    };
    let words: Vec<String> = query.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let found: Vec<_> = ARTICLES
        .iter()
        .filter(|(.., of)| desk.is_none_or(|desk| desk == *of))
        .filter(|(title, text, ..)| {
            let all = format!("{title} {text}").to_lowercase();
            !words.is_empty() && words.iter().all(|word| all.contains(word.as_str()))
        })
        .collect();
    // The cursor is opaque: nobody may read an offset out of it.
    let start = match asked
        .one("cursor")
        .map(|cursor| cursor.strip_prefix("c~").and_then(|hex| usize::from_str_radix(hex, 16).ok()))
    {
        None => 0,
        Some(Some(place)) => place ^ MASK,
        Some(None) => return Answer::refuse(400, "The cursor is not valid."),
    };
    let limit = asked
        .one("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(50_usize)
        .clamp(1, 3);
    let end = found.len().min(start + limit);
    let last = end >= found.len();
    let mark = |text: &str| {
        if highlight == "true" {
            marked(text, &words)
        } else {
            text.to_owned()
        }
    };
    Answer::json(json::document(|o| {
        o.texts::<&str>("_expands", []);
        o.int("size", (end - start.min(end)) as i64);
        o.int("limit", limit as i64);
        o.flag("isLastPage", last);
        o.object("_links", |o| {
            o.text("base", format_args!("{}/rest/servicedeskapi", asked.base));
            o.text("context", "");
            if !last {
                let query = percent_encoding::utf8_percent_encode(query, percent_encoding::NON_ALPHANUMERIC);
                let cursor = end ^ MASK;
                o.text(
                    "next",
                    format_args!(
                        "{}{}?query={query}&highlight={highlight}&limit={limit}&cursor=c~{cursor:x}&prev=false",
                        asked.base, asked.path
                    ),
                );
            }
        });
        o.array("values", |a| {
            for (title, text, id, key) in &found[start.min(end)..end] {
                a.object(|o| {
                    o.text("title", mark(title));
                    o.text("excerpt", mark(text));
                    o.object("source", |o| {
                        o.text("type", "confluence");
                        o.text("pageId", id);
                        o.text("spaceKey", key);
                    });
                    o.object("content", |o| {
                        o.text(
                            "iframeSrc",
                            format_args!("{}/rest/servicedeskapi/knowledgebase/article/view/{id}", asked.base),
                        );
                    });
                });
            }
        });
    }))
}

const MASK: usize = 0x5a5a_5a5a;

/// `@@@hl@@@match@@@endhl@@@`, for matches in lower case or as written.
fn marked(text: &str, words: &[String]) -> String {
    words.iter().fold(text.to_owned(), |text, word| {
        let lower = text.to_lowercase();
        // Lower case may change lengths in some scripts; then nothing is marked.
        match lower.find(word.as_str()).filter(|_| lower.len() == text.len()) {
            Some(at) => format!(
                "{}@@@hl@@@{}@@@endhl@@@{}",
                &text[..at],
                &text[at..at + word.len()],
                &text[at + word.len()..]
            ),
            None => text,
        }
    })
}
