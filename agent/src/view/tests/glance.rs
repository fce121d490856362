//! The window while nothing is asked.

use super::{calls, click, copied, stage};
use crate::model::Report;
use crate::model::rules::Change;
use crate::model::samples::{live, question};
use crate::view::Tab;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use hallpass_policy::{Action, Rule};
use hallpass_session::control::protocol::{Call, LiveFlow, Message};
use std::time::Duration;

#[test]
fn a_glance_shows_sessions_and_halts_them() {
    let mut harness = stage(Vec::new());
    harness.get_by_label("make -j8");
    click(&mut harness, "Halt session 4242-0000000a");
    let command = harness.state_mut().model.take_commands().remove(0);
    assert_eq!(command.call, Call::Halt);
    let now = harness.state().now;
    let done = Report::Replied(command.ticket, Ok(0));
    harness.state_mut().model.report(done, now);
    harness.run();
    harness.get_by_label("halted");
    click(&mut harness, "Release session 4242-0000000a");
    assert_eq!(calls(&mut harness), [Call::Release]);
}

#[test]
fn a_glance_shows_a_session_that_denies_the_rest_and_releases_it() {
    let mut harness = stage(vec![question(1, "curl", "printer.lan")]);
    harness.key_press_modifiers(Modifiers::SHIFT, Key::R);
    harness.run();
    let command = harness.state_mut().model.take_commands().remove(0);
    assert_eq!(command.call, Call::DenyRest);
    let now = harness.state().now;
    let done = Report::Replied(command.ticket, Ok(1));
    harness.state_mut().model.report(done, now);
    harness.run();
    harness.get_by_label("denies the rest");
    click(&mut harness, "Release session 4242-0000000a");
    assert_eq!(calls(&mut harness), [Call::Release]);
}

#[test]
fn a_glance_lists_live_connections_and_ends_them() {
    let mut harness = stage(Vec::new());
    let now = harness.state().now;
    harness.state_mut().model.look(now);
    assert_eq!(calls(&mut harness), [Call::Flows]);
    let flows = |flows: Vec<LiveFlow>| Message::Flows {
        re: 1,
        flows,
        more: 0,
        missing: Vec::new(),
    };
    let said = Report::Said("4242-0000000a".to_owned(), flows(vec![live(3)]));
    harness.state_mut().model.report(said.clone(), now);
    assert!(!harness.state().model.is_quiet());
    harness.run();
    harness.get_by_label("established · 420 B sent · 1.2 MB received");
    // The same again is no reason to paint.
    let later = now + Duration::from_secs(1);
    harness.state_mut().model.look(later);
    assert_eq!(calls(&mut harness), [Call::Flows]);
    harness.state_mut().model.report(said, later);
    assert!(harness.state().model.is_quiet());

    let label = "End curl[4242] → printer.lan:631/tcp (192.168.1.9)";
    click(&mut harness, label);
    let command = harness.state_mut().model.take_commands().remove(0);
    let end = Call::End {
        flow: 3,
        reset: false,
        deny: false,
    };
    assert_eq!(command.call, end);
    let failed = Report::Replied(command.ticket, Err("it is gone".to_owned()));
    harness.state_mut().model.report(failed, later);
    harness.run();
    harness.get_by_label("Not ended: it is gone");
    // It is looked again at once, and the row goes.
    harness.state_mut().model.look(later);
    let gone = Report::Said("4242-0000000a".to_owned(), flows(Vec::new()));
    harness.state_mut().model.report(gone, later);
    harness.run();
    assert!(harness.query_by_label(label).is_none());
}

#[test]
fn connections_are_asked_for_only_while_they_are_on_screen() {
    let mut harness = stage(vec![question(1, "curl", "printer.lan")]);
    let now = harness.state().now;
    harness.state_mut().model.look(now);
    assert_eq!(calls(&mut harness), [], "a question is on screen");
    let mut harness = stage(Vec::new());
    harness.state_mut().tab = Tab::Saved;
    harness.run();
    harness.state_mut().model.look(now);
    assert_eq!(calls(&mut harness), [], "saved rules are on screen");
    harness.state_mut().tab = Tab::Now;
    harness.run();
    harness.state_mut().model.hidden();
    harness.state_mut().model.look(now);
    assert_eq!(calls(&mut harness), [], "nothing is");
}

#[test]
fn with_nothing_running_it_says_how_to_start() {
    let mut harness = stage(Vec::new());
    let now = harness.state().now;
    let left = Report::Left("4242-0000000a".to_owned());
    harness.state_mut().model.report(left, now);
    harness.run();
    harness.get_by_label("Nothing runs under hallpass");
    assert!(copied(&mut harness, "Copy").starts_with("hallpass run"));
}

#[test]
fn saved_rules_are_searched_noted_removed_and_brought_back() {
    let rule = |to: &str| Rule::new(Action::Allow, vec![to.parse().unwrap()]);
    let mut harness = stage(Vec::new());
    let rules = vec![rule("a.test"), rule("b.test")];
    harness.state_mut().model.saved_mut().loaded(Ok(rules));
    harness.run();
    click(&mut harness, "Saved rules (2)");
    harness.get_by_label("allow a.test");
    harness.state_mut().model.saved_mut().search = "b.test".to_owned();
    harness.run();
    assert!(harness.query_by_label("allow a.test").is_none());
    click(&mut harness, "Note for allow b.test");
    harness
        .state_mut()
        .model
        .saved_mut()
        .note
        .as_mut()
        .unwrap()
        .text = "for b".to_owned();
    harness.run();
    click(&mut harness, "Keep");
    click(&mut harness, "Remove allow b.test");
    let noted = Rule {
        note: Some("for b".to_owned()),
        ..rule("b.test")
    };
    let changes = harness.state_mut().model.saved_mut().take_changes();
    let expected = [
        Change::Replace(rule("b.test"), noted),
        Change::Remove(rule("b.test")),
    ];
    assert_eq!(changes, expected);
    harness.run();
    click(&mut harness, "Undo");
    let changes = harness.state_mut().model.saved_mut().take_changes();
    assert_eq!(changes, [Change::Add(rule("b.test"))]);
}
