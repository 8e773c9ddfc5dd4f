//! Search patterns of metadata: `%` stands for any text, `_` for one character, `\` before one of them for itself.

/// Whether a name is wanted; without a pattern every name is.
pub(super) fn wants(pattern: Option<&str>, name: &str) -> bool {
    pattern.is_none_or(|pattern| {
        let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
        matches(&pattern, &name)
    })
}

/// The name that a pattern stands for, if it stands for one only.
pub(super) fn exact(pattern: Option<&str>) -> Option<&str> {
    pattern.filter(|pattern| !pattern.is_empty() && !pattern.contains(['%', '\\']))
}

/// Goes back to the last `%` where what follows it does not fit: no pattern takes longer than pattern times name.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut done) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while done < name.len() {
        let (literal, wide) = match pattern.get(at) {
            Some('\\') if pattern.get(at + 1).is_some() => (pattern.get(at + 1), 2),
            Some('%') => {
                star = Some((at + 1, done));
                at += 1;
                continue;
            }
            Some('_') => (name.get(done), 1),
            other => (other, 1),
        };
        if literal == name.get(done) {
            at += wide;
            done += 1;
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            at = after;
            done = from + 1;
        } else {
            return false;
        }
    }
    pattern[at.min(pattern.len())..].iter().all(|c| *c == '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_like() {
        for (pattern, name, expected) in [
            ("requests", "requests", true),
            ("requests", "request", false),
            ("request%", "request_types", true),
            ("%types", "request_types", true),
            ("%st%s", "request_types", true),
            ("r_quests", "requests", true),
            ("request\\_types", "request_types", true),
            ("request\\_types", "requestxtypes", false),
            ("%", "", true),
            ("", "", true),
            ("", "a", false),
            ("a%", "A", false),
            ("%a%a%a%b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(wants(Some(pattern), name), expected, "{pattern} {name}");
        }
        assert!(wants(None, "anything"));
        assert_eq!(exact(Some("request_types")), Some("request_types"));
        assert_eq!(exact(Some("request%")), None);
        assert_eq!(exact(None), None);
    }
}
