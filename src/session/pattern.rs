//! PostgreSQL's patterns for moments: `YYYY-MM-DD HH24:MI`. Pure.

use chrono::{Datelike, NaiveDateTime, Timelike};

/// A pattern, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A field; without blanks and zeros before it where `FM` stands there.
    Field(Field, Case, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    ShortYear,
    IsoYear,
    ShortIsoYear,
    Century,
    Quarter,
    MonthNumber,
    Month,
    Mon,
    IsoWeek,
    Week,
    WeekOfMonth,
    DayOfYear,
    DayOfMonth,
    DayOfWeek,
    IsoDay,
    Day,
    Dy,
    JulianDay,
    Hour,
    Hour12,
    Minute,
    Second,
    SecondOfDay,
    Milliseconds,
    Microseconds,
    Half,
    DottedHalf,
    Offset,
    OffsetHours,
    OffsetMinutes,
}

/// How a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Title,
    Lower,
}

/// What the letters mean; where one begins another, the longer stands first.
const FIELDS: [(&str, Field); 38] = [
    ("SSSSS", Field::SecondOfDay),
    ("SSSS", Field::SecondOfDay),
    ("MONTH", Field::Month),
    ("HH24", Field::Hour),
    ("HH12", Field::Hour12),
    ("YYYY", Field::Year),
    ("IYYY", Field::IsoYear),
    ("A.M.", Field::DottedHalf),
    ("P.M.", Field::DottedHalf),
    ("TZH", Field::OffsetHours),
    ("TZM", Field::OffsetMinutes),
    ("MON", Field::Mon),
    ("DAY", Field::Day),
    ("DDD", Field::DayOfYear),
    ("HH", Field::Hour12),
    ("MI", Field::Minute),
    ("SS", Field::Second),
    ("MS", Field::Milliseconds),
    ("US", Field::Microseconds),
    ("FF3", Field::Milliseconds),
    ("FF6", Field::Microseconds),
    ("AM", Field::Half),
    ("PM", Field::Half),
    ("YY", Field::ShortYear),
    ("IY", Field::ShortIsoYear),
    ("MM", Field::MonthNumber),
    ("DY", Field::Dy),
    ("DD", Field::DayOfMonth),
    ("ID", Field::IsoDay),
    ("IW", Field::IsoWeek),
    ("WW", Field::Week),
    ("CC", Field::Century),
    ("OF", Field::Offset),
    ("D", Field::DayOfWeek),
    ("W", Field::WeekOfMonth),
    ("Q", Field::Quarter),
    ("J", Field::JulianDay),
    ("H", Field::Hour),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Names of months and days are written as wide as the longest of them.
const WIDEST: usize = 9;

impl Pattern {
    /// Whether a time of the day, without its date, has all that is written.
    pub(super) fn is_of_a_day(&self) -> bool {
        use Field::{DottedHalf, Half, Hour, Hour12, Microseconds, Milliseconds, Minute, Second, SecondOfDay};
        self.0.iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Field(field, ..) => matches!(
                field,
                Hour | Hour12 | Minute | Second | SecondOfDay | Milliseconds | Microseconds | Half | DottedHalf
            ),
        })
    }

    /// Takes a pattern apart; the letters that mean nothing, where there are such.
    pub(super) fn read(pattern: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut bare = false;
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            if first == '"' {
                let (quoted, after) = rest[1..].split_once('"').ok_or_else(|| rest.to_owned())?;
                parts.push(Part::Text(quoted.to_owned()));
                rest = after;
            } else if starts(rest, "FM") {
                bare = true;
                rest = &rest[2..];
            } else if let Some((letters, field)) = FIELDS.iter().find(|(letters, _)| starts(rest, letters)) {
                let (written, after) = rest.split_at(letters.len());
                // An ordinal, as in `DDth`.
                if starts(after, "TH") {
                    return Err(after[..2].to_owned());
                }
                parts.push(Part::Field(*field, case(written), std::mem::take(&mut bare)));
                rest = after;
            } else if first.is_alphabetic() {
                let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
                return Err(rest[..end].to_owned());
            } else {
                parts.push(Part::Text(first.to_string()));
                rest = &rest[first.len_utf8()..];
            }
        }
        Ok(Self(parts))
    }

    /// A moment by its local time and what that is ahead of UTC, in seconds.
    pub(super) fn write(&self, moment: NaiveDateTime, ahead: i32) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Field(field, case, bare) => {
                    let written = case.of(field.of(moment, ahead));
                    let blank = |c: char| c == ' ' || c == '0' && !matches!(field, Field::Milliseconds | Field::Microseconds);
                    match bare {
                        true if field.is_word() => text.push_str(written.trim_end()),
                        true => match written.trim_start_matches(blank) {
                            "" => text.push('0'),
                            number => text.push_str(number),
                        },
                        false => text.push_str(&written),
                    }
                }
            }
        }
        text
    }
}

fn starts(text: &str, letters: &str) -> bool {
    text.get(..letters.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(letters))
}

fn case(written: &str) -> Case {
    let mut letters = written.chars().filter(|c| c.is_alphabetic()).map(char::is_uppercase);
    match (letters.next(), letters.next()) {
        (Some(true), Some(true) | None) => Case::Upper,
        (Some(true), Some(false)) => Case::Title,
        _ => Case::Lower,
    }
}

impl Case {
    fn of(self, text: String) -> String {
        match self {
            Self::Upper => text.to_uppercase(),
            Self::Title => text,
            Self::Lower => text.to_lowercase(),
        }
    }
}

impl Field {
    fn is_word(self) -> bool {
        matches!(
            self,
            Self::Month | Self::Mon | Self::Day | Self::Dy | Self::Half | Self::DottedHalf
        )
    }

    fn of(self, moment: NaiveDateTime, ahead: i32) -> String {
        let month = MONTHS[moment.month0() as usize];
        let day = DAYS[moment.weekday().num_days_from_monday() as usize];
        let hour12 = moment.hour12().1;
        let week = moment.iso_week();
        let (sign, minutes) = (if ahead < 0 { '-' } else { '+' }, ahead.abs() / 60);
        match self {
            Self::Year => format!("{:04}", moment.year()),
            Self::ShortYear => format!("{:02}", moment.year().rem_euclid(100)),
            Self::IsoYear => format!("{:04}", week.year()),
            Self::ShortIsoYear => format!("{:02}", week.year().rem_euclid(100)),
            Self::Century => format!("{:02}", (moment.year() - 1).div_euclid(100) + 1),
            Self::Quarter => (moment.month0() / 3 + 1).to_string(),
            Self::MonthNumber => format!("{:02}", moment.month()),
            Self::Month => format!("{month:WIDEST$}"),
            Self::Mon => month[..3].to_owned(),
            Self::IsoWeek => format!("{:02}", week.week()),
            Self::Week => format!("{:02}", moment.ordinal0() / 7 + 1),
            Self::WeekOfMonth => (moment.day0() / 7 + 1).to_string(),
            Self::DayOfYear => format!("{:03}", moment.ordinal()),
            Self::DayOfMonth => format!("{:02}", moment.day()),
            Self::DayOfWeek => moment.weekday().number_from_sunday().to_string(),
            Self::IsoDay => moment.weekday().number_from_monday().to_string(),
            Self::Day => format!("{day:WIDEST$}"),
            Self::Dy => day[..3].to_owned(),
            // Day 0 is in the year −4712.
            Self::JulianDay => (i64::from(moment.num_days_from_ce()) + 1_721_425).to_string(),
            Self::Hour => format!("{:02}", moment.hour()),
            Self::Hour12 => format!("{hour12:02}"),
            Self::Minute => format!("{:02}", moment.minute()),
            Self::Second => format!("{:02}", moment.second()),
            Self::SecondOfDay => moment.num_seconds_from_midnight().to_string(),
            Self::Milliseconds => format!("{:03}", moment.and_utc().timestamp_subsec_millis()),
            Self::Microseconds => format!("{:06}", moment.and_utc().timestamp_subsec_micros()),
            Self::Half => if moment.hour() < 12 { "Am" } else { "Pm" }.to_owned(),
            Self::DottedHalf => if moment.hour() < 12 { "A.m." } else { "P.m." }.to_owned(),
            Self::Offset if minutes % 60 == 0 => format!("{sign}{:02}", minutes / 60),
            Self::Offset => format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60),
            Self::OffsetHours => format!("{sign}{:02}", minutes / 60),
            Self::OffsetMinutes => format!("{:02}", minutes % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    #[test]
    fn moments_are_written_as_postgresql_writes_them() {
        let moment = NaiveDate::from_ymd_opt(2026, 3, 1)
            .unwrap()
            .and_hms_micro_opt(0, 5, 9, 7_040)
            .unwrap();
        for (pattern, expected) in [
            ("YYYY-MM", "2026-03"),
            ("yyyy-mm-dd", "2026-03-01"),
            ("YYYY-MM-DD HH24:MI:SS.MS", "2026-03-01 00:05:09.007"),
            ("HH12:MI AM", "12:05 AM"),
            ("hh:mi pm", "12:05 am"),
            ("HH:MI a.m.", "12:05 a.m."),
            ("US", "007040"),
            ("SSSS", "309"),
            ("Mon YY", "Mar 26"),
            ("MON mon", "MAR mar"),
            ("Month|Day", "March    |Sunday   "),
            ("FMMonth|FMDay", "March|Sunday"),
            ("FMDD.FMMM.YYYY", "1.3.2026"),
            ("FMHH24", "0"),
            ("DY dy Dy", "SUN sun Sun"),
            ("YYYY-\"Q\"Q", "2026-Q1"),
            ("IYYY-\"W\"IW-ID", "2026-W09-7"),
            ("DDD D W WW CC", "060 1 1 09 21"),
            ("J", "2461101"),
            ("OF TZH:TZM", "+05:30 +05:30"),
            ("YYYY-MM-DD\"T\"HH24:MI", "2026-03-01T00:05"),
            ("", ""),
        ] {
            assert_eq!(Pattern::read(pattern).unwrap().write(moment, 19_800), expected, "{pattern}");
        }
        let noon = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap().and_hms_opt(12, 0, 0).unwrap();
        assert_eq!(
            Pattern::read("YYYY HH12 PM OF").unwrap().write(noon, -3_600),
            "9999 12 PM -01"
        );
    }

    #[test]
    fn letters_that_mean_nothing_are_named() {
        for (pattern, letters) in [
            ("YYYY-MM-DDTHH24", "TH"),
            ("DDth", "th"),
            ("yyyy 'Uhr'", "Uhr"),
            ("\"open", "\"open"),
            ("YYYY é", "é"),
        ] {
            assert_eq!(Pattern::read(pattern), Err(letters.to_owned()), "{pattern}");
        }
    }
}
