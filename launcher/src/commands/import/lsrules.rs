//! Rules of Little Snitch (.lsrules): JSON with a list of rules and lists of denied hosts.

use super::Imported;
use hallpass_policy::{Action, AppPattern, Destination, Rule};
use serde_json::Value;

pub(super) fn read(text: &str) -> serde_json::Result<Imported> {
    let value: Value = serde_json::from_str(text)?;
    let mut imported = Imported::default();
    let rules = value.get("rules").and_then(Value::as_array);
    for rule in rules.into_iter().flatten() {
        if rule.get("disabled") == Some(&Value::Bool(true)) {
            continue;
        }
        let denies = rule.get("action").and_then(Value::as_str) != Some("allow");
        match one(rule) {
            Ok(Some(made)) => imported.rules.push(made),
            Ok(None) => {}
            Err(why) => imported.leave_out(&rule.to_string(), &why, denies),
        }
    }
    for (field, kind) in [
        ("denied-remote-domains", Kind::Domain),
        ("denied-remote-hosts", Kind::Host),
        ("denied-remote-addresses", Kind::Address),
    ] {
        let mut to = Vec::new();
        for word in value.get(field).map(words).unwrap_or_default() {
            match kind.destinations(&word, "") {
                Ok(destinations) => to.extend(destinations),
                Err(why) => imported.leave_out(&word, &why, true),
            }
        }
        if !to.is_empty() {
            imported.rules.push(Rule::new(Action::Deny, to));
        }
    }
    Ok(imported)
}

#[derive(Clone, Copy)]
enum Kind {
    Host,
    Domain,
    Address,
}

impl Kind {
    /// `suffix` is `:ports`, `/protocol`, both or nothing.
    fn destinations(self, word: &str, suffix: &str) -> Result<Vec<Destination>, String> {
        if word.starts_with(['@', '*', '|']) {
            return Err(format!("no rule can say {word:?}"));
        }
        let one = |host: &str| {
            let text = match suffix.starts_with(':') && host.contains(':') {
                true => format!("[{host}]{suffix}"),
                false => format!("{host}{suffix}"),
            };
            let parsed: Result<Destination, hallpass_policy::DestinationError> = text.parse();
            parsed.map_err(|error| error.to_string())
        };
        match self {
            Self::Domain => Ok(vec![one(word)?, one(&format!("*.{word}"))?]),
            Self::Host | Self::Address => Ok(vec![one(word)?]),
        }
    }
}

/// None for a rule about connections from outside, which hallpass does not decide.
fn one(rule: &Value) -> Result<Option<Rule>, String> {
    const KNOWN: [&str; 15] = [
        "action",
        "process",
        "remote",
        "remote-hosts",
        "remote-domains",
        "remote-addresses",
        "ports",
        "protocol",
        "direction",
        "priority",
        "disabled",
        "notes",
        "creationDate",
        "modificationDate",
        "origin",
    ];
    let fields = rule.as_object().ok_or("it is no object")?;
    if let Some(other) = fields.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!("no rule can say {other:?}"));
    }
    let text = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("direction") {
        "incoming" => return Ok(None),
        "outgoing" | "both" | "" => {}
        other => return Err(format!("no rule can say direction {other:?}")),
    }
    // The highest priority wins there whatever it says, the most specific here.
    if !matches!(text("priority"), "" | "regular") {
        return Err("it has a priority of its own".to_owned());
    }
    let action = match text("action") {
        "allow" => Action::Allow,
        "deny" => Action::Deny,
        "ask" => Action::Ask,
        other => return Err(format!("{other:?} is no action that is known")),
    };
    let mut suffix = match text("ports") {
        "" | "any" => String::new(),
        ports => format!(":{ports}"),
    };
    match text("protocol") {
        "" | "any" => {}
        protocol @ ("tcp" | "udp" | "icmp") => suffix.push_str(&format!("/{protocol}")),
        other => return Err(format!("no rule can say protocol {other:?}")),
    }
    let mut to = Vec::new();
    for (field, kind) in [
        ("remote-hosts", Kind::Host),
        ("remote-domains", Kind::Domain),
        ("remote-addresses", Kind::Address),
    ] {
        for word in rule.get(field).map(words).unwrap_or_default() {
            to.extend(kind.destinations(&word, &suffix)?);
        }
    }
    let group = match text("remote") {
        "" => None,
        "any" => Some("@any"),
        other => return Err(format!("no rule can say remote {other:?}")),
    };
    match (group, to.is_empty()) {
        (Some(group), true) => {
            let parsed: Result<Destination, hallpass_policy::DestinationError> =
                format!("{group}{suffix}").parse();
            to.push(parsed.map_err(|error| error.to_string())?);
        }
        (None, false) => {}
        _ => return Err("it does not say one remote side".to_owned()),
    }
    let mut made = Rule::new(action, to);
    match text("process") {
        "any" => {}
        path if path.starts_with('/') => {
            let app: Result<AppPattern, hallpass_policy::AppError> = path.parse();
            made.app = Some(app.map_err(|error| error.to_string())?);
        }
        other => return Err(format!("no rule can say process {other:?}")),
    }
    let notes = text("notes");
    made.note = (!notes.is_empty() && notes.len() < 500).then(|| notes.to_owned());
    Ok(Some(made))
}

/// A string of words with commas or blanks between them, or a list of strings.
fn words(value: &Value) -> Vec<String> {
    let split = |text: &str| {
        let words = text.split([',', ' ', '\n']).map(str::trim);
        let words = words.filter(|word| !word.is_empty());
        words.map(str::to_owned).collect::<Vec<String>>()
    };
    match value {
        Value::String(text) => split(text),
        Value::Array(all) => all
            .iter()
            .filter_map(Value::as_str)
            .flat_map(split)
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn rules_and_denied_lists() {
        let imported = read(
            r#"{"name":"x","rules":[
              {"action":"allow","process":"/usr/bin/curl","remote-domains":["example.com"],"ports":"443","protocol":"tcp","notes":"why"},
              {"action":"deny","process":"any","remote-addresses":"10.0.0.0/8, fd00::1","ports":"80"},
              {"action":"allow","process":"any","remote":"any","direction":"incoming"},
              {"action":"deny","process":"any","remote":"any","disabled":true}],
             "denied-remote-hosts":["ads.test"]}"#,
        )
        .unwrap();
        let rules: Vec<String> = imported.rules.iter().map(ToString::to_string).collect();
        assert_eq!(
            rules,
            [
                "allow example.com:443/tcp, *.example.com:443/tcp for /usr/bin/curl (why)",
                "deny 10.0.0.0/8:80, [fd00::1]:80",
                "deny ads.test"
            ]
        );
        assert!(imported.left_out.is_empty());
    }

    #[test]
    fn what_would_be_wider_is_left_out() {
        for rule in [
            r#"{"action":"allow","process":"any","via":"/x","remote":"any"}"#,
            r#"{"action":"allow","process":"any"}"#,
            r#"{"action":"allow","remote":"any"}"#,
            r#"{"action":"allow","process":"com.example","remote":"any"}"#,
            r#"{"action":"allow","process":"any","remote":"local-net"}"#,
            r#"{"action":"allow","process":"any","remote":"any","priority":"high"}"#,
            r#"{"action":"allow","process":"any","remote-hosts":["a.test","@any"]}"#,
            r#"{"action":"allow","process":"any","remote":"any","protocol":"6"}"#,
        ] {
            let imported = read(&format!(r#"{{"rules":[{rule}]}}"#)).unwrap();
            assert!(imported.rules.is_empty(), "{rule}");
            assert_eq!(imported.left_out.len(), 1, "{rule}");
            assert!(!imported.lost_a_denial, "{rule}");
        }
        let lost = read(r#"{"denied-remote-hosts":["*bad*"]}"#).unwrap();
        assert!(lost.lost_a_denial);
    }
}
