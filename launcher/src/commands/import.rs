//! `hallpass import`: rules of other programs, as a rule file.
//!
//! Nothing it writes allows more than what it was given: a rule that cannot be said exactly is
//! left out and named, and where that is a denial, what would be allowed is asked about instead.

mod deno;
mod harden_runner;
mod lsrules;
mod opensnitch;

use super::failure::{Failure, Outcome};
use super::output::Output;
use crate::say::say;
use hallpass_policy::{Action, Destination, FILE_MAX, Rule, RuleFile, without_place};
use hallpass_session::escape::escape;
use hallpass_session::problem::{Problem, show_path};
use hallpass_session::{render, rules_file};
use std::cmp::Ordering;
use std::path::PathBuf;

/// Characters of a foreign rule that are repeated.
const REPEATED: usize = 200;

/// Turn rules of another program into a rule file, on stdout. What could not be said is named on
/// stderr; nothing is allowed that was not.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// What the file is.
    #[arg(value_enum, value_name = "FORMAT")]
    format: Format,

    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A rule of OpenSnitch (JSON).
    Opensnitch,
    /// Rules of Little Snitch (.lsrules).
    Lsrules,
    /// The allowed-endpoints of harden-runner, as text.
    HardenRunner,
    /// Flags of Deno: --allow-net=…, --deny-net=….
    Deno,
}

/// What a foreign file came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Imported {
    default: Option<Action>,
    rules: Vec<Rule>,
    /// What could not be said, a line each.
    left_out: Vec<String>,
    /// One of these was a denial.
    lost_a_denial: bool,
}

impl Imported {
    /// Notes a rule that cannot be said.
    fn leave_out(&mut self, what: &str, why: &str, denies: bool) {
        self.left_out
            .push(format!("left out: {}: {why}", escape(what, REPEATED)));
        self.lost_a_denial |= denies;
    }

    /// The rule file, in which nothing is allowed that the other program would refuse.
    fn file(mut self) -> (RuleFile, Vec<String>) {
        let is_denial = |rule: &&Rule| rule.action == Action::Deny;
        let denials: Vec<Rule> = self.rules.iter().filter(is_denial).cloned().collect();
        let mut asked = 0_u64;
        for rule in &mut self.rules {
            let is_safe = !self.lost_a_denial && !denials.iter().any(|deny| may_lose(deny, rule));
            if rule.action == Action::Allow && !is_safe {
                rule.action = Action::Ask;
                asked += 1;
            }
        }
        if asked > 0 {
            let (rules, why) = (
                render::count(asked, "rule", "rules"),
                if self.lost_a_denial {
                    "a denial was left out"
                } else {
                    "a denial that wins there would not win here"
                },
            );
            self.left_out
                .push(format!("{rules} made to ask instead of allow: {why}"));
        }
        let file = RuleFile {
            default: self.default,
            rules: self.rules,
            ..RuleFile::default()
        };
        (file, self.left_out)
    }
}

/// Whether a denial, which wins over what is allowed in the other program, might not do so here,
/// where the more specific rule wins.
fn may_lose(deny: &Rule, allow: &Rule) -> bool {
    let pairs = allow
        .to
        .iter()
        .flat_map(|to| deny.to.iter().map(move |denied| (denied, to)));
    let mut overlapping = pairs.filter(|(denied, to)| may_overlap(denied, to));
    overlapping.any(
        |(denied, to)| match denied.specificity().cmp(&to.specificity()) {
            Ordering::Less => true,
            Ordering::Equal => allow.app.is_some() && deny.app != allow.app,
            Ordering::Greater => false,
        },
    )
}

/// Whether one connection might be to both, by their names. Names and addresses might always be.
fn may_overlap(one: &Destination, other: &Destination) -> bool {
    if let Some(name) = one.name() {
        return other.could_match_name(name);
    }
    if let Some(name) = other.name() {
        return one.could_match_name(name);
    }
    match (one.zone(), other.zone()) {
        (Some(zone), Some(same)) if zone == same => true,
        (Some(zone), Some(below)) => one.could_match_name(below) || other.could_match_name(zone),
        _ => true,
    }
}

/// Runs the command.
pub(crate) fn run(args: &ImportArgs) -> Outcome {
    let path = &args.file;
    let wrong = |what: &str| Problem::at(path, what, "name a file of this format");
    let bytes = rules_file::read_bounded(path, FILE_MAX)?
        .ok_or_else(|| Problem::at(path, "there is no such file", "check the name"))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text"))?;
    if text.trim().is_empty() {
        return Err(wrong("is empty").into());
    }
    let imported = match args.format {
        Format::Opensnitch => opensnitch::read(&text),
        Format::Lsrules => lsrules::read(&text),
        Format::HardenRunner => Ok(harden_runner::read(&text)),
        Format::Deno => Ok(deno::read(&text)),
    };
    let imported = imported.map_err(|error| Problem {
        place: format!("{}:{}:{}", show_path(path), error.line(), error.column()),
        what: escape(without_place(&error.to_string()), REPEATED),
        instead: "name a file of this format".to_owned(),
    })?;
    let (file, left_out) = imported.file();
    for line in left_out {
        say(&line);
    }
    if file.rules.is_empty() {
        return Err(wrong("holds no rule that hallpass can say").into());
    }
    let text = file.to_json_pretty().map_err(std::io::Error::other)?;
    let mut output = Output::new();
    output.line(text.trim_end())?;
    output.finish().map_err(Failure::from)
}

/// A destination for each of these protocols.
fn destinations(host: &str, protocols: &[&str]) -> Result<Vec<Destination>, String> {
    let one = |protocol: &&str| {
        let parsed: Result<Destination, hallpass_policy::DestinationError> =
            format!("{host}/{protocol}").parse();
        parsed.map_err(|error| error.to_string())
    };
    protocols.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(action: Action, to: &str, app: Option<&str>) -> Rule {
        Rule {
            app: app.map(|app| app.parse().unwrap()),
            ..Rule::new(action, vec![to.parse().unwrap()])
        }
    }

    fn actions(imported: Imported) -> Vec<Action> {
        let (file, _) = imported.file();
        file.rules.iter().map(|rule| rule.action).collect()
    }

    #[test]
    fn a_lost_denial_makes_allowing_asking() {
        let mut imported = Imported {
            rules: vec![rule(Action::Allow, "*.example.com", None)],
            ..Imported::default()
        };
        imported.leave_out("deny ^bad", "a pattern", true);
        let (file, said) = imported.file();
        assert_eq!(file.rules[0].action, Action::Ask);
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn a_denial_that_would_not_win_here_makes_allowing_asking() {
        let curl = Some("/usr/bin/curl");
        for (deny, deny_app, allow, allow_app, becomes) in [
            ("*.b.test", None, "good.b.test", None, Action::Ask),
            ("*.b.test", None, "good.a.test", None, Action::Allow),
            ("bad.b.test", None, "*.b.test", None, Action::Allow),
            ("bad.a.test", None, "*.b.test:443", curl, Action::Allow),
            ("*.a.test", None, "*.b.test:443", curl, Action::Allow),
            ("*.b.test", None, "*.b.test:443", None, Action::Ask),
            ("*.b.test", None, "*.a.b.test", None, Action::Ask),
            ("*.a.b.test", None, "*.b.test:443", None, Action::Allow),
            ("a.test", None, "a.test", None, Action::Allow),
            ("a.test", None, "a.test", curl, Action::Ask),
            ("10.0.0.0/8", curl, "a.test", None, Action::Ask),
            ("10.0.0.7", curl, "a.test", None, Action::Allow),
        ] {
            let imported = Imported {
                rules: vec![
                    rule(Action::Allow, allow, allow_app),
                    rule(Action::Deny, deny, deny_app),
                ],
                ..Imported::default()
            };
            assert_eq!(actions(imported)[0], becomes, "{deny} {allow}");
        }
    }
}
