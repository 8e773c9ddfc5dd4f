//! "Did you mean": the known name closest to a misspelled one. Pure; it builds no error.

/// Longer texts are no name, and the distance takes time in proportion to the length.
const LONGEST: usize = 60;

/// The known name closest to `name`, if one is close enough to be meant. One slip is allowed for every three letters; case, spaces,
/// `_` and `-` do not count.
pub(crate) fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = super::option::normalise(name);
    let letters = name.chars().count();
    if letters > LONGEST {
        return None;
    }
    let allowed = (letters / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|known| (strsim::osa_distance(&name, &super::option::normalise(known)), known))
        .filter(|(slips, _)| *slips <= allowed)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_forgiven() {
        const KNOWN: [&str; 6] = ["User", "Password", "APIToken", "URL", "MaxRequests", "Pagesize"];
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
            assert_eq!(closest(name, KNOWN), expected, "{}", name.get(..20).unwrap_or(name));
        }
    }
}
