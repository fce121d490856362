//! What holds unless a rule says otherwise: name servers, and sockets of this machine.

use super::{Flow, NOW, curl, env, flag, policy};
use hallpass_policy::{Action, Endpoint, Group, Layer, Policy, Protocol, Query, Subject};

#[test]
fn dns_is_allowed_unless_a_rule_says_otherwise() {
    let dns = || Flow {
        protocol: Protocol::Udp,
        ..Flow::new("192.168.1.1", 53, &[])
    };
    let mut nothing = Policy::new();
    nothing.set_default(Action::Deny);
    assert_eq!(dns().decided(&nothing), "allow as @dns");
    // Never a question by a rule for something wider, with or without a saved answer.
    assert_eq!(
        dns().decided(&policy(&[(Layer::Flag, &["ask @lan"])])),
        "allow as @dns"
    );
    assert_eq!(
        dns().decided(&policy(&[(Layer::Flag, &["ask @any:53"])])),
        "allow as @dns"
    );
    for deny in [
        "deny @lan",
        "deny @any",
        "deny @dns",
        "deny 192.168.1.1",
        "ask @dns",
        "ask 192.168.1.1:53",
        "allow @any",
    ] {
        let action = deny.split(' ').next().unwrap();
        assert_eq!(
            dns().decided(&policy(&[(Layer::Flag, &[deny])])),
            format!("{action} by flag: {deny}")
        );
    }
    let settled = policy(&[
        (Layer::Flag, &["ask @lan"]),
        (Layer::Saved, &["deny 192.168.1.1"]),
    ]);
    assert_eq!(dns().decided(&settled), "deny by saved: deny 192.168.1.1");
    assert_eq!(
        Flow::new("192.168.1.1", 80, &[]).decided(&nothing),
        "deny by default"
    );
}

#[test]
fn desktop_sockets_are_allowed_unless_a_rule_says_otherwise() {
    let subject = curl();
    let mut policy = Policy::new();
    policy.set_default(Action::Deny);
    let decide = |policy: &Policy, path: &str| {
        let query = Query {
            subject: &subject,
            protocol: Protocol::Tcp,
            endpoint: Endpoint::Unix { path },
            names: &[],
        };
        let decision = policy.decide(&query, &env(), NOW.parse().unwrap());
        (decision.action, decision.standing)
    };
    assert_eq!(
        decide(&policy, "/tmp/.X11-unix/X0"),
        (Action::Allow, Some(Group::Desktop))
    );
    assert_eq!(decide(&policy, "/run/docker.sock"), (Action::Deny, None));
    policy.set_layer(
        Layer::Flag,
        vec![
            flag("deny @desktop"),
            flag("allow unix:/run/docker.sock"),
            flag("deny @any"),
        ],
    );
    assert_eq!(decide(&policy, "/tmp/.X11-unix/X0"), (Action::Deny, None));
    assert_eq!(decide(&policy, "/run/docker.sock"), (Action::Allow, None));
    assert_eq!(decide(&policy, "/run/other.sock"), (Action::Deny, None));
}

/// What becomes of a call to a socket with these paths, the first its own.
fn socket(policy: &Policy, paths: &[&str]) -> (Action, Option<Group>) {
    let subject = Subject::default();
    let query = Query {
        subject: &subject,
        protocol: Protocol::Unix,
        endpoint: Endpoint::Unix { path: paths[0] },
        names: &paths[1..],
    };
    let decision = policy.decide(&query, &env(), NOW.parse().unwrap());
    (decision.action, decision.standing)
}

#[test]
fn brokers_meet_the_default_and_name_services_ask_nobody() {
    let mut policy = Policy::new();
    for (default, broker, service, bus) in [
        (Action::Ask, Action::Ask, Action::Deny, Action::Allow),
        (Action::Deny, Action::Deny, Action::Deny, Action::Deny),
        (Action::Allow, Action::Allow, Action::Allow, Action::Allow),
    ] {
        policy.set_default(default);
        assert_eq!(socket(&policy, &["/run/docker.sock"]).0, broker);
        assert_eq!(socket(&policy, &["/run/nscd/socket"]).0, service);
        assert_eq!(socket(&policy, &["/run/user/7/bus"]).0, bus);
        assert_eq!(socket(&policy, &["@/tmp/dbus-a"]).0, bus);
        let x = socket(&policy, &["/tmp/.X11-unix/X0"]);
        assert_eq!(x, (Action::Allow, Some(Group::Desktop)));
    }
    policy.set_default(Action::Ask);
    policy.set_layer(
        Layer::Flag,
        vec![flag("ask @broker"), flag("deny @desktop")],
    );
    assert_eq!(socket(&policy, &["/run/nscd/socket"]).0, Action::Ask);
    assert_eq!(socket(&policy, &["/run/user/7/bus"]).0, Action::Deny);
    policy.set_default(Action::Deny);
    policy.set_layer(Layer::Flag, vec![flag("allow @desktop")]);
    assert_eq!(socket(&policy, &["/run/user/7/bus"]).0, Action::Allow);
}

#[test]
fn a_further_path_of_a_socket_closes_and_does_not_open() {
    let both = ["/run/docker.sock", "/home/me/link"];
    for (rule, first, further) in [
        ("allow unix:/run/docker.sock", Action::Allow, Action::Deny),
        (
            "allow unix:/var/run/docker.sock",
            Action::Allow,
            Action::Deny,
        ),
        ("allow unix:/home/me/link", Action::Deny, Action::Allow),
    ] {
        let mut policy = Policy::new();
        policy.set_default(Action::Deny);
        policy.set_layer(Layer::Flag, vec![flag(rule)]);
        assert_eq!(socket(&policy, &both).0, first, "{rule}");
        assert_eq!(socket(&policy, &[both[1], "/x"]).0, further, "{rule}");
    }
    let mut policy = Policy::new();
    policy.set_default(Action::Allow);
    for action in [Action::Deny, Action::Ask] {
        let rule = flag(&format!("{action} unix:/home/me/link"));
        policy.set_layer(Layer::Flag, vec![rule]);
        assert_eq!(socket(&policy, &both).0, action);
    }
    // What X has its sockets beside does not make a broker one of a desktop.
    policy.set_default(Action::Ask);
    let linked = ["/tmp/.X11-unix/X0", "/run/docker.sock"];
    assert_eq!(socket(&policy, &linked), (Action::Ask, None));
}
