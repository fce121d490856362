//! `hallpass rules remove`.

use super::super::failure::{Failure, Outcome};
use super::{file, in_force};
use hallpass_policy::{Action, AppPattern, Destination, Rule, RuleFile};
use hallpass_session::escape::escape;
use hallpass_session::problem::Problem;
use hallpass_session::rules_file;

/// Remove saved rules.
#[derive(Debug, clap::Args)]
pub(super) struct RemoveArgs {
    /// Which: numbers as `hallpass rules list` shows them, or destinations exactly as rules have
    /// them; after `allow`, `deny` or `ask` only rules that say so.
    #[arg(value_name = "NUMBER|[allow|deny|ask] DEST", required = true)]
    rules: Vec<String>,

    /// Only rules for this program, written as the rule has it.
    #[arg(long, value_name = "APP")]
    app: Option<AppPattern>,
}

/// What a person means.
#[derive(Debug)]
struct Wanted {
    rules: Vec<Which>,
    action: Option<Action>,
    app: Option<AppPattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    Number(usize),
    To(Destination),
}

/// Makes sense of the words.
fn wanted(words: &[String], app: Option<AppPattern>) -> Result<Wanted, Problem> {
    let action = match words.first().map(String::as_str) {
        Some("allow") => Some(Action::Allow),
        Some("deny") => Some(Action::Deny),
        Some("ask") => Some(Action::Ask),
        _ => None,
    };
    let rest = words
        .get(usize::from(action.is_some())..)
        .unwrap_or_default();
    let rules: Vec<Which> = rest
        .iter()
        .map(|word| {
            which(word).map_err(|what| Problem {
                place: escape(word, 100),
                what,
                instead: String::new(),
            })
        })
        .collect::<Result<_, _>>()?;
    if rules.is_empty() {
        return Err(Problem {
            place: words.join(" "),
            what: "names no rule".to_owned(),
            instead: "write its destination after it, or a number of `hallpass rules list`"
                .to_owned(),
        });
    }
    Ok(Wanted { rules, action, app })
}

fn which(text: &str) -> Result<Which, String> {
    // No destination is digits only: 2130706433 is an error there.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse().ok().filter(|number| *number > 0);
        return number.map(Which::Number).ok_or_else(|| {
            format!(
                "`{}` is no rule's number; see `hallpass rules list`",
                escape(text, 40)
            )
        });
    }
    let to = text
        .parse()
        .map_err(|error: hallpass_policy::DestinationError| error.to_string())?;
    Ok(Which::To(to))
}

pub(super) fn run(args: &RemoveArgs) -> Outcome {
    let path = file()?;
    let wanted = wanted(&args.rules, args.app.clone())?;
    let removed = rules_file::update(&path, |file| remove(file, &wanted))?;
    in_force(&removed.map_err(Failure::Problem)?)
}

/// Removes all that are meant, or nothing; gives a line for each rule removed or shortened.
fn remove(file: &mut RuleFile, wanted: &Wanted) -> Result<Vec<String>, Problem> {
    let mut after: Vec<_> = file.rules.iter().cloned().map(Some).collect();
    let mut lines = Vec::new();
    for which in &wanted.rules {
        let at = position(file, which, wanted)?;
        let (Some(rule), Some(slot)) = (file.rules.get(at), after.get_mut(at)) else {
            continue;
        };
        let number = at + 1;
        match (which, slot.as_mut()) {
            // Of a rule with several destinations only the one that was named goes.
            (Which::To(to), Some(left)) if left.to.len() > 1 => {
                left.to.retain(|other| other != to);
                lines.push(format!("rule {number} no longer has {to}: {left}"));
            }
            (_, Some(_)) => {
                *slot = None;
                lines.push(format!("removed rule {number}: {rule}"));
            }
            (_, None) => {}
        }
    }
    file.rules = after.into_iter().flatten().collect();
    Ok(lines)
}

impl Wanted {
    fn fits(&self, rule: &Rule) -> bool {
        self.action.is_none_or(|action| rule.action == action)
            && (self.app.is_none() || rule.app == self.app)
    }
}

/// Where in the file the rule is that is meant; never a guess.
fn position(file: &RuleFile, which: &Which, wanted: &Wanted) -> Result<usize, Problem> {
    let problem = |place: String, what: &str| Problem {
        place,
        what: what.to_owned(),
        instead: "see `hallpass rules list` for their numbers".to_owned(),
    };
    match which {
        Which::Number(number) if *number <= file.rules.len() => Ok(number - 1),
        Which::Number(number) => Err(problem(format!("rule {number}"), "there is no such rule")),
        Which::To(to) => {
            let mut found = file
                .rules
                .iter()
                .enumerate()
                .filter(|(_, rule)| rule.to.contains(to) && wanted.fits(rule));
            match (found.next(), found.count()) {
                (Some((at, _)), 0) => Ok(at),
                (None, _) => Err(problem(to.to_string(), "no rule has this destination")),
                (Some(_), more) => Err(problem(
                    to.to_string(),
                    &format!(
                        "{} rules have this destination; name one by its number",
                        more + 1
                    ),
                )),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> RuleFile {
        let json = r#"{"version":1,"rules":[
            {"do":"allow","to":["a.test","b.test"]},
            {"do":"deny","to":["c.test"]},
            {"do":"allow","to":["d.test"]},
            {"do":"allow","to":["d.test"],"app":"curl"}]}"#;
        RuleFile::parse(json.as_bytes(), "f").unwrap()
    }

    fn after(words: &[&str]) -> Result<(String, Vec<String>), String> {
        let mut file = rules();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let app = words.iter().find_map(|word| word.strip_prefix("--app="));
        let app = app.map(|app| app.parse().unwrap());
        let words: Vec<String> = words
            .iter()
            .filter(|word| !word.starts_with("--"))
            .cloned()
            .collect();
        let wanted = wanted(&words, app).map_err(|problem| problem.to_string())?;
        let result = remove(&mut file, &wanted).map_err(|problem| problem.to_string());
        if result.is_err() {
            assert_eq!(file, rules(), "a refused removal removes nothing");
        }
        let left = file.rules.iter().map(ToString::to_string).collect();
        result.map(|lines| (lines.join("\n"), left))
    }

    #[test]
    fn numbers_mean_what_the_list_showed() {
        let (lines, left) = after(&["2", "1"]).unwrap();
        assert_eq!(
            lines,
            "removed rule 2: deny c.test\nremoved rule 1: allow a.test, b.test"
        );
        assert_eq!(left, ["allow d.test", "allow d.test for curl"]);
        assert_eq!(after(&["3", "3"]).unwrap().1.len(), 3);
    }

    #[test]
    fn a_destination_goes_and_leaves_the_others_of_its_rule() {
        let (lines, left) = after(&["a.test"]).unwrap();
        assert_eq!(lines, "rule 1 no longer has a.test: allow b.test");
        assert_eq!(left.len(), 4);
        assert_eq!(after(&["a.test", "b.test"]).unwrap().1.len(), 3);
        assert_eq!(
            after(&["C.test."]).unwrap().0,
            "removed rule 2: deny c.test"
        );
    }

    #[test]
    fn the_action_and_the_program_tell_rules_apart() {
        assert_eq!(after(&["deny", "c.test"]).unwrap().1.len(), 3);
        assert_eq!(
            after(&["d.test", "--app=curl"]).unwrap().0,
            "removed rule 4: allow d.test for curl"
        );
        let error = after(&["allow", "c.test"]).unwrap_err();
        assert!(error.contains("no rule"), "{error}");
        let error = after(&["allow"]).unwrap_err();
        assert!(error.contains("names no rule"), "{error}");
    }

    #[test]
    fn what_is_unclear_is_refused() {
        for (word, part) in [
            ("d.test", "2 rules have this destination"),
            ("x.test", "no rule has"),
            ("5", "no such rule"),
            ("0", "no rule's number"),
            ("99999999999999999999", "no rule's number"),
            ("127.1", "127.0.0.1"),
        ] {
            let error = after(&["1", word]).unwrap_err();
            assert!(error.contains(part), "{word}: {error}");
        }
    }
}
