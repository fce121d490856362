//! The rules of a nested run, as bytes and back.

use crate::escape::escape;
use hallpass_policy::{Action, FILE_VERSION, Layer, Policy, RuleFile};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most bytes that the rules of one nested run may have.
pub const RULES_MAX: usize = 1024 * 1024;
/// Characters of the name that are shown.
const NAME_MAX: usize = 40;
/// The layers that a nested run may bring: answers are the session's alone.
const LAYERS: [Layer; 3] = [Layer::Flag, Layer::Policy, Layer::Saved];

/// What a nested run adds to the session's rules.
#[derive(Clone, Debug)]
pub struct Narrowing {
    /// What it runs, for people; bounded and escaped.
    pub name: String,
    /// Its rules. The default is `allow` where it has no opinion of its own.
    pub policy: Policy,
    /// What its rules would ask about is refused (`--prompt=none`).
    pub asks_nobody: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    asks_nobody: bool,
    default: Action,
    flag: Value,
    policy: Value,
    saved: Value,
}

impl Narrowing {
    /// The bytes to send.
    ///
    /// # Errors
    /// They would be more than [`RULES_MAX`]; the sentence says what to do.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let layer = |layer| {
            serde_json::to_value(RuleFile {
                version: FILE_VERSION,
                default: None,
                rules: self.policy.rules(layer).to_vec(),
            })
        };
        let [flag, policy, saved] = LAYERS.map(layer);
        let error = |error: serde_json::Error| error.to_string();
        let written = Written {
            name: self.name.clone(),
            asks_nobody: self.asks_nobody,
            default: self.policy.default_action(),
            flag: flag.map_err(error)?,
            policy: policy.map_err(error)?,
            saved: saved.map_err(error)?,
        };
        let bytes = serde_json::to_vec(&written).map_err(error)?;
        if bytes.len() > RULES_MAX {
            return Err(format!(
                "the rules have {} bytes, and inside a session there is room for {RULES_MAX}; \
                 give long lists to the outer `hallpass run`",
                bytes.len()
            ));
        }
        Ok(bytes)
    }

    /// Reads bytes of any origin.
    ///
    /// # Errors
    /// They are no rules of a nested run; what is wrong, in one line.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > RULES_MAX {
            return Err(format!("its rules have {} bytes", bytes.len()));
        }
        let written: Written = serde_json::from_slice(bytes).map_err(|error| {
            format!(
                "its rules cannot be read: {}",
                escape(&error.to_string(), 200)
            )
        })?;
        let mut policy = Policy::new();
        policy.set_default(written.default);
        for (layer, value) in LAYERS
            .into_iter()
            .zip([written.flag, written.policy, written.saved])
        {
            let bytes = serde_json::to_vec(&value).map_err(|error| error.to_string())?;
            let file =
                RuleFile::parse(&bytes, layer.as_str()).map_err(|error| error.to_string())?;
            policy.set_layer(layer, file.rules);
        }
        Ok(Self {
            name: escape(&written.name, NAME_MAX),
            policy,
            asks_nobody: written.asks_nobody,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Narrowing, RULES_MAX};
    use hallpass_policy::{Action, Layer, Policy, Rule};

    fn narrowing() -> Narrowing {
        let rule = |action, to: &str| Rule::new(action, vec![to.parse().unwrap()]);
        let mut policy = Policy::new();
        policy.set_default(Action::Deny);
        policy.set_layer(
            Layer::Flag,
            vec![
                rule(Action::Deny, "@lan"),
                rule(Action::Ask, "a.example:443"),
            ],
        );
        policy.set_layer(Layer::Policy, vec![rule(Action::Allow, "10.0.0.0/8")]);
        Narrowing {
            name: "make\u{1b}[2J".to_owned(),
            policy,
            asks_nobody: true,
        }
    }

    #[test]
    fn rules_come_back_and_the_name_is_escaped() {
        let back = Narrowing::decode(&narrowing().encode().unwrap()).unwrap();
        for layer in Layer::ALL {
            assert_eq!(back.policy.rules(layer), narrowing().policy.rules(layer));
        }
        assert_eq!(back.policy.default_action(), Action::Deny);
        assert!(back.asks_nobody);
        assert!(!back.name.contains('\u{1b}'), "{}", back.name);
    }

    #[test]
    fn bytes_that_are_no_rules() {
        let good = narrowing().encode().unwrap();
        for len in 0..good.len() {
            assert!(Narrowing::decode(&good[..len]).is_err(), "{len} bytes");
        }
        let text = String::from_utf8(good).unwrap();
        for (from, to) in [
            ("\"name\"", "\"nom\""),
            ("\"deny\"", "\"dent\""),
            ("10.0.0.0/8", "127.1"),
            ("\"flag\":{", "\"flag\":[{"),
            ("\"saved\":", "\"answer\":"),
        ] {
            assert!(text.contains(from), "{from}");
            let spoilt = text.replace(from, to);
            assert!(Narrowing::decode(spoilt.as_bytes()).is_err(), "{to}");
        }
        assert!(Narrowing::decode(&vec![b' '; RULES_MAX + 1]).is_err());
        let deep = "[".repeat(RULES_MAX);
        assert!(Narrowing::decode(deep.as_bytes()).is_err());
    }

    #[test]
    fn long_lists_are_refused_with_what_to_do() {
        let mut long = narrowing();
        let to = (0..100_000).map(|n| format!("host{n}.example").parse().unwrap());
        let rule = Rule::new(Action::Deny, to.collect());
        long.policy.set_layer(Layer::Policy, vec![rule]);
        let error = long.encode().unwrap_err();
        assert!(error.contains("outer"), "{error}");
    }
}
