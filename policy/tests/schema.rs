//! docs/policy.schema.json and the parser say the same of a file's shape.
// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

use hallpass_policy::RuleFile;
use serde_json::Value;

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Whether a value fits a schema. Knows the keywords that the schema uses, and no others, so
/// that none is passed over in silence.
fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    schema
        .as_object()
        .unwrap()
        .iter()
        .all(|(keyword, wanted)| match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "examples" | "format" => true,
            "$ref" => fits(
                root,
                root.pointer(wanted.as_str().unwrap().strip_prefix('#').unwrap())
                    .unwrap(),
                value,
            ),
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "type" => match wanted.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                other => panic!("type {other}"),
            },
            "properties" => {
                value.as_object().is_none_or(|object| {
                    wanted.as_object().unwrap().iter().all(|(name, of)| {
                        object.get(name).is_none_or(|value| fits(root, of, value))
                    })
                })
            }
            "required" => value.as_object().is_none_or(|object| {
                wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|name| object.contains_key(name.as_str().unwrap()))
            }),
            "additionalProperties" => {
                assert_eq!(wanted, &Value::Bool(false));
                let known = schema["properties"].as_object().unwrap();
                value
                    .as_object()
                    .is_none_or(|object| object.keys().all(|name| known.contains_key(name)))
            }
            "items" => value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| fits(root, wanted, item))),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 >= wanted.as_u64().unwrap()),
            "maxLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 <= wanted.as_u64().unwrap()),
            other => panic!("the schema uses the keyword {other}, which this test does not know"),
        })
}

#[test]
fn schema_and_parser_agree_on_shapes() {
    let schema = schema();
    let note = |length: usize| {
        format!(
            r#"{{"version":1,"rules":[{{"do":"ask","to":["@any"],"note":"{}"}}]}}"#,
            "x".repeat(length)
        )
    };
    let files = [
        (true, r#"{"version":1}"#.to_owned()),
        (true, r#"{"version":1,"default":"deny","rules":[]}"#.to_owned()),
        (true, r#"{"rules":[{"to":["a.example","@lan:80/tcp"],"do":"allow","app":"script:/x","note":"","until":"2026-12-31T00:00:00Z"}],"version":1}"#.to_owned()),
        (true, note(1000)),
        (false, note(1001)),
        (false, "[]".to_owned()),
        (false, "null".to_owned()),
        (false, r#""x""#.to_owned()),
        (false, "{}".to_owned()),
        (false, r#"{"rules":[]}"#.to_owned()),
        (false, r#"{"version":2}"#.to_owned()),
        (false, r#"{"version":"1"}"#.to_owned()),
        (false, r#"{"version":1,"extra":1}"#.to_owned()),
        (false, r#"{"version":1,"default":"maybe"}"#.to_owned()),
        (false, r#"{"version":1,"default":null}"#.to_owned()),
        (false, r#"{"version":1,"rules":{}}"#.to_owned()),
        (false, r#"{"version":1,"rules":[["allow",["@any"]]]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"do":"allow"}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"to":["@any"]}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"do":"Allow","to":["@any"]}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"do":"allow","to":[]}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"do":"allow","to":"@any"}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"do":"allow","to":[1]}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"do":"allow","to":[""]}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"do":"allow","to":["@any"],"app":""}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"do":"allow","to":["@any"],"app":null}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"do":"allow","to":["@any"],"note":1}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"do":"allow","to":["@any"],"until":1}]}"#.to_owned()),
        (false, r#"{"version":1,"rules":[{"do":"allow","to":["@any"],"why":""}]}"#.to_owned()),
    ];
    for (is_good, text) in files {
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            RuleFile::parse(text.as_bytes(), "x").is_ok(),
            is_good,
            "parser: {text}"
        );
        assert_eq!(fits(&schema, &schema, &value), is_good, "schema: {text}");
    }
}

#[test]
fn the_schemas_own_examples_are_read() {
    let schema = schema();
    for (kind, field) in [("destination", "to"), ("app", "app")] {
        for example in schema["$defs"][kind]["examples"].as_array().unwrap() {
            let mut rule = serde_json::json!({ "do": "allow", "to": ["@any"] });
            rule[field] = if field == "to" {
                serde_json::json!([example])
            } else {
                example.clone()
            };
            let text = serde_json::json!({ "version": 1, "rules": [rule] }).to_string();
            RuleFile::parse(text.as_bytes(), "x").unwrap();
        }
    }
}
