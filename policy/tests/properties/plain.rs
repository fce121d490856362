//! What docs/policy.md says, word for word and without an index.

use crate::generated::{NOW, env};
use hallpass_policy::{Action, AppPattern, Destination, Layer, Query, Rule, Specificity};

type Strength = (Specificity, u8, u8);

fn app_rank(app: Option<&AppPattern>) -> u8 {
    match app {
        Some(AppPattern::Script(_)) => 6,
        Some(AppPattern::Path(_)) => 5,
        Some(AppPattern::Package(_)) => 4,
        Some(AppPattern::Parent(_)) => 3,
        Some(AppPattern::Name(_)) => 2,
        Some(AppPattern::User(_)) => 1,
        None => 0,
    }
}

fn action_rank(action: Action) -> u8 {
    match action {
        Action::Allow => 0,
        Action::Ask => 1,
        Action::Deny => 2,
    }
}

fn best<'a>(rules: &'a [Rule], query: &Query<'_>) -> Option<(Strength, &'a Rule, &'a Destination)> {
    let now: jiff::Timestamp = NOW.parse().unwrap();
    rules
        .iter()
        .filter(|rule| rule.until.is_none_or(|until| now < until))
        .filter(|rule| {
            rule.app
                .as_ref()
                .is_none_or(|app| app.matches(query.subject))
        })
        .flat_map(|rule| rule.to.iter().map(move |to| (rule, to)))
        .filter(|(rule, to)| to.matches_for(rule.action, query, &env()))
        .map(|(rule, to)| {
            (
                (
                    to.specificity(),
                    app_rank(rule.app.as_ref()),
                    action_rank(rule.action),
                ),
                rule,
                to,
            )
        })
        .max_by_key(|(strength, ..)| *strength)
}

/// The action, and the layer whose rule decided.
pub(crate) fn decide(
    layers: &[Vec<Rule>; 4],
    default: Action,
    query: &Query<'_>,
) -> (Action, Option<Layer>) {
    let group = |text: &str| text.parse::<Destination>().unwrap().matches(query, &env());
    let (is_dns, is_desktop) = (group("@dns"), group("@desktop"));
    let first = Layer::ALL
        .iter()
        .zip(layers)
        .find_map(|(layer, rules)| Some((*layer, best(rules, query)?)));
    let Some((layer, (strength, rule, to))) = first else {
        let standing = is_dns || is_desktop;
        return (if standing { Action::Allow } else { default }, None);
    };
    if rule.action != Action::Ask {
        return (rule.action, Some(layer));
    }
    if layer != Layer::Saved
        && let Some((saved, saved_rule, _)) = best(&layers[3], query)
        && saved_rule.action != Action::Ask
        && (saved.0, saved.1) >= (strength.0, strength.1)
    {
        return (saved_rule.action, Some(Layer::Saved));
    }
    let wide = [
        "@loopback",
        "@multicast",
        "@lan",
        "@local",
        "@internet",
        "@any",
    ];
    if is_dns && wide.iter().any(|group| to.to_string().starts_with(group)) {
        return (Action::Allow, None);
    }
    (Action::Ask, Some(layer))
}
