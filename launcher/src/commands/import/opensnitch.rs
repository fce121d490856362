//! A rule of OpenSnitch: JSON with an operator, or a list of operators that must all hold.

use super::Imported;
use hallpass_policy::{Action, AppPattern, Destination, Rule};
use serde_json::Value;

pub(super) fn read(text: &str) -> serde_json::Result<Imported> {
    let value: Value = serde_json::from_str(text)?;
    let mut imported = Imported::default();
    let rules = match &value {
        Value::Array(rules) => rules.as_slice(),
        rule => std::slice::from_ref(rule),
    };
    for rule in rules {
        let field = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default();
        if rule.get("enabled") == Some(&Value::Bool(false)) {
            continue;
        }
        let denies = field("action") != "allow";
        match one(rule) {
            Ok(mut made) => {
                let name = field("name");
                made.note = (!name.is_empty() && name.len() < 500).then(|| name.to_owned());
                imported.rules.push(made);
            }
            Err(why) => imported.leave_out(field("name"), &why, denies),
        }
    }
    Ok(imported)
}

#[derive(Default)]
struct Parts {
    app: Option<String>,
    host: Option<String>,
    port: Option<String>,
    protocol: Option<String>,
}

fn one(rule: &Value) -> Result<Rule, String> {
    let text = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default();
    let action = match text("action") {
        "allow" => Action::Allow,
        "deny" | "reject" => Action::Deny,
        other => return Err(format!("{other:?} is no action that is known")),
    };
    if !matches!(text("duration"), "always" | "") {
        return Err("it does not hold always".to_owned());
    }
    let mut parts = Parts::default();
    let operator = rule.get("operator").ok_or("it has no operator")?;
    add(operator, &mut parts)?;
    let host = parts.host.unwrap_or_else(|| "@any".to_owned());
    let bare = match (&parts.port, host.contains(':')) {
        (Some(port), true) => format!("[{host}]:{port}"),
        (Some(port), false) => format!("{host}:{port}"),
        (None, _) => host,
    };
    let whole = match &parts.protocol {
        Some(protocol) => format!("{bare}/{protocol}"),
        None => bare,
    };
    let to: Destination = whole
        .parse()
        .map_err(|error: hallpass_policy::DestinationError| error.to_string())?;
    let mut made = Rule::new(action, vec![to]);
    if let Some(app) = parts.app {
        let app: AppPattern = app
            .parse()
            .map_err(|error: hallpass_policy::AppError| error.to_string())?;
        made.app = Some(app);
    }
    Ok(made)
}

fn add(operator: &Value, parts: &mut Parts) -> Result<(), String> {
    let text = |name: &str| {
        operator
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (kind, operand, data) = (text("type"), text("operand"), text("data"));
    if kind == "list" && operand == "list" {
        let all = operator.get("list").and_then(Value::as_array);
        let all = all.ok_or("its list is none")?;
        if all.is_empty() {
            return Err("its list is empty".to_owned());
        }
        return all.iter().try_for_each(|operator| add(operator, parts));
    }
    let slot = match (kind, operand) {
        ("simple", "true") => return Ok(()),
        ("simple", "process.path") if data.starts_with('/') => &mut parts.app,
        ("simple", "dest.host" | "dest.ip") | ("network", "dest.network") => &mut parts.host,
        ("simple", "dest.port") => &mut parts.port,
        ("simple", "protocol") => &mut parts.protocol,
        _ => return Err(format!("no rule can say {kind} {operand}")),
    };
    let value = match operand {
        // OpenSnitch tells IPv6 apart; destinations do it by their address.
        "protocol" => match data.to_lowercase().as_str() {
            protocol @ ("tcp" | "udp") => protocol.to_owned(),
            _ => return Err(format!("no rule can say protocol {data:?}")),
        },
        _ if data.is_empty() || data.starts_with(['@', '*']) => {
            return Err(format!("{operand} is {data:?}"));
        }
        _ => data.to_owned(),
    };
    if slot.replace(value).is_some() {
        return Err(format!("{operand} is there twice"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn operators_that_must_all_hold_are_one_rule() {
        let imported = read(
            r#"{"name":"curl","enabled":true,"action":"allow","duration":"always","operator":
            {"type":"list","operand":"list","list":[
              {"type":"simple","operand":"process.path","data":"/usr/bin/curl"},
              {"type":"simple","operand":"dest.host","data":"example.com"},
              {"type":"simple","operand":"dest.port","data":"443"},
              {"type":"simple","operand":"protocol","data":"TCP"}]}}"#,
        )
        .unwrap();
        assert_eq!(
            imported.rules[0].to_string(),
            "allow example.com:443/tcp for /usr/bin/curl (curl)"
        );
    }

    #[test]
    fn what_would_be_wider_is_left_out() {
        for (operator, duration) in [
            (
                r#"{"type":"regexp","operand":"dest.host","data":".*"}"#,
                "always",
            ),
            (
                r#"{"type":"simple","operand":"user.id","data":"1000"}"#,
                "always",
            ),
            (r#"{"type":"list","operand":"list","list":[]}"#, "always"),
            (
                r#"{"type":"simple","operand":"dest.host","data":"@any"}"#,
                "always",
            ),
            (
                r#"{"type":"simple","operand":"dest.host","data":"a.test"}"#,
                "until restart",
            ),
            (
                r#"{"type":"list","operand":"list","list":[{"type":"simple","operand":"dest.host","data":"a.test"},{"type":"regexp","operand":"process.path","data":"x"}]}"#,
                "always",
            ),
        ] {
            for (action, is_denial) in [("allow", false), ("reject", true)] {
                let text = format!(
                    r#"[{{"name":"n","action":"{action}","duration":"{duration}","operator":{operator}}}]"#
                );
                let imported = read(&text).unwrap();
                assert!(imported.rules.is_empty(), "{text}");
                assert_eq!(imported.lost_a_denial, is_denial, "{text}");
            }
        }
        assert!(read("{").is_err());
    }
}
