//! Which rules a run begins with: flags, policy files, saved rules, and the default.

use super::args::{self, PolicyArgs};
use super::problem::in_one_line;
use super::saved::SavedFile;
use hallpass_policy::{
    Action, Destination, FILE_MAX, LIST_MAX, Layer, Policy, Rule, RuleFile, parse_list,
};
use hallpass_session::core::SavedRules;
use hallpass_session::escape::escape;
use hallpass_session::paths;
use hallpass_session::problem::{Problem, show_path};
use hallpass_session::rules_file;
use std::path::{Path, PathBuf};

/// Characters of a flag's value that an error repeats.
const REPEATED: usize = 100;

/// The policy of a run.
pub(crate) struct Assembled {
    /// Rules and default.
    pub(crate) policy: Policy,
    /// Where answers for good go; none for a hermetic run.
    pub(crate) saved: Option<Box<dyn SavedRules>>,
}

/// Reads everything that a run's rules come from; the error is for a person.
pub(crate) fn assemble(args: &PolicyArgs) -> Result<Assembled, String> {
    build(args, uses_saved_rules(args), Action::Ask)
}

/// The rules of a run inside a session: the saved ones are the session's, unless they are asked
/// for, and where nothing names a default the session's own holds.
pub(super) fn of_nested(args: &PolicyArgs) -> Result<Policy, String> {
    build(args, args.user_rules, Action::Allow).map(|assembled| assembled.policy)
}

fn build(args: &PolicyArgs, with_saved: bool, otherwise: Action) -> Result<Assembled, String> {
    let mut policy = Policy::new();
    policy.set_layer(Layer::Flag, flags(args)?);
    let files = args
        .policy
        .iter()
        .map(|path| policy_file(path))
        .collect::<Result<Vec<RuleFile>, String>>()?;
    let lists = args
        .allow_list
        .iter()
        .map(|path| allow_list(path))
        .collect::<Result<Vec<Rule>, String>>()?;
    let saved = if with_saved {
        Some(saved_rules()?)
    } else {
        None
    };
    let default = args
        .default
        .map(action)
        .or_else(|| files.iter().find_map(|file| file.default))
        .or_else(|| saved.as_ref().and_then(|(_, file)| file.default))
        .unwrap_or(otherwise);
    policy.set_default(default);
    policy.set_layer(
        Layer::Policy,
        files
            .into_iter()
            .flat_map(|file| file.rules)
            .chain(lists)
            .collect(),
    );
    let saved = saved.map(|(path, file)| {
        policy.set_layer(Layer::Saved, file.rules);
        Box::new(SavedFile::new(path)) as Box<dyn SavedRules>
    });
    Ok(Assembled { policy, saved })
}

/// What was given for this run alone must not hang on what some other run has saved.
fn uses_saved_rules(args: &PolicyArgs) -> bool {
    let is_hermetic = !args.policy.is_empty()
        || !args.allow_list.is_empty()
        || args.default == Some(args::Default::Deny);
    args.user_rules || !is_hermetic
}

fn action(default: args::Default) -> Action {
    match default {
        args::Default::Ask => Action::Ask,
        args::Default::Allow => Action::Allow,
        args::Default::Deny => Action::Deny,
    }
}

fn flags(args: &PolicyArgs) -> Result<Vec<Rule>, String> {
    let mut rules = Vec::new();
    for (flag, action, values) in [
        ("--allow", Action::Allow, &args.allow),
        ("--deny", Action::Deny, &args.deny),
        ("--ask", Action::Ask, &args.ask),
    ] {
        for value in values {
            let to: Destination = value
                .parse()
                .map_err(|error| format!("{flag} \"{}\": {error}", escape(value, REPEATED)))?;
            rules.push(Rule::new(action, vec![to]));
        }
    }
    Ok(rules)
}

fn policy_file(path: &Path) -> Result<RuleFile, String> {
    let flagged = |problem: Problem| format!("--policy {}", in_one_line(&problem));
    let bytes = rules_file::read_bounded(path, FILE_MAX)
        .map_err(flagged)?
        .ok_or_else(|| {
            flagged(Problem::at(
                path,
                "there is no such file",
                "name a rule file (docs/policy.md)",
            ))
        })?;
    RuleFile::parse(&bytes, &show_path(path)).map_err(|error| format!("--policy {error}"))
}

/// A list of what is allowed, as one rule.
fn allow_list(path: &Path) -> Result<Rule, String> {
    let flagged = |problem: Problem| format!("--allow-list {}", in_one_line(&problem));
    let bytes = rules_file::read_bounded(path, LIST_MAX)
        .map_err(flagged)?
        .ok_or_else(|| {
            flagged(Problem::at(
                path,
                "there is no such file",
                "name a file with a destination in each line",
            ))
        })?;
    let to =
        parse_list(&bytes, &show_path(path)).map_err(|error| format!("--allow-list {error}"))?;
    Ok(Rule::new(Action::Allow, to))
}

fn saved_rules() -> Result<(PathBuf, RuleFile), String> {
    let read = || {
        let path = paths::rules_file(&paths::environment)?;
        let file = rules_file::load(&path)?;
        Ok((path, file))
    };
    read().map_err(|problem: Problem| {
        format!("the saved rules cannot be used: {}", in_one_line(&problem))
    })
}

#[cfg(test)]
mod tests {
    use super::{assemble, flags, uses_saved_rules};
    use crate::run::args::{PolicyArgs, RunArgs};
    use hallpass_policy::{Action, Layer};

    fn args(line: &[&str]) -> PolicyArgs {
        RunArgs::of_flags(line).flags.rules
    }

    #[test]
    fn a_bad_destination_names_its_flag_and_what_to_write() {
        let error = flags(&args(&["--allow", "127.1"])).unwrap_err();
        assert!(error.starts_with("--allow \"127.1\": "), "{error}");
        assert!(error.contains("127.0.0.1"), "{error}");
    }

    #[test]
    fn control_bytes_in_a_flag_are_not_repeated() {
        let error = flags(&args(&["--deny", "a\u{1b}[2Jb"])).unwrap_err();
        assert!(!error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn hermetic_runs_leave_saved_rules_out() {
        assert!(uses_saved_rules(&args(&[])));
        assert!(uses_saved_rules(&args(&["--default", "allow"])));
        assert!(!uses_saved_rules(&args(&["--default", "deny"])));
        assert!(!uses_saved_rules(&args(&["--policy", "f"])));
        assert!(uses_saved_rules(&args(&["--policy", "f", "--user-rules"])));
    }

    #[test]
    fn a_list_is_one_rule_of_the_policy_layer_and_an_empty_one_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list");
        std::fs::write(&path, "# hosts\n0.0.0.0 a.test\n||b.test^\n10.0.0.0/8:80\n").unwrap();
        let list = path.to_str().unwrap();
        let assembled = assemble(&args(&["--allow-list", list])).unwrap();
        assert!(assembled.saved.is_none());
        let rules = assembled.policy.rules(Layer::Policy);
        assert_eq!((rules.len(), rules[0].to.len()), (1, 4));
        for (text, part) in [("", "empty"), ("a.test\n127.1\n", "list:2:1: ")] {
            std::fs::write(&path, text).unwrap();
            let error = assemble(&args(&["--allow-list", list]))
                .map(drop)
                .unwrap_err();
            assert!(error.starts_with("--allow-list "), "{error}");
            assert!(error.contains(part), "{error}");
        }
        let error = assemble(&args(&["--allow-list", "/nonexistent/l"]))
            .map(drop)
            .unwrap_err();
        assert!(error.contains("/nonexistent/l"), "{error}");
    }

    #[test]
    fn a_missing_policy_file_is_an_error() {
        let error = assemble(&args(&["--policy", "/nonexistent/p.json"]))
            .map(drop)
            .unwrap_err();
        assert!(error.contains("/nonexistent/p.json"), "{error}");
    }

    #[test]
    fn the_first_file_with_a_default_gives_it_and_the_flag_beats_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let rule = r#"[{"do":"deny","to":["@lan"]}]"#;
        let none = file("none", &format!(r#"{{"version":1,"rules":{rule}}}"#));
        let deny = file("deny", r#"{"version":1,"default":"deny","rules":[]}"#);
        let allow = file("allow", r#"{"version":1,"default":"allow","rules":[]}"#);
        let three = ["--policy", &none, "--policy", &deny, "--policy", &allow];
        let assembled = assemble(&args(&three)).unwrap();
        assert_eq!(assembled.policy.default_action(), Action::Deny);
        assert_eq!(assembled.policy.rules(Layer::Policy).len(), 1);
        assert!(assembled.saved.is_none());
        let asked = [&three[..], &["--default", "ask"]].concat();
        let assembled = assemble(&args(&asked)).unwrap();
        assert_eq!(assembled.policy.default_action(), Action::Ask);
    }
}
