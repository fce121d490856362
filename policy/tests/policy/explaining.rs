//! How it is explained.

use super::{Flow, NOW, env, example, npm, policy, rules};
use hallpass_policy::{Layer, Policy, Protocol};

#[test]
fn explain_names_the_winner_and_why_the_others_lost() {
    let mut policy = policy(&[
        (
            Layer::Flag,
            &["allow *.example.com:443", "deny @any", "deny *.example.com"],
        ),
        (Layer::Policy, &["deny 198.51.100.7"]),
    ]);
    policy.set_layer(
        Layer::Saved,
        rules(
            r#"{"do":"allow","to":["www.example.com:80"]},
               {"do":"allow","to":["www.example.com"],"app":"/usr/bin/wget"},
               {"do":"deny","to":["www.example.com"],"until":"2026-01-01T00:00:00Z"},
               {"do":"deny","to":["other.example"]}"#,
        ),
    );
    assert_eq!(
        example().explained(&policy),
        "\
allow: /usr/bin/curl to 198.51.100.7:443/tcp (www.example.com), internet
  because it is the most specific of the flag rules that match, and no earlier layer has one
  winner     flag: allow *.example.com:443
  runner-up  flag: deny *.example.com
             *.example.com:443 is narrower in ports and protocol
  runner-up  flag: deny @any
             *.example.com:443 is more specific
  runner-up  policy: deny 198.51.100.7
             flag rules decide before policy rules
  no match   saved: allow www.example.com:80
             it is for port 80, not 443
  no match   saved: allow www.example.com for /usr/bin/wget
             it is for /usr/bin/wget, not /usr/bin/curl
  no match   saved: deny www.example.com until 2026-01-01T00:00:00Z
             its time is over
"
    );
}

#[test]
fn explain_says_what_a_saved_answer_settled() {
    let both = policy(&[
        (Layer::Flag, &["ask @any", "ask @internet"]),
        (Layer::Saved, &["allow www.example.com", "deny @any"]),
    ]);
    assert_eq!(
        example().explained(&both),
        "\
allow: /usr/bin/curl to 198.51.100.7:443/tcp (www.example.com), internet
  because a saved rule at least as specific settles the question that `ask @internet` would ask
  winner     saved: allow www.example.com
  runner-up  flag: ask @internet
             it asks, and `allow www.example.com` has the answer
  runner-up  flag: ask @any
             a more specific rule of its layer asks
  runner-up  saved: deny @any
             www.example.com is more specific
"
    );
}

#[test]
fn explain_says_why_a_name_does_not_count() {
    let named = policy(&[(Layer::Flag, &["allow *.example.com"])]);
    let flow = Flow::new("192.168.1.9", 631, &["printer.example.com"]);
    assert_eq!(
        flow.explained(&named),
        "\
ask: /usr/bin/curl to 192.168.1.9:631/tcp (printer.example.com), lan
  because no rule matches, and the default is ask
  no match   flag: allow *.example.com
             the name printer.example.com does not count: it is no local name, yet its address is in a local network \
(DNS rebinding), so it opens nothing: only rules for the address allow
  note       the name printer.example.com does not count: it is no local name, yet its address is in a local network \
(DNS rebinding), so it opens nothing: only rules for the address allow
"
    );
}

#[test]
fn explain_says_how_to_name_a_script() {
    let mut policy = Policy::new();
    policy.set_layer(
        Layer::Saved,
        rules(r#"{"do":"allow","to":["@any"],"app":"/usr/bin/npm"}"#),
    );
    let said = Flow {
        subject: npm(),
        ..example()
    }
    .explained(&policy);
    assert!(
        said.contains("/usr/bin/npm is a script run by /usr/bin/node: write script:/usr/bin/npm"),
        "{said}"
    );
}

#[test]
fn explain_tells_of_standing_permissions() {
    let dns = || Flow {
        protocol: Protocol::Udp,
        ..Flow::new("192.168.1.1", 53, &[])
    };
    assert_eq!(
        dns().explained(&Policy::new()),
        "allow: /usr/bin/curl to 192.168.1.1:53/udp, lan\n  because @dns is allowed unless a rule says otherwise, and no rule matches\n"
    );
    assert_eq!(
        dns().explained(&policy(&[(Layer::Flag, &["ask @lan"])])),
        "\
allow: /usr/bin/curl to 192.168.1.1:53/udp, lan
  because @dns is allowed unless a rule denies it, and `ask @lan` would only ask
  runner-up  flag: ask @lan
             it would ask, and this is never a question
"
    );
}

#[test]
fn explain_is_bounded_and_is_json() {
    let many: Vec<String> = (1..=50)
        .map(|port| format!("deny @any:{port},443"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let explanation =
        policy(&[(Layer::Flag, &many)]).explain(&example().query(), &env(), NOW.parse().unwrap());
    assert_eq!((explanation.runners_up.len(), explanation.more), (8, 41));
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["action"], "deny");
    assert_eq!(json["winner"]["layer"], "flag");
    assert_eq!(json["place"], "internet");
    assert_eq!(json["more"], 41);
}
