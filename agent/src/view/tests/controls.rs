//! For whoever does not see the window: every control has a role and a name.

use super::{Stage, calls, click, curl, stage};
use crate::model::Report;
use crate::model::samples::{live, question};
use eframe::egui::accesskit::Role;
use eframe::egui::{self, Key};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use hallpass_policy::{Action, Rule};
use hallpass_session::control::protocol::Message;

/// Finds each by role and name, and nothing to press or to write in that has no name.
fn expect(harness: &Harness<'_, Stage>, controls: &[(Role, &str)]) {
    for (role, label) in controls {
        harness.get_by_role_and_label(*role, label);
    }
    for role in [Role::Button, Role::RadioButton, Role::TextInput] {
        for node in harness.query_all_by_role(role) {
            let name = node.accesskit_node().label().unwrap_or_default();
            assert!(!name.trim().is_empty(), "a {role:?} without a name");
        }
    }
}

#[test]
fn of_a_question() {
    let two = vec![
        question(1, "curl", "printer.lan"),
        question(2, "curl", "scanner.lan"),
    ];
    let mut harness = stage(two);
    harness.set_size(egui::vec2(680.0, 1200.0));
    harness.run();
    expect(
        &harness,
        &[
            (Role::Button, "Allow curl → printer.lan, this run"),
            (Role::Button, "Deny curl → printer.lan, this run"),
            (Role::Button, "Allow all 2 of curl"),
            (Role::Button, "Deny all 2 of curl"),
            (Role::RadioButton, "once"),
            (Role::RadioButton, "this run"),
            (Role::RadioButton, "for 5 min"),
            (Role::RadioButton, "for good"),
            (Role::RadioButton, "printer.lan:631"),
            (Role::RadioButton, "printer.lan"),
            (Role::RadioButton, "lan and below"),
            (Role::RadioButton, "anywhere"),
            (Role::Button, "Edit rule"),
            (Role::Button, "Details"),
            (Role::Button, "Deny the rest of this run"),
        ],
    );
    click(&mut harness, "Details");
    let copies = ["Copy program", "Copy sha-256", "Copy terminal"].map(|name| (Role::Button, name));
    expect(&harness, &copies);
    expect(&harness, &[(Role::Button, "Hide details")]);
}

#[test]
fn of_a_rule_that_is_edited_and_of_closing() {
    let mut harness = curl();
    harness.key_press(Key::E);
    harness.run();
    harness.run();
    let edit = [(Role::TextInput, "Rule for"), (Role::Button, "Undo edit")];
    expect(&harness, &edit);

    let mut harness = curl();
    let now = harness.state().now;
    harness.state_mut().model.close(now);
    harness.run();
    let closing = [
        (Role::Button, "Refuse 1 call and close"),
        (Role::Button, "Keep the window open"),
    ];
    expect(&harness, &closing);
}

#[test]
fn of_a_glance() {
    let mut harness = stage(Vec::new());
    let now = harness.state().now;
    harness.state_mut().model.look(now);
    calls(&mut harness);
    let flows = Message::Flows {
        re: 1,
        flows: vec![live(3)],
        more: 0,
        missing: Vec::new(),
    };
    let said = Report::Said("4242-0000000a".to_owned(), flows);
    harness.state_mut().model.report(said, now);
    let rules = ["a.test", "b.test"];
    let rules = rules.map(|to| Rule::new(Action::Allow, vec![to.parse().unwrap()]));
    let saved = harness.state_mut().model.saved_mut();
    saved.loaded(Ok(rules.to_vec()));
    harness.run();
    let now = [
        (Role::Button, "Halt session 4242-0000000a"),
        (
            Role::Button,
            "End curl[4242] → printer.lan:631/tcp (192.168.1.9)",
        ),
    ];
    expect(&harness, &now);
    click(&mut harness, "Saved rules (2)");
    click(&mut harness, "Remove allow a.test");
    harness.run();
    let rules = [
        (Role::TextInput, "Search"),
        (Role::Button, "Note for allow b.test"),
        (Role::Button, "Remove allow b.test"),
        (Role::Button, "Undo"),
    ];
    expect(&harness, &rules);
    click(&mut harness, "Note for allow b.test");
    let note = [
        (Role::TextInput, "Note"),
        (Role::Button, "Keep"),
        (Role::Button, "Cancel"),
    ];
    expect(&harness, &note);
}
