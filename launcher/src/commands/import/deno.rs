//! Deno's `--allow-net` and `--deny-net`: TCP and UDP to names, `*.names` and addresses, with or
//! without a port. Without `--allow-net` nothing is allowed.

use super::{Imported, destinations};
use hallpass_policy::{Action, Rule};

const PROTOCOLS: [&str; 2] = ["tcp", "udp"];

pub(super) fn read(text: &str) -> Imported {
    let mut imported = Imported {
        default: Some(Action::Deny),
        ..Imported::default()
    };
    for word in text.split_whitespace() {
        let (flag, hosts) = match word.split_once('=') {
            Some((flag, hosts)) => (flag, Some(hosts.trim_matches(['"', '\'']))),
            None => (word, None),
        };
        let action = match flag {
            "--allow-net" | "-N" => Action::Allow,
            "--deny-net" => Action::Deny,
            _ => {
                imported.leave_out(word, "it is neither --allow-net nor --deny-net", false);
                continue;
            }
        };
        let mut to = Vec::new();
        for host in hosts.unwrap_or("@any").split(',') {
            match destinations(host, &PROTOCOLS) {
                Ok(destinations) if host == "@any" || !host.starts_with('@') => {
                    to.extend(destinations);
                }
                Ok(_) => imported.leave_out(host, "it is no host", action == Action::Deny),
                Err(why) => imported.leave_out(host, &why, action == Action::Deny),
            }
        }
        if !to.is_empty() {
            imported.rules.push(Rule::new(action, to));
        }
    }
    imported
}

#[cfg(test)]
mod tests {
    use super::read;

    fn rules(text: &str) -> Vec<String> {
        read(text).rules.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn hosts_of_both_flags() {
        assert_eq!(
            rules("--allow-net=a.test,*.b.test:443 --deny-net=[::1]:80"),
            [
                "allow a.test/tcp, a.test/udp, *.b.test:443/tcp, *.b.test:443/udp",
                "deny [::1]:80/tcp, [::1]:80/udp"
            ]
        );
        assert_eq!(rules("-N"), ["allow @any/tcp, @any/udp"]);
    }

    #[test]
    fn what_cannot_be_said_is_named_and_a_lost_denial_counts() {
        let imported = read("--allow-net=2130706433,a.test --deny-net=b..test --allow-read");
        assert_eq!(imported.rules.len(), 1);
        assert_eq!(imported.left_out.len(), 3);
        assert!(imported.lost_a_denial);
    }
}
