//! Numbers with the noun that they count.

/// `1 row`, `2 rows`.
pub(super) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!((counted(0, "row"), counted(1, "row")), ("0 rows".into(), "1 row".into()));
    }
}
