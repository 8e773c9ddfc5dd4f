//! Time zones that the caller's profile may name: enough of them to catch a reader who takes one for granted.

use super::super::date::MINUTE;

/// A zone: its name, minutes east of UTC, and those of the summer of 2026 with its span.
#[derive(Debug)]
pub(in crate::demo) struct Zone {
    pub(in crate::demo) name: &'static str,
    standard: i64,
    summer: Option<(i64, std::ops::Range<i64>)>,
}

impl Zone {
    /// A moment as local time: as milliseconds since 1970 were it UTC.
    pub(super) fn local(&self, moment: i64) -> i64 {
        let summer = self.summer.as_ref().filter(|(_, span)| span.contains(&moment));
        moment + summer.map_or(self.standard, |(offset, _)| *offset) * MINUTE
    }

    /// A local time, as milliseconds since 1970 were it UTC, as a moment.
    pub(super) fn moment(&self, local: i64) -> i64 {
        if let Some((offset, span)) = &self.summer {
            let moment = local - offset * MINUTE;
            if span.contains(&moment) {
                return moment;
            }
        }
        local - self.standard * MINUTE
    }
}

/// Names of the zones that a demo site knows.
pub const ZONES: [&str; 6] = [
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "UTC",
];

static KNOWN: [Zone; 6] = [
    Zone {
        name: ZONES[0],
        standard: 60,
        summer: Some((120, 1_774_746_000_000..1_792_890_000_000)),
    },
    Zone {
        name: ZONES[1],
        standard: -300,
        summer: Some((-240, 1_772_953_200_000..1_793_512_800_000)),
    },
    Zone {
        name: ZONES[2],
        standard: 330,
        summer: None,
    },
    Zone {
        name: ZONES[3],
        standard: 840,
        summer: None,
    },
    Zone {
        name: ZONES[4],
        standard: -660,
        summer: None,
    },
    Zone {
        name: ZONES[5],
        standard: 0,
        summer: None,
    },
];

/// The zone of that name; UTC for one that is not known.
pub(in crate::demo) fn zone(name: &str) -> &'static Zone {
    KNOWN.iter().find(|zone| zone.name == name).unwrap_or(&KNOWN[5])
}
