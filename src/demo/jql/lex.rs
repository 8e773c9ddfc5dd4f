//! From JQL to tokens.

/// A piece of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word without quotes: a name, a keyword or a value.
    Word(String),
    /// A text in quotes, taken out of them.
    Quoted(String),
    /// `cf[10010]`.
    Custom(String),
    /// An operator, a bracket or a comma.
    Sign(&'static str),
}

/// Signs, the longer ones first.
const SIGNS: &[&str] = &["!=", "!~", "<=", ">=", "&&", "||", "=", "~", "<", ">", "(", ")", ",", "!"];
/// Characters that mean nothing yet and must be quoted.
const RESERVED: &str = "+.;?*/%^$#@[]{}|&";

/// Takes a query apart; the error is what Jira says.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '"' || first == '\'' {
            let (value, after) = quoted(&rest[1..], first)?;
            tokens.push(Token::Quoted(value));
            rest = after.trim_start();
            continue;
        }
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = rest[sign.len()..].trim_start();
            continue;
        }
        if rest.len() > 3
            && rest.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("cf["))
            && let Some(end) = rest.find(']')
        {
            tokens.push(Token::Custom(format!("cf[{}]", rest[3..end].trim())));
            rest = rest[end + 1..].trim_start();
            continue;
        }
        let end = rest
            .find(|c: char| c.is_whitespace() || "\"'=!<>~(),".contains(c))
            .unwrap_or(rest.len());
        let word = &rest[..end];
        if let Some(bad) = word
            .chars()
            .find(|&c| (RESERVED.contains(c) && c != '.') || c.is_control() || c == '\\')
        {
            return Err(format!(
                "Error in the JQL Query: The character '{bad}' is a reserved JQL character. You must enclose it in a string or use the escape '\\u{:04x}' instead.",
                bad as u32
            ));
        }
        tokens.push(Token::Word(word.to_owned()));
        rest = rest[end..].trim_start();
    }
    Ok(tokens)
}

fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return Ok((value, &text[at + c.len_utf8()..])),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(c @ ('"' | '\'' | '\\' | ' ')) => value.push(c),
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                    let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                    let code =
                        code.ok_or_else(|| format!("Error in the JQL Query: '\\u{digits}' is an illegal JQL escape sequence."))?;
                    value.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                }
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(format!(
                        "Error in the JQL Query: '\\{other}' is an illegal JQL escape sequence. The valid escape sequences are \\', \\\", \\t, \\n, \\r, \\\\, '\\ ' and \\uXXXX."
                    ));
                }
            },
            // Line breaks may stand in a text, other control characters may not.
            _ if c.is_control() && c != '\n' && c != '\r' => {
                return Err(format!(
                    "Error in the JQL Query: The character '\\u{:04x}' on is not allowed.",
                    c as u32
                ));
            }
            _ => value.push(c),
        }
    }
    Err("Error in the JQL Query: The quoted string has not been completed.".into())
}
