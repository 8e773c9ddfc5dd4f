//! The value of a field of an issue, whatever it may be: options, people, SLAs, documents, or an error object in their place.
//!
//! A value of the expected form gives text, a list or a number; one of another form is told apart from none, so that it can be counted.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::adf;
use super::cell::{Cell, Odd};
use super::decode::{self, count, epoch_millis};
use crate::schema::{Codec, Kind, SlaPart};

/// Fills a cell by a codec; false when the value is not of the form that the codec reads. Parts of it that are not are noted in the cell.
pub(super) fn read(cell: &mut Cell, kind: Kind, codec: &Codec, json: &str) -> bool {
    match codec {
        Codec::UrlTail | Codec::LowerCase => false,
        Codec::Adf => match serde_json::from_str::<Cow<'_, str>>(json) {
            Ok(text) => {
                cell.set_text(&text);
                true
            }
            Err(_) => match adf::text(json) {
                Some(adf::Reading { text, unshown }) => {
                    cell.set_text(&text);
                    if unshown > 0 {
                        cell.note_misfit(Odd::Part, "a document with parts that cannot be shown");
                    }
                    true
                }
                None => false,
            },
        },
        Codec::Epoch => match serde_json::from_str(json).ok().and_then(moment) {
            Some(millis) => {
                cell.set_integer(millis);
                true
            }
            None => false,
        },
        Codec::Cascade => match serde_json::from_str::<Choice>(json) {
            Ok(Choice { value, child }) => {
                cell.set_text(&match child {
                    Some(child) => format!("{value} / {}", child.value),
                    None => value,
                });
                true
            }
            Err(_) => false,
        },
        Codec::Pick(keys) => pick(cell, kind, keys, json),
        Codec::Sla(part) => match serde_json::from_str::<Sla>(json) {
            Ok(sla) => sla.read(cell, *part),
            Err(_) => false,
        },
    }
}

/// A moment as text or as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Moment<'a> {
    Number(i64),
    Float(f64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

fn moment(moment: Moment<'_>) -> Option<i64> {
    /// What is less cannot be milliseconds of a moment after 1973.
    const SECONDS: i64 = 100_000_000_000;
    match moment {
        Moment::Number(seconds) if (0..SECONDS).contains(&seconds) => Some(seconds * 1_000),
        Moment::Number(millis) => Some(millis),
        // Digits are a number, however they are spelled.
        Moment::Float(number) => self::moment(Moment::Number(decode::whole(number)?)),
        Moment::Text(text) => match text.trim().parse() {
            Ok(number) => self::moment(Moment::Number(number)),
            Err(_) => epoch_millis(&text),
        },
    }
}

#[derive(Deserialize)]
struct Choice {
    value: String,
    #[serde(default)]
    child: Option<Child>,
}

#[derive(Deserialize)]
struct Child {
    value: String,
}

/// A member of an object, or of each object of a list.
fn pick(cell: &mut Cell, kind: Kind, keys: &[String], json: &str) -> bool {
    let mut reader = serde_json::Deserializer::from_str(json);
    let Ok(picked) = reader.deserialize_any(Picker { keys }) else {
        return false;
    };
    match (picked, kind) {
        // Sites write an empty text where they mean nothing.
        (Picked::Value(text), _) if text.is_empty() => {}
        (Picked::Value(text), Kind::List) => cell.set_list().push(Some(text)),
        (Picked::Values(values), Kind::List) => {
            let wrong = values.contains(&Element::Wrong);
            *cell.set_list() = values.into_iter().map(Element::text).collect();
            if wrong {
                cell.note_misfit(Odd::Element, "a list with something else than the column holds");
            }
        }
        (Picked::Value(text), Kind::Text) => cell.set_text(&text),
        (Picked::Value(text), Kind::Bigint) => match text.parse() {
            Ok(number) => cell.set_integer(number),
            Err(_) => return false,
        },
        // A field that was once for one value may still hold a list of one.
        (Picked::Values(values), Kind::Text) => match &values[..] {
            [] | [Element::Null] => {}
            [Element::Text(one)] => cell.set_text(one),
            _ => return false,
        },
        _ => return false,
    }
    true
}

enum Picked {
    Value(String),
    Values(Vec<Element>),
    Null,
    Wrong,
}

/// An element of a list: one that cannot be read costs itself.
#[derive(PartialEq)]
enum Element {
    Text(String),
    Null,
    Wrong,
}

impl Element {
    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Wrong => None,
        }
    }
}

struct Picker<'a> {
    keys: &'a [String],
}

impl<'de> Visitor<'de> for Picker<'_> {
    type Value = Picked;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_str<E>(self, value: &str) -> Result<Picked, E> {
        // Older sites send a label where newer ones send an object; a list of labels is a list.
        Ok(Picked::Value(value.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Picked, E> {
        Ok(Picked::Wrong)
    }

    // An id may come bare.
    fn visit_i64<E>(self, value: i64) -> Result<Picked, E> {
        Ok(Picked::Value(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Picked, E> {
        Ok(Picked::Value(value.to_string()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Picked, E> {
        Ok(Picked::Wrong)
    }

    fn visit_unit<E>(self) -> Result<Picked, E> {
        Ok(Picked::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Picked, A::Error> {
        let mut best: Option<(usize, String)> = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let rank = self.keys.iter().position(|own| *own == key);
            let Some(rank) = rank.filter(|rank| best.as_ref().is_none_or(|(known, _)| rank < known)) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if let Some(text) = scalar(map.next_value::<&RawValue>()?.get()) {
                best = Some((rank, text));
            }
        }
        Ok(best.map_or(Picked::Wrong, |(_, text)| Picked::Value(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Picked, A::Error> {
        let mut values = Vec::new();
        while let Some(element) = elements.next_element::<&RawValue>()? {
            let mut reader = serde_json::Deserializer::from_str(element.get());
            values.push(match reader.deserialize_any(Picker { keys: self.keys }) {
                Ok(Picked::Value(text)) => Element::Text(text),
                Ok(Picked::Null) => Element::Null,
                _ => Element::Wrong,
            });
        }
        Ok(Picked::Values(values))
    }
}

/// A token or an id as text, however it is spelled; what is none is none.
pub(super) fn word<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    Ok(scalar(<&RawValue>::deserialize(input)?.get()))
}

/// The same where there must be one.
pub(super) fn id<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    word(input)?.ok_or_else(|| serde::de::Error::custom("an id is neither text nor number"))
}

/// A text or number as text.
pub(super) fn scalar(json: &str) -> Option<String> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok(),
        b'-' | b'0'..=b'9' => Some(json.to_owned()),
        _ => None,
    }
}

/// An SLA of an issue: at most one cycle is ongoing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sla {
    #[serde(default)]
    ongoing_cycle: Option<Cycle>,
    #[serde(default)]
    completed_cycles: Option<Vec<Option<Cycle>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Cycle {
    stop_time: Option<Date>,
    breach_time: Option<Date>,
    #[serde(deserialize_with = "truth")]
    breached: Option<bool>,
    elapsed_time: Option<Duration>,
    remaining_time: Option<Duration>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Date {
    #[serde(deserialize_with = "whole")]
    epoch_millis: Option<i64>,
    jira: Option<String>,
    iso8601: Option<String>,
}

#[derive(Deserialize)]
struct Duration {
    #[serde(default, deserialize_with = "whole")]
    millis: Option<i64>,
}

/// A whole number, however it is spelled; what is none is none.
fn whole<'de, D: Deserializer<'de>>(input: D) -> Result<Option<i64>, D::Error> {
    Ok(count(<&RawValue>::deserialize(input)?.get()))
}

/// A truth value, however it is spelled.
pub(super) fn truth<'de, D: Deserializer<'de>>(input: D) -> Result<Option<bool>, D::Error> {
    let json = <&RawValue>::deserialize(input)?.get();
    Ok(match json.trim_matches('"').to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    })
}

impl Date {
    fn millis(&self) -> Option<i64> {
        self.epoch_millis
            .or_else(|| epoch_millis(self.jira.as_deref()?))
            .or_else(|| epoch_millis(self.iso8601.as_deref()?))
    }
}

impl Sla {
    /// The cycle that was completed last: cycles without a time of their own are in order.
    fn completed(&self) -> Option<&Cycle> {
        let stopped = |cycle: &Cycle| cycle.stop_time.as_ref().and_then(Date::millis);
        let cycles = self.completed_cycles.iter().flatten().flatten();
        cycles.max_by_key(|cycle| stopped(cycle))
    }

    fn read(&self, cell: &mut Cell, part: SlaPart) -> bool {
        let millis = |duration: &Option<Duration>| duration.as_ref().and_then(|duration| duration.millis);
        let latest = self.ongoing_cycle.as_ref().or_else(|| self.completed());
        let value = match part {
            SlaPart::Breached => {
                if let Some(breached) = latest.and_then(|cycle| cycle.breached) {
                    cell.set_boolean(breached);
                }
                return true;
            }
            SlaPart::Remaining => latest.and_then(|cycle| millis(&cycle.remaining_time)),
            SlaPart::BreachTime => latest.and_then(|cycle| cycle.breach_time.as_ref()?.millis()),
            SlaPart::Completed => self.completed().and_then(|cycle| millis(&cycle.elapsed_time)),
        };
        if let Some(value) = value {
            cell.set_integer(value);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn a_moment_is_a_text_or_a_number() {
        for (json, millis) in [
            (r#""2017-04-13T08:20:29.000+0000""#, Some(1_492_071_629_000)),
            ("1492071629000", Some(1_492_071_629_000)),
            // As the documentation of the API has it.
            ("1492071629", Some(1_492_071_629_000)),
            (r#""1492071629000""#, Some(1_492_071_629_000)),
            ("1492071629000.0", Some(1_492_071_629_000)),
            (r#""soon""#, None),
        ] {
            assert_eq!(serde_json::from_str(json).ok().and_then(moment), millis, "{json}");
        }
        assert!(serde_json::from_str(r#"{"at":1}"#).ok().and_then(moment).is_none());
    }
}
