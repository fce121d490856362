//! harden-runner's `allowed-endpoints`: `host:port` words, blanks or lines between them. It sees
//! TCP only, and refuses the rest.

use super::{Imported, destinations};
use hallpass_policy::{Action, Rule};

pub(super) fn read(text: &str) -> Imported {
    let mut imported = Imported {
        default: Some(Action::Deny),
        ..Imported::default()
    };
    let mut to = Vec::new();
    let lines = text.lines().map(str::trim);
    for word in lines
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
    {
        // Copied with its key from the workflow.
        if matches!(word, "allowed-endpoints:" | ">" | "|" | ">-" | "|-") {
            continue;
        }
        let has_port = word
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if !has_port {
            imported.leave_out(word, "it is no host:port", false);
            continue;
        }
        match destinations(word, &["tcp"]) {
            Ok(destinations) => to.extend(destinations),
            Err(why) => imported.leave_out(word, &why, false),
        }
    }
    if !to.is_empty() {
        imported.rules.push(Rule::new(Action::Allow, to));
    }
    imported
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn endpoints_are_tcp_and_the_rest_is_refused() {
        let imported =
            read("allowed-endpoints: >\n  a.test:443\n  *.b.test:443 c.test\n10.0.0.7:80\n");
        assert_eq!(
            imported.rules[0].to_string(),
            "allow a.test:443/tcp, *.b.test:443/tcp, 10.0.0.7:80/tcp"
        );
        assert_eq!(imported.default.unwrap().as_str(), "deny");
        assert_eq!(imported.left_out, ["left out: c.test: it is no host:port"]);
        assert!(!imported.lost_a_denial);
    }
}
