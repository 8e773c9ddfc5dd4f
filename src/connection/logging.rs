//! What is logged, and where to: the options Logfile, Verbosity, LogModules, MaxLogFileSize and MaxLogFileCount.
//!
//! Pure: no file is opened.

use std::path::PathBuf;

use super::values::OptionValues;
use crate::error::{Error, ErrorKind, Result};

/// Where a log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogPlace {
    /// A file, which is not known to be writable.
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A log.
#[derive(Debug, Clone)]
pub(crate) struct LogOptions {
    pub(crate) place: LogPlace,
    /// 1 to 5.
    pub(crate) verbosity: u8,
    /// The parts of the program to log, as [`MODULES`] names them. Empty: all.
    pub(crate) modules: Vec<&'static str>,
    /// Size in bytes at which a file is closed and the next begun.
    pub(crate) max_size: usize,
    /// How many closed files are kept. None: all.
    pub(crate) max_files: Option<usize>,
}

/// The words of LogModules, also those of other drivers, with the parts they mean.
const MODULES: &[(&str, &str)] = &[
    ("SQL", "sql"),
    ("EXEC", "sql"),
    ("META", "sql"),
    ("INFO", "sql"),
    ("HTTP", "http"),
    ("PAGE", "http"),
    ("SSL", "http"),
    ("TLS", "http"),
    ("AUTH", "auth"),
    ("OAUTH", "auth"),
];

/// The log that the options ask for. None: there is no Logfile.
pub(super) fn log(values: &OptionValues) -> Result<Option<LogOptions>> {
    let Some(text) = values.filled("Logfile") else {
        let others = ["Verbosity", "LogModules", "MaxLogFileSize", "MaxLogFileCount"];
        return match others.into_iter().find(|name| values.differs(name)) {
            None => Ok(None),
            Some(name) => Err(option(format!("{name} is set without Logfile"))
                .hint(format!("set Logfile, or leave {name} out ({})", values.source(name)))),
        };
    };
    let place = match text.trim() {
        "STDOUT://" => LogPlace::Stdout,
        "STDERR://" => LogPlace::Stderr,
        path => LogPlace::File(PathBuf::from(path)),
    };
    let mut modules = Vec::new();
    for word in values
        .text("LogModules")
        .split([';', ','])
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        let found = MODULES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
        let Some((_, module)) = found else {
            return Err(option("LogModules names a part that does not exist".into())
                .hint("the parts are SQL, HTTP and AUTH, separated by `;`"));
        };
        if !modules.contains(module) {
            modules.push(module);
        }
    }
    Ok(Some(LogOptions {
        place,
        verbosity: values
            .integer("Verbosity")
            .and_then(|level| level.try_into().ok())
            .unwrap_or(1),
        modules,
        max_size: size(values.text("MaxLogFileSize"))?,
        max_files: values.integer("MaxLogFileCount").and_then(|count| count.try_into().ok()),
    }))
}

/// A number of bytes with a unit, such as `100MB`.
fn size(text: &str) -> Result<usize> {
    let text = text.trim().to_ascii_uppercase();
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit: usize = match text[digits.len()..].trim() {
        "" | "B" => 1,
        "KB" | "K" => 1 << 10,
        "MB" | "M" => 1 << 20,
        "GB" | "G" => 1 << 30,
        _ => 0,
    };
    let bytes = digits
        .trim()
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes >= 1024).ok_or_else(|| {
        option("MaxLogFileSize is not a size of at least 1KB".into()).hint("write a number and a unit, such as 100MB")
    })
}

fn option(message: String) -> Error {
    Error::new(ErrorKind::Option, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<LogOptions>> {
        log(&OptionValues::read(text, [])?)
    }

    #[test]
    fn a_log_is_described() {
        assert!(read("").unwrap().is_none());
        let log = read("Logfile=/x.log;Verbosity=5;LogModules='http; oauth;AUTH';MaxLogFileSize=2 MB;MaxLogFileCount=3")
            .unwrap()
            .unwrap();
        assert_eq!(log.place, LogPlace::File("/x.log".into()));
        assert_eq!(
            (log.verbosity, log.modules, log.max_size, log.max_files),
            (5, vec!["http", "auth"], 2 << 20, Some(3))
        );
        let log = read("Logfile=STDERR://").unwrap().unwrap();
        assert_eq!(
            (log.place, log.verbosity, log.max_size, log.max_files),
            (LogPlace::Stderr, 1, 100 << 20, None)
        );
        for (text, message) in [
            ("Verbosity=2", "Verbosity is set without Logfile"),
            ("Logfile=x;LogModules=canary", "names a part that does not exist"),
            ("Logfile=x;MaxLogFileSize=canary", "is not a size"),
            ("Logfile=x;MaxLogFileSize=5B", "is not a size"),
            ("Logfile=x;Verbosity=6", "Verbosity must be a whole number from 1 to 5"),
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.message().contains(message) && !error.message().contains("canary"),
                "{error}"
            );
        }
    }
}
