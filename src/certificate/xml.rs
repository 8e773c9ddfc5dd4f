//! RSA keys as .NET writes them: `<RSAKeyValue>` with a number in base64 in each element.

use std::collections::HashMap;

use base64::Engine as _;
use quick_xml::Reader;
use quick_xml::events::Event;
use zeroize::Zeroizing;

use super::entry::Entry;
use super::rsa_key::Numbers;
use super::{BASE64, Fault};

/// The RSA key. Without the private numbers it is a public key: an entry with nothing to use.
pub(super) fn entry(bytes: &[u8]) -> Result<Entry, Fault> {
    let numbers = numbers(bytes)?;
    let get = |name: &str| numbers.get(name).map(|number| number.as_slice());
    let (Some(modulus), Some(exponent)) = (get("Modulus"), get("Exponent")) else {
        return Err(Fault::Format("it is no RSAKeyValue with Modulus and Exponent"));
    };
    match (get("D"), get("P"), get("Q")) {
        (Some(private_exponent), Some(p), Some(q)) => {
            let numbers = Numbers {
                modulus,
                exponent,
                private_exponent,
                primes: [p, q],
            };
            Ok(Entry::key(numbers.key()?))
        }
        _ => Ok(Entry::default()),
    }
}

/// The numbers by element. The reader expands no entities and reads no document types; texts with either are refused.
fn numbers(bytes: &[u8]) -> Result<HashMap<String, Zeroizing<Vec<u8>>>, Fault> {
    const WRONG: Fault = Fault::Format("it is no well-formed XML");
    let mut reader = Reader::from_str(std::str::from_utf8(bytes).map_err(|_| WRONG)?);
    let mut numbers = HashMap::new();
    let mut element = None;
    loop {
        match reader.read_event().map_err(|_| WRONG)? {
            Event::Start(start) => element = Some(start.local_name().as_ref().to_owned()),
            Event::Text(text) => {
                let Some(name) = &element else { continue };
                let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
                if packed.is_empty() {
                    continue;
                }
                let number = BASE64.decode(Zeroizing::new(packed).as_slice());
                let number = number.map_err(|_| Fault::Format("a number in it is not base64"))?;
                numbers.insert(name.clone(), Zeroizing::new(number));
            }
            Event::End(_) => element = None,
            Event::DocType(_) | Event::GeneralRef(_) => return Err(Fault::Format("it has a document type or entities")),
            Event::Eof => return Ok(numbers),
            _ => {}
        }
    }
}
