//! Time zones that the caller's profile may name: enough of them to catch a reader who takes one for granted.

use chrono::{DateTime, Datelike, NaiveDate, Weekday};

use super::super::date::MINUTE;

/// A zone: its name, minutes east of UTC, and its summer time.
#[derive(Debug)]
pub(in crate::demo) struct Zone {
    pub(in crate::demo) name: &'static str,
    standard: i64,
    summer: Summer,
}

/// When clocks are an hour ahead.
#[derive(Debug, Clone, Copy)]
enum Summer {
    Never,
    /// From the last Sunday of March to that of October, at one o'clock UTC.
    European,
    /// From the second Sunday of March to the first of November, at two o'clock by the clock on the wall of New York.
    American,
}

impl Summer {
    fn contains(self, moment: i64) -> bool {
        let Some(at) = DateTime::from_timestamp_millis(moment) else {
            return false;
        };
        let sunday = |month: u32, nth: u8| NaiveDate::from_weekday_of_month_opt(at.year(), month, Weekday::Sun, nth);
        let last_sunday = |month: u32| sunday(month, 5).or_else(|| sunday(month, 4));
        let (from, to) = match self {
            Self::Never => return false,
            Self::European => ((last_sunday(3), 1), (last_sunday(10), 1)),
            Self::American => ((sunday(3, 2), 7), (sunday(11, 1), 6)),
        };
        let millis = |(day, hour): (Option<NaiveDate>, u32)| Some(day?.and_hms_opt(hour, 0, 0)?.and_utc().timestamp_millis());
        millis(from)
            .zip(millis(to))
            .is_some_and(|(from, to)| (from..to).contains(&moment))
    }
}

impl Zone {
    /// Minutes east of UTC at a moment.
    pub(in crate::demo) fn offset(&self, moment: i64) -> i64 {
        self.standard + if self.summer.contains(moment) { 60 } else { 0 }
    }

    /// A moment as local time: as milliseconds since 1970 were it UTC.
    pub(super) fn local(&self, moment: i64) -> i64 {
        moment + self.offset(moment) * MINUTE
    }

    /// A local time, as milliseconds since 1970 were it UTC, as a moment.
    pub(super) fn moment(&self, local: i64) -> i64 {
        let summer = local - (self.standard + 60) * MINUTE;
        if self.summer.contains(summer) {
            return summer;
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
        summer: Summer::European,
    },
    Zone {
        name: ZONES[1],
        standard: -300,
        summer: Summer::American,
    },
    Zone {
        name: ZONES[2],
        standard: 330,
        summer: Summer::Never,
    },
    Zone {
        name: ZONES[3],
        standard: 840,
        summer: Summer::Never,
    },
    Zone {
        name: ZONES[4],
        standard: -660,
        summer: Summer::Never,
    },
    Zone {
        name: ZONES[5],
        standard: 0,
        summer: Summer::Never,
    },
];

/// The zone of that name; UTC for one that is not known.
pub(in crate::demo) fn zone(name: &str) -> &'static Zone {
    KNOWN.iter().find(|zone| zone.name == name).unwrap_or(&KNOWN[5])
}

/// The zone where the demo user lives.
pub(in crate::demo) fn home() -> &'static Zone {
    &KNOWN[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_begins_and_ends_as_the_law_says() {
        for (zone, begin, end) in [
            // 2026-03-29T01:00Z and 2026-10-25T01:00Z; 2026-03-08T07:00Z and 2026-11-01T06:00Z.
            (zone("Europe/Berlin"), 1_774_746_000_000, 1_792_890_000_000),
            (zone("America/New_York"), 1_772_953_200_000, 1_793_512_800_000),
            // 2027-03-28T01:00Z and 2027-10-31T01:00Z.
            (zone("Europe/Berlin"), 1_806_195_600_000, 1_824_944_400_000),
        ] {
            let offsets = [begin - 1, begin, end - 1, end].map(|moment| zone.offset(moment) - zone.standard);
            assert_eq!(offsets, [0, 60, 60, 0], "{}", zone.name);
            for moment in [begin - 1, begin, end - 1, end + 3_600_000] {
                assert_eq!(zone.moment(zone.local(moment)), moment, "{}", zone.name);
            }
        }
    }
}
