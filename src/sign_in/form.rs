//! Forms that web pages carry: found in HTML, filled as they are, written for a POST. And what a SAML answer says of itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use html5gum::{Token, Tokenizer};
use quick_xml::Reader;
use quick_xml::events::Event;
use url::form_urlencoded::Serializer;

use crate::connection::Secret;
use crate::error::{Error, ErrorKind, Result};

/// The hidden fields of the form with a SAML answer. None: the page has no such form.
pub(super) fn saml_fields(html: &str) -> Option<Vec<(String, Secret)>> {
    let mut fields: Vec<(String, Secret)> = Vec::new();
    let answered = |fields: &[(String, Secret)]| fields.iter().any(|(name, _)| name == "SAMLResponse");
    for token in Tokenizer::new(html) {
        match token {
            Ok(Token::StartTag(tag)) if *tag.name == b"form"[..] => fields.clear(),
            Ok(Token::StartTag(tag)) if *tag.name == b"input"[..] => {
                let attribute = |name: &[u8]| {
                    let (_, value) = tag.attributes.iter().find(|(known, _)| known[..] == *name)?;
                    Some(String::from_utf8_lossy(value).into_owned())
                };
                if let Some(name) = attribute(b"name").filter(|name| ["SAMLResponse", "RelayState"].contains(&name.as_str())) {
                    fields.push((name, attribute(b"value").unwrap_or_default().into()));
                }
            }
            Ok(Token::EndTag(tag)) if *tag.name == b"form"[..] && answered(&fields) => break,
            _ => {}
        }
    }
    answered(&fields).then_some(fields)
}

/// The fields as the body of a POST.
pub(super) fn encoded(fields: &[(String, Secret)]) -> Secret {
    let mut serializer = Serializer::new(String::new());
    for (name, value) in fields {
        serializer.append_pair(name, value.expose());
    }
    serializer.finish().into()
}

/// An error unless the SAML answer says that somebody signed in. Whether it is genuine is for the site to decide.
pub(super) fn check_saml(answer: &str) -> Result<()> {
    let broken = || {
        Error::new(
            ErrorKind::Decode,
            "the identity provider sent a SAML answer that cannot be read",
        )
        .hint("check SSOLoginURL")
    };
    let packed: String = answer.chars().filter(|c| !c.is_whitespace()).collect();
    let xml = STANDARD.decode(packed).map_err(|_| broken())?;
    let xml = String::from_utf8(xml).map_err(|_| broken())?;
    let mut reader = Reader::from_str(&xml);
    let mut code = None;
    loop {
        // The reader expands no entities. A document type has no business here.
        match reader.read_event().map_err(|_| broken())? {
            Event::Start(tag) | Event::Empty(tag) if tag.local_name().as_ref() == "StatusCode" => {
                let value = tag.attributes().flatten().find(|attribute| attribute.key.as_ref() == "Value");
                // The innermost code is the one that tells.
                code = value.map(|value| value.value.rsplit(':').next().unwrap_or_default().to_owned());
            }
            Event::DocType(_) => return Err(broken()),
            Event::Eof => break,
            _ => {}
        }
    }
    match code.as_deref() {
        Some("Success") => Ok(()),
        Some(code) => {
            let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
            Err(Error::new(
                ErrorKind::Authentication,
                format!("the identity provider did not sign the user in: {code}"),
            )
            .hint("check that the user may use the application at the identity provider"))
        }
        None => Err(broken()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_with_the_answer() {
        let page = "<html><form action='/search'><input name=q></form><!-- <form> -->
            <FORM method=post action=\"https://jira.example/saml?a=1&amp;b=2\">
            <input type=hidden name=SAMLResponse value=\"PHg&#43;\"/><input type=hidden name=RelayState value='a&amp;b'>
            <input type=submit></FORM><form><input name=other></form>";
        let fields = saml_fields(page).unwrap();
        assert_eq!(encoded(&fields).expose(), "SAMLResponse=PHg%2B&RelayState=a%26b");
        assert!(saml_fields("<form><input name=user><input name=password></form>").is_none());
    }

    #[test]
    fn what_a_saml_answer_says() {
        let answer = |xml: &str| check_saml(&STANDARD.encode(xml));
        let status = |code: &str| {
            format!(
                "<samlp:Response xmlns:samlp=\"x\"><samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:{code}\"/>\
                 </samlp:Status></samlp:Response>"
            )
        };
        assert!(answer(&status("Success")).is_ok());
        assert!(answer(&status("AuthnFailed")).unwrap_err().message().contains("AuthnFailed"));
        for bad in [
            "<x/>",
            "no xml <",
            &format!("<!DOCTYPE a [<!ENTITY e \"x\">]>{}", status("Success")),
        ] {
            assert_eq!(answer(bad).unwrap_err().kind(), ErrorKind::Decode, "{bad}");
        }
    }
}
