//! The floors of the house: a module names only lower ones, and each outside crate has its place.
//!
//! Reads the sources as text, so that it costs no linking.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules from the ground up; those of one entry do not know each other.
const FLOORS: &[&[&str]] = &[
    &["error"],
    &["connection", "schema"],
    &["certificate", "profile", "log"],
    &["http"],
    &["rest", "sign_in"],
    &["table"],
    &["catalog"],
    &["session"],
    &["adbc", "flight"],
    &["shell", "demo"],
    &["docs"],
];

/// Crates and the modules that may name them.
const PLACES: &[(&str, &[&str])] = &[
    ("reqwest", &["http"]),
    // The front ends hand rows to a session as the engine's streams.
    ("datafusion", &["table", "catalog", "session", "adbc", "flight"]),
    ("hyper", &["demo"]),
    ("clap", &["shell"]),
    ("indicatif", &["shell"]),
    ("rustyline", &["shell"]),
    ("parquet", &["shell"]),
    ("adbc_core", &["adbc"]),
    ("adbc_ffi", &["adbc"]),
    ("toml", &["schema"]),
    ("arrow_flight", &["flight"]),
    ("prost", &["flight"]),
    ("tonic", &["flight"]),
];

fn sources() -> Vec<(String, PathBuf, String)> {
    let mut files = Vec::new();
    walk(Path::new("src"), &mut files);
    files
        .into_iter()
        .filter_map(|path| {
            let module = path
                .strip_prefix("src")
                .unwrap()
                .components()
                .next()?
                .as_os_str()
                .to_string_lossy()
                .replace(".rs", "");
            (module != "lib" && module != "main").then(|| (module, path.clone(), fs::read_to_string(&path).unwrap()))
        })
        .collect()
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

/// Source lines that are code, up to the tests of the file.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]" || line.starts_with(' '))
        .filter(|line| !line.trim_start().starts_with("//"))
}

fn floor(module: &str) -> usize {
    FLOORS
        .iter()
        .position(|floor| floor.contains(&module))
        .unwrap_or_else(|| panic!("the module {module} has no floor in tests/layers.rs"))
}

#[test]
fn modules_name_only_lower_floors() {
    let mut broken = Vec::new();
    for (module, path, text) in sources() {
        for line in code(&text) {
            for named in line.split("crate::").skip(1) {
                let named: String = named.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let known = FLOORS.iter().any(|floor| floor.contains(&named.as_str()));
                // The shell starts the demo site that it serves.
                let exception = module == "shell" && named == "demo";
                if known && named != module && !exception && floor(&named) >= floor(&module) {
                    broken.push(format!("{}: {module} names {named}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn crates_stay_in_their_place() {
    let mut broken = Vec::new();
    for (module, path, text) in sources() {
        for (name, places) in PLACES {
            let used = code(&text).any(|line| {
                line.match_indices(&format!("{name}::"))
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
            });
            if used && !places.contains(&module.as_str()) {
                broken.push(format!(
                    "{}: {module} uses {name}, which belongs to {}",
                    path.display(),
                    places.join(", ")
                ));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_table_is_named_in_the_sources() {
    let mut names = Vec::new();
    let mut files = Vec::new();
    walk(Path::new("schemas"), &mut files);
    for file in files {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        // A one-word name is also an ordinary English word.
        if stem.contains('_') && !stem.starts_with('_') {
            names.push(stem);
        }
    }
    assert!(names.len() > 20, "the schema files were not found");
    let mut broken = Vec::new();
    for (module, path, text) in sources() {
        for line in code(&text).filter(|_| module != "demo") {
            for name in &names {
                if line.contains(&format!("\"{name}\"")) {
                    broken.push(format!(
                        "{}: names the table {name}; say it in its schema file",
                        path.display()
                    ));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
