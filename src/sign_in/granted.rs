//! What a token endpoint grants, in whatever spelling. Pure.
//!
//! A refresh token rotates: the one that was sent is spent when the answer is there. Whatever is wrong with the rest of an answer, the
//! next one in it must not be lost, so that nothing but its absence is an error.

use serde_json::{Map, Value, json};

/// The answer as RFC 6749 writes it: times in whole seconds, scopes in one text, always with a type and an access token, which may be
/// empty. `None`: it grants nothing.
pub(super) fn tidied(body: &[u8]) -> Option<Vec<u8>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut granted = match serde_json::from_slice(body) {
        Ok(Value::Object(granted)) => granted,
        Ok(_) => return None,
        // Some servers answer as forms are sent.
        Err(_) => url::form_urlencoded::parse(body.trim_ascii())
            .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
            .collect(),
    };
    let text = |granted: &Map<String, Value>, name: &str| {
        let text = granted.get(name)?.as_str()?.trim();
        (!text.is_empty()).then(|| json!(text))
    };
    let (access, refresh) = (text(&granted, "access_token"), text(&granted, "refresh_token"));
    if access.is_none() && refresh.is_none() {
        return None;
    }
    let scope = match granted.get("scope") {
        Some(Value::Array(scopes)) => {
            let scopes: Vec<&str> = scopes.iter().filter_map(Value::as_str).collect();
            Some(json!(scopes.join(" ")))
        }
        _ => text(&granted, "scope"),
    };
    let expires = granted.get("expires_in").and_then(seconds).map(Value::from);
    let kind = text(&granted, "token_type").unwrap_or_else(|| json!("bearer"));
    for (name, value) in [
        ("access_token", Some(access.unwrap_or_else(|| json!("")))),
        ("refresh_token", refresh),
        ("token_type", Some(kind)),
        ("expires_in", expires),
        ("scope", scope),
    ] {
        match value {
            Some(value) => granted.insert(name.to_owned(), value),
            None => granted.remove(name),
        };
    }
    serde_json::to_vec(&granted).ok()
}

/// A lifetime; one that cannot be read is not known.
fn seconds(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // Whole seconds, as far as a number of this kind is exact.
    (0.0..9e15).contains(&number).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_is_read_in_every_spelling() {
        let whole =
            json!({"access_token": "a", "refresh_token": "r", "token_type": "bearer", "expires_in": 3600, "scope": "x y"});
        for body in [
            whole.to_string(),
            format!("\u{feff}{whole}"),
            r#"{"access_token":"a","refresh_token":"r","expires_in":"3600","scope":["x","y"]}"#.to_owned(),
            r#"{"access_token":"a","refresh_token":"r","expires_in":3600.0,"token_type":null,"scope":"x y"}"#.to_owned(),
            r#"{"access_token":"a","refresh_token":"r","expires_in":" 3600.9","token_type":"bearer","scope":"x y"}"#.to_owned(),
            "access_token=a&refresh_token=r&expires_in=3600&scope=x+y\n".to_owned(),
        ] {
            let found: Value = serde_json::from_slice(&tidied(body.as_bytes()).unwrap()).unwrap();
            assert_eq!(found, whole, "{body}");
        }
        for (body, expected) in [
            // What cannot be read is not known, and the next token is kept whatever else there is.
            (
                r#"{"refresh_token":"r","expires_in":-1,"scope":7}"#,
                json!({"access_token": "", "refresh_token": "r", "token_type": "bearer"}),
            ),
            (
                r#"{"access_token":"a","refresh_token":null,"expires_in":"soon"}"#,
                json!({"access_token": "a", "token_type": "bearer"}),
            ),
        ] {
            let found: Value = serde_json::from_slice(&tidied(body.as_bytes()).unwrap()).unwrap();
            assert_eq!(found, expected, "{body}");
        }
        for body in [
            "",
            "{}",
            "[]",
            "<html>",
            r#"{"access_token":7}"#,
            r#"{"error":"invalid_grant"}"#,
        ] {
            assert_eq!(tidied(body.as_bytes()), None, "{body}");
        }
    }
}
