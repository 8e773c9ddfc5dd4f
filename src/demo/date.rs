//! Moments of the demo site and how the API writes them.
//!
//! The site has a [`Clock`] that stands still, so that ages, running SLAs and answers are the same as long as it runs, and in every run
//! that is given the same day.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use super::jql::home;
use super::json::Object;

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// A day, written `2026-10-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(NaiveDate);

impl Day {
    pub(super) const FIXED: Self = match NaiveDate::from_ymd_opt(2026, 10, 31) {
        Some(day) => Self(day),
        None => Self(NaiveDate::MAX),
    };

    /// The day that was over at the last midnight, in UTC.
    pub(super) fn yesterday() -> Self {
        let today = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive();
        Self(today.pred_opt().unwrap_or(today))
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Years of four digits, so that it can be written as it is read.
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
        let day = day.filter(|day| day.to_string() == text && text.len() == 10);
        day.map(Self)
            .ok_or_else(|| format!("a day is written as 2026-10-31, not {text}"))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the site believes about time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// What time it is: in the afternoon of the last day of the data.
    pub(super) now: i64,
}

impl Clock {
    /// From the first request to now.
    const SPAN: i64 = 244 * DAY + 8 * HOUR;

    pub(super) fn new(day: Day) -> Self {
        let days = day.0.signed_duration_since(NaiveDate::default()).num_days();
        Self {
            now: days * DAY + 15 * HOUR,
        }
    }

    /// When the first request was raised.
    pub(super) fn opening(self) -> i64 {
        self.now - Self::SPAN
    }
}

/// Minutes east of UTC where the demo user lives: never zero, so that a reader who ignores the offset is caught.
fn offset(moment: i64) -> i64 {
    home().offset(moment)
}

/// A moment as text, in a zone.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    moment: i64,
    offset: i64,
    style: Style,
}

#[derive(Clone, Copy)]
enum Style {
    Iso,
    Jira,
    Friendly,
    Day,
}

impl Stamp {
    /// `2026-03-02T09:14:05+0100`: no fraction, an offset without colon.
    pub(super) fn iso(moment: i64) -> Stamp {
        Stamp {
            moment,
            offset: offset(moment),
            style: Style::Iso,
        }
    }

    /// `2026-03-02T09:14:05.123+0100`: what the platform API sends.
    pub(super) fn jira(moment: i64) -> Stamp {
        Stamp {
            moment,
            offset: offset(moment),
            style: Style::Jira,
        }
    }

    /// `2026-03-02T08:14:05.123+0000`: the same moment in UTC; some endpoints mix it with the caller's offset.
    pub(super) fn jira_utc(moment: i64) -> Stamp {
        Stamp {
            moment,
            offset: 0,
            style: Style::Jira,
        }
    }

    /// `02/Mar/26 9:14 AM`.
    fn friendly(moment: i64) -> Stamp {
        Stamp {
            moment,
            offset: offset(moment),
            style: Style::Friendly,
        }
    }

    /// `2026-03-02`.
    pub(super) fn day(moment: i64) -> Stamp {
        Stamp {
            moment,
            offset: offset(moment),
            style: Style::Day,
        }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let local = self.moment + self.offset * MINUTE;
        let (year, month, day) = civil(local.div_euclid(DAY));
        let time = local.rem_euclid(DAY);
        let (hour, minute, second, milli) = (time / HOUR, time / MINUTE % 60, time / 1000 % 60, time % 1000);
        let (zone_hour, zone_minute) = (self.offset / 60, self.offset % 60);
        match self.style {
            Style::Iso => write!(
                f,
                "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+{zone_hour:02}{zone_minute:02}"
            ),
            Style::Jira => {
                write!(
                    f,
                    "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}+{zone_hour:02}{zone_minute:02}"
                )
            }
            Style::Friendly => {
                let (half, hour) = (
                    if hour < 12 { "AM" } else { "PM" },
                    if hour % 12 == 0 { 12 } else { hour % 12 },
                );
                write!(
                    f,
                    "{day:02}/{}/{:02} {hour}:{minute:02} {half}",
                    MONTHS[month as usize - 1],
                    year % 100
                )
            }
            Style::Day => write!(f, "{year}-{month:02}-{day:02}"),
        }
    }
}

/// Days since 1970-01-01 to year, month, day (Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (
        era * 400 + year_of_era + i64::from(month <= 2),
        month,
        day_of_year - (153 * month_index + 2) / 5 + 1,
    )
}

/// The `DateDTO`.
pub(super) fn write_date(o: &mut Object, key: &str, moment: i64) {
    o.object(key, |o| {
        o.text("iso8601", Stamp::iso(moment));
        o.text("jira", Stamp::jira(moment));
        o.text("friendly", Stamp::friendly(moment));
        o.int("epochMillis", moment);
    });
}

/// The `DateDTO` as some sites send it: only `jira` and `friendly`.
pub(super) fn write_sparse_date(o: &mut Object, key: &str, moment: i64) {
    o.object(key, |o| {
        o.text("jira", Stamp::jira(moment));
        o.text("friendly", Stamp::friendly(moment));
    });
}

/// The `DurationDTO`; negative when overdue.
pub(super) fn write_duration(o: &mut Object, key: &str, millis: i64) {
    o.object(key, |o| {
        o.int("millis", millis);
        let (sign, minutes) = (if millis < 0 { "-" } else { "" }, millis.abs() / MINUTE);
        match (minutes / 60, minutes % 60) {
            (0, minutes) => o.text("friendly", format_args!("{sign}{minutes}m")),
            (hours, 0) => o.text("friendly", format_args!("{sign}{hours}h")),
            (hours, minutes) => o.text("friendly", format_args!("{sign}{hours}h {minutes}m")),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_they_are_written() {
        assert_eq!("2024-02-29".parse::<Day>().unwrap().to_string(), "2024-02-29");
        for text in ["2026-02-29", "2026-1-1", "31.10.2026", "+12026-01-01", "", "2026-10-31 "] {
            assert!(text.parse::<Day>().unwrap_err().contains("2026-10-31"), "{text}");
        }
    }

    #[test]
    fn one_moment_in_every_spelling() {
        let clock = Clock::new(Day::FIXED);
        let (opening, now) = (clock.opening(), clock.now);
        assert_eq!(Stamp::iso(opening).to_string(), "2026-03-01T08:00:00+0100");
        assert_eq!(Stamp::jira(opening + 123).to_string(), "2026-03-01T08:00:00.123+0100");
        assert_eq!(Stamp::jira_utc(now).to_string(), "2026-10-31T15:00:00.000+0000");
        assert_eq!(Stamp::friendly(now).to_string(), "31/Oct/26 4:00 PM");
        assert_eq!(Stamp::iso(1_782_864_000_000).to_string(), "2026-07-01T02:00:00+0200");
        assert_eq!(Stamp::day(951_782_400_000).to_string(), "2000-02-29");
    }
}
