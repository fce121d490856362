//! The shape of a rule file. Written by hand because serde's derive would also take arrays for
//! objects, and because each error is to say what to write instead.

use super::{FILE_VERSION, MINIMAL, NOTE_MAX, RuleFile, unknown_field, with_remedy};
use crate::{Action, AppPattern, Destination, Rule};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Checks the version first, so that a file of another one is not reported for its fields.
pub(super) fn version(text: &str) -> serde_json::Result<()> {
    whole(text, Object(Head { version: false }))
}

/// Reads a file whose version is known to be right.
pub(super) fn file(text: &str) -> serde_json::Result<RuleFile> {
    whole(text, Object(RuleFileFields::default()))
}

fn whole<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> serde_json::Result<S::Value> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// What an object's fields are collected in.
trait Fields<'de>: Sized {
    type Value;
    const EXPECTED: &'static str;
    fn field<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<(), M::Error>;
    fn finish<E: Error>(self) -> Result<Self::Value, E>;
}

/// An object and nothing else.
struct Object<F>(F);

impl<'de, F: Fields<'de>> DeserializeSeed<'de> for Object<F> {
    type Value = F::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<F::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Fields<'de>> Visitor<'de> for Object<F> {
    type Value = F::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(F::EXPECTED)
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<F::Value, M::Error> {
        while let Some(name) = map.next_key::<String>()? {
            self.0.field(&name, &mut map)?;
        }
        self.0.finish()
    }
}

/// A list and nothing else.
struct List<S>(S, &'static str);

impl<'de, S: DeserializeSeed<'de> + Clone> DeserializeSeed<'de> for List<S> {
    type Value = Vec<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Clone> Visitor<'de> for List<S> {
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(self.0.clone())? {
            values.push(value);
        }
        Ok(values)
    }
}

/// A string that stands for a value.
struct Text<T> {
    expected: &'static str,
    read: fn(&str) -> Result<T, String>,
}

impl<T> Clone for Text<T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'de, T> DeserializeSeed<'de> for Text<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}

const ACTION: Text<Action> = Text {
    expected: "\"allow\", \"ask\" or \"deny\"",
    read: |text| {
        let action = Action::ALL
            .into_iter()
            .find(|action| action.as_str() == text);
        action.ok_or_else(|| {
            with_remedy(
                format!("{} is no action", crate::text::quoted(text)),
                "write \"allow\", \"ask\" or \"deny\"",
            )
        })
    },
};

const DESTINATION: Text<Destination> = Text {
    expected: "a destination such as \"example.com:443\"",
    read: |text| {
        text.parse()
            .map_err(|error: crate::DestinationError| with_remedy(error.message, error.remedy))
    },
};

const APP: Text<AppPattern> = Text {
    expected: "a program such as \"/usr/bin/curl\"",
    read: |text| {
        text.parse()
            .map_err(|error: crate::AppError| with_remedy(error.message, error.remedy))
    },
};

const NOTE: Text<String> = Text {
    expected: "a remark such as \"for the printer\"",
    read: |text| {
        if text.len() > NOTE_MAX {
            return Err(with_remedy(
                format!("the note has {} bytes", text.len()),
                format!("write at most {NOTE_MAX}"),
            ));
        }
        Ok(text.to_owned())
    },
};

const UNTIL: Text<jiff::Timestamp> = Text {
    expected: "a time such as \"2026-12-31T00:00:00Z\"",
    read: |text| {
        let wrong = || {
            with_remedy(
                format!(
                    "{} is no time with its offset from UTC",
                    crate::text::quoted(text)
                ),
                "write it as in RFC 3339: \"2026-12-31T00:00:00Z\" or \"2026-12-31T01:00:00+01:00\"",
            )
        };
        // jiff also reads a blank for the T and a zone in brackets; RFC 3339 has neither.
        let is_rfc_3339 =
            matches!(text.as_bytes().get(10), Some(b'T' | b't')) && !text.contains('[');
        match text.parse() {
            Ok(time) if is_rfc_3339 => Ok(time),
            _ => Err(wrong()),
        }
    },
};

/// Sets a field once.
fn once<'de, M: MapAccess<'de>, S: DeserializeSeed<'de>>(
    slot: &mut Option<S::Value>,
    name: &str,
    map: &mut M,
    seed: S,
) -> Result<(), M::Error> {
    if slot.is_some() {
        return Err(twice(name));
    }
    *slot = Some(map.next_value_seed(seed)?);
    Ok(())
}

fn twice<E: Error>(name: &str) -> E {
    E::custom(with_remedy(
        format!("`{name}` is given twice"),
        "keep one of them",
    ))
}

/// The number after `version`, if it is the one that is understood.
struct Version;

impl<'de> DeserializeSeed<'de> for Version {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Version {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the number {FILE_VERSION}")
    }

    fn visit_u64<E: Error>(self, version: u64) -> Result<(), E> {
        if version == u64::from(FILE_VERSION) {
            return Ok(());
        }
        Err(E::custom(with_remedy(
            format!("version {version} of rule files is not known to this hallpass"),
            format!("write \"version\": {FILE_VERSION}, or use the hallpass that wrote the file"),
        )))
    }
}

/// Of the whole file only the version.
struct Head {
    version: bool,
}

const EXPECTED_FILE: &str = "an object such as { \"version\": 1, \"rules\": [] }";

impl<'de> Fields<'de> for Head {
    type Value = ();
    const EXPECTED: &'static str = EXPECTED_FILE;

    fn field<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<(), M::Error> {
        if name != "version" {
            map.next_value::<IgnoredAny>()?;
            return Ok(());
        }
        if std::mem::replace(&mut self.version, true) {
            return Err(twice(name));
        }
        map.next_value_seed(Version)
    }

    fn finish<E: Error>(self) -> Result<(), E> {
        if self.version {
            return Ok(());
        }
        Err(E::custom(with_remedy(
            "the file does not say its version",
            format!("write {MINIMAL}"),
        )))
    }
}

#[derive(Default)]
struct RuleFileFields {
    default: Option<Action>,
    rules: Option<Vec<Rule>>,
}

impl<'de> Fields<'de> for RuleFileFields {
    type Value = RuleFile;
    const EXPECTED: &'static str = EXPECTED_FILE;

    fn field<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<(), M::Error> {
        match name {
            "version" => map.next_value_seed(Version),
            "default" => once(&mut self.default, name, map, ACTION),
            "rules" => once(
                &mut self.rules,
                name,
                map,
                List(Object(RuleFields::default()), "a list of rules in brackets"),
            ),
            _ => Err(Error::custom(unknown_field(
                name,
                &["version", "default", "rules"],
            ))),
        }
    }

    fn finish<E: Error>(self) -> Result<RuleFile, E> {
        Ok(RuleFile {
            version: FILE_VERSION,
            default: self.default,
            rules: self.rules.unwrap_or_default(),
        })
    }
}

#[derive(Clone, Default)]
struct RuleFields {
    action: Option<Action>,
    to: Option<Vec<Destination>>,
    app: Option<AppPattern>,
    note: Option<String>,
    until: Option<jiff::Timestamp>,
}

impl<F: Clone> Clone for Object<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<'de> Fields<'de> for RuleFields {
    type Value = Rule;
    const EXPECTED: &'static str =
        "a rule such as { \"do\": \"allow\", \"to\": [\"example.com:443\"] }";

    fn field<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<(), M::Error> {
        match name {
            "do" => once(&mut self.action, name, map, ACTION),
            "to" => once(
                &mut self.to,
                name,
                map,
                List(
                    DESTINATION,
                    "a list of destinations such as [\"example.com:443\"]",
                ),
            ),
            "app" => once(&mut self.app, name, map, APP),
            "note" => once(&mut self.note, name, map, NOTE),
            "until" => once(&mut self.until, name, map, UNTIL),
            _ => Err(Error::custom(unknown_field(
                name,
                &["do", "to", "app", "note", "until"],
            ))),
        }
    }

    fn finish<E: Error>(self) -> Result<Rule, E> {
        let missing = |field: &str, remedy: &str| {
            E::custom(with_remedy(format!("the rule has no `{field}`"), remedy))
        };
        let to = self.to.ok_or_else(|| {
            missing(
                "to",
                "write \"to\": [\"example.com:443\"], or [\"@any\"] for everywhere",
            )
        })?;
        if to.is_empty() {
            return Err(E::custom(with_remedy(
                "`to` is empty, so the rule matches nothing",
                "name a destination, or write [\"@any\"] for everywhere",
            )));
        }
        Ok(Rule {
            action: self
                .action
                .ok_or_else(|| missing("do", "write \"do\": \"allow\", \"ask\" or \"deny\""))?,
            to,
            app: self.app,
            note: self.note,
            until: self.until,
        })
    }
}
