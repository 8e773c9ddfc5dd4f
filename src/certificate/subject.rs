//! The subject of a certificate as text, and the rule by which an option selects one.
//!
//! Fields are CN, O, OU, L, S, C and E, separated by commas; a value that holds a comma is quoted. Programs disagree about their
//! order, so both are compared.

use x509_parser::prelude::{AttributeTypeAndValue, X509Name};

/// Field names by the last parts of their object identifiers.
const FIELDS: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "S"),
    ("2.5.4.6", "C"),
    ("1.2.840.113549.1.9.1", "E"),
];

/// The subject from its end, the common name, and from its beginning, the country.
pub(super) fn spellings(name: &X509Name<'_>) -> Vec<String> {
    let mut fields: Vec<String> = name.iter_attributes().map(field).collect();
    let forward = fields.join(", ");
    fields.reverse();
    let mut spellings = vec![fields.join(", "), forward];
    spellings.dedup();
    spellings
}

fn field(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    let name = FIELDS
        .iter()
        .find(|(known, _)| *known == oid)
        .map_or(oid.as_str(), |(_, name)| name);
    let value = attribute.as_str().unwrap_or("?");
    if value.contains([',', '"']) {
        format!("{name}=\"{}\"", value.replace('"', "\"\""))
    } else {
        format!("{name}={value}")
    }
}

/// Whether `wanted` is the whole subject.
pub(super) fn is(subjects: &[String], wanted: &str) -> bool {
    subjects.iter().any(|subject| plain(subject) == plain(wanted))
}

/// Whether `wanted` is a part of the subject.
pub(super) fn contains(subjects: &[String], wanted: &str) -> bool {
    !wanted.is_empty() && subjects.iter().any(|subject| plain(subject).contains(&plain(wanted)))
}

/// Without the blanks after commas, and in lower case: both are a matter of taste.
fn plain(text: &str) -> String {
    text.replace(", ", ",").to_lowercase()
}
