//! "Did you mean": the option name closest to a misspelled one. Pure; it builds no error.

use super::option::{OptionRow, normalise};
use super::registry::OPTIONS;

/// The registered name closest to `name`, if one is close enough to be meant. One slip is allowed for every three letters.
pub(super) fn closest(name: &str) -> Option<&'static str> {
    let name: Vec<char> = normalise(name).chars().take(LONGEST + 1).collect();
    if name.len() > LONGEST {
        return None;
    }
    let allowed = (name.len() / 3).clamp(1, 3);
    OPTIONS
        .iter()
        .flat_map(OptionRow::names)
        .map(|known| (slips(&name, &normalise(known).chars().collect::<Vec<_>>()), known))
        .filter(|(slips, _)| *slips <= allowed)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, known)| known)
}

/// Longer texts are no option name, and the distance takes time in proportion to the length.
const LONGEST: usize = 40;

/// How many letters must be inserted, left out, replaced or swapped with their neighbour to turn `a` into `b`.
fn slips(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_forgiven() {
        for (name, expected) in [
            ("Uesr", Some("User")),
            ("Pasword", Some("Password")),
            ("Api Tokens", Some("APIToken")),
            ("uri", Some("URL")),
            ("max_request", Some("MaxRequests")),
            ("PageSise", Some("Pagesize")),
            ("colour", None),
            ("", None),
            (&"x".repeat(100_000), None),
        ] {
            assert_eq!(closest(name), expected, "{}", name.get(..20).unwrap_or(name));
        }
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("abc", "acb", 1),
            ("abc", "ab", 1),
            ("kitten", "sitting", 3),
        ] {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(slips(&letters(a), &letters(b)), expected, "{a} {b}");
        }
    }
}
