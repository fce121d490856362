//! The dialog.

use super::{ask, calls, click, copied, curl, stage};
use crate::model::arming;
use crate::model::samples::question;
use eframe::egui;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use hallpass_session::control::protocol::{Answer, Call, Duration as For, Scope};
use hallpass_session::verdict::Verdict;
use std::time::Duration;

fn answered(verdict: Verdict, duration: For, scope: Scope) -> Call {
    Call::Answer {
        question: 1,
        answer: Answer {
            verdict,
            duration,
            scope,
        },
    }
}

#[test]
fn the_buttons_say_and_do_what_they_do() {
    for (label, verdict) in [
        ("Allow curl → printer.lan, this run", Verdict::Allow),
        ("Deny curl → printer.lan, this run", Verdict::Deny),
    ] {
        let mut harness = curl();
        click(&mut harness, label);
        assert_eq!(
            calls(&mut harness),
            [answered(verdict, For::Run, Scope::Host)]
        );
    }
}

#[test]
fn lengths_and_widths_are_chosen_by_click() {
    let mut harness = curl();
    click(&mut harness, "for good");
    click(&mut harness, "lan and below");
    click(&mut harness, "Allow curl → lan and below, for good");
    assert_eq!(
        calls(&mut harness),
        [answered(Verdict::Allow, For::Always, Scope::Domain)]
    );

    let mut harness = curl();
    click(&mut harness, "for 5 min");
    click(&mut harness, "for 5 min");
    click(&mut harness, "printer.lan:631");
    click(&mut harness, "Deny curl → printer.lan:631, for 30 min");
    let expected = answered(Verdict::Deny, For::Seconds(1800), Scope::Port);
    assert_eq!(calls(&mut harness), [expected]);

    let mut harness = curl();
    click(&mut harness, "once");
    click(&mut harness, "anywhere");
    click(&mut harness, "Allow curl → anywhere, once");
    assert_eq!(
        calls(&mut harness),
        [answered(Verdict::Allow, For::Once, Scope::Any)]
    );
}

#[test]
fn keys_do_what_the_legend_says() {
    let mut harness = curl();
    for legend in [
        "a allow",
        "d deny",
        "1–4 how long",
        "← → how wide",
        "e edit rule",
        "i details",
        "m later",
        "Esc refuse once",
    ] {
        harness.get_by_label(legend);
    }
    for key in [Key::Num1, Key::ArrowLeft, Key::I] {
        harness.key_press(key);
        harness.run();
    }
    harness.get_by_label("Hide details");
    harness.key_press(Key::A);
    harness.run();
    // Whoever looks at the details has the program's sum made.
    assert_eq!(
        calls(&mut harness),
        [
            Call::Checksum { question: 1 },
            answered(Verdict::Allow, For::Once, Scope::Port)
        ]
    );

    let mut harness = curl();
    harness.key_press(Key::Escape);
    harness.run();
    assert_eq!(calls(&mut harness), [Call::Dismiss { question: 1 }]);

    let mut harness = curl();
    harness.key_press(Key::M);
    harness.run();
    assert!(harness.state_mut().model.take_later());
}

#[test]
fn enter_and_space_decide_nothing_wherever_tab_has_gone() {
    let mut harness = stage(vec![
        question(1, "curl", "a.test"),
        question(2, "curl", "b.test"),
    ]);
    for _ in 0..15 {
        for key in [Key::Enter, Key::Space, Key::Tab] {
            harness.key_press(key);
            harness.run();
        }
    }
    assert_eq!(calls(&mut harness), []);
    assert_eq!(harness.state().model.queue().len(), 2);
}

#[test]
fn nothing_can_be_clicked_before_it_is_armed() {
    let mut harness = curl();
    harness.state_mut().model.hidden();
    let now = harness.state().now;
    harness.state_mut().model.shown(now);
    harness.run();
    let allow = harness.get_by_label("Allow curl → printer.lan, this run");
    assert!(allow.accesskit_node().is_disabled());
    for label in [
        "Allow curl → printer.lan, this run",
        "for good",
        "anywhere",
        "Details",
        "Edit rule",
    ] {
        click(&mut harness, label);
    }
    harness.key_press(Key::A);
    harness.run();
    assert_eq!(calls(&mut harness), []);
    assert!(!harness.state().model.details());
    harness.state_mut().now = now + arming::SURPRISE;
    harness.run();
    click(&mut harness, "Allow curl → printer.lan, this run");
    assert_eq!(calls(&mut harness).len(), 1);
}

#[test]
fn all_of_one_app_have_buttons_and_keys() {
    let two = || {
        vec![
            question(1, "curl", "a.test"),
            question(2, "npm", "b.test"),
            question(3, "curl", "c.test"),
        ]
    };
    let mut harness = stage(two());
    harness.get_by_label("Question 1 of 3");
    click(&mut harness, "Allow all 2 of curl");
    assert_eq!(calls(&mut harness).len(), 2);
    let mut harness = stage(two());
    click(&mut harness, "Deny all 2 of curl");
    assert_eq!(calls(&mut harness).len(), 2);
    let mut harness = stage(two());
    harness.key_press_modifiers(Modifiers::SHIFT, Key::A);
    harness.run();
    assert_eq!(calls(&mut harness).len(), 2);
}

#[test]
fn a_rule_is_edited_and_checked_in_the_window() {
    let mut harness = curl();
    click(&mut harness, "Edit rule");
    harness.run();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.get_by_label("Rule for").focus();
    harness.run();
    harness.state_mut().model.edit_mut().unwrap().text = "other.lan".to_owned();
    harness.run();
    harness.get_by_label("✕ does not cover the call that waits");
    click(&mut harness, "Allow curl → other.lan, this run");
    assert_eq!(calls(&mut harness), []);
    harness.state_mut().model.edit_mut().unwrap().text = "*.lan:631".to_owned();
    harness.run();
    harness.get_by_label("✓ covers the call that waits");
    click(&mut harness, "Allow curl → *.lan:631, this run");
    let expected = Call::AnswerTo {
        question: 1,
        verdict: Verdict::Allow,
        duration: For::Run,
        to: vec!["*.lan:631".to_owned()],
    };
    assert_eq!(calls(&mut harness), [expected]);
}

#[test]
fn letters_go_to_the_text_that_is_written() {
    let mut harness = curl();
    harness.key_press(Key::E);
    harness.run();
    for key in [Key::A, Key::D, Key::M] {
        harness.key_press(key);
        harness.run();
    }
    assert_eq!(calls(&mut harness), []);
    assert!(harness.state().model.edit().is_some());
    harness.key_press(Key::Escape);
    harness.run();
    assert!(harness.state().model.edit().is_none());
    assert_eq!(
        calls(&mut harness),
        [],
        "the first Esc leaves the edit only"
    );
    harness.key_press(Key::E);
    harness.run();
    click(&mut harness, "Undo edit");
    assert!(harness.state().model.edit().is_none());
}

#[test]
fn details_unfold_and_every_value_can_be_copied() {
    let mut harness = curl();
    harness.set_size(egui::vec2(680.0, 1200.0));
    harness.run();
    click(&mut harness, "Details");
    for label in [
        "program",
        "command line",
        "working directory",
        "process",
        "started by",
        "user",
        "address",
        "name",
        "session",
    ] {
        harness.get_by_label(&format!("Copy {label}"));
    }
    assert_eq!(copied(&mut harness, "Copy working directory"), "/home/ada");
}

#[test]
fn closing_says_what_it_does_and_then_does_it() {
    let two = || vec![question(1, "curl", "a.test"), question(2, "npm", "b.test")];
    for (label, expected) in [("Refuse 2 calls and close", 2), ("Keep the window open", 0)] {
        let mut harness = stage(two());
        let now = harness.state().now;
        assert!(!harness.state_mut().model.close(now));
        harness.run();
        harness.get_by_label_contains("refuses the 2 calls that wait in 2 questions");
        harness.state_mut().now += arming::EXPECTED;
        harness.run();
        click(&mut harness, label);
        assert_eq!(calls(&mut harness).len(), expected, "{label}");
    }
}

#[test]
fn a_countdown_stands_in_the_button_that_will_fire_and_a_touch_stops_it() {
    let mut timed = question(1, "curl", "printer.lan");
    timed.time_left_ms = Some(30_700);
    let mut harness = stage(vec![timed]);
    harness.get_by_label("Deny curl → printer.lan, this run (refuses in 30 s)");
    harness.state_mut().now += Duration::from_secs(7);
    harness.run();
    harness.get_by_label("Deny curl → printer.lan, this run (refuses in 23 s)");
    click(&mut harness, "Details");
    let sum = Call::Checksum { question: 1 };
    assert_eq!(calls(&mut harness), [Call::Touch { question: 1 }, sum]);
}

#[test]
fn a_program_in_a_loop_gets_the_offer() {
    let mut harness = stage(Vec::new());
    for id in 1..=4 {
        ask(harness.state_mut(), question(id, "curl", "printer.lan"));
        harness.state_mut().now += arming::SURPRISE;
        harness.run();
        if id < 4 {
            harness.key_press(Key::Escape);
            harness.run();
        }
    }
    calls(&mut harness);
    click(&mut harness, "Deny for this run");
    let calls = calls(&mut harness);
    assert!(
        matches!(calls[..], [Call::Answer { question: 4, .. }]),
        "{calls:?}"
    );
}

#[test]
fn trouble_is_told_until_it_is_read() {
    let mut harness = curl();
    harness
        .state_mut()
        .model
        .trouble("the disk is full".to_owned());
    harness.run();
    harness.get_by_label("the disk is full");
    click(&mut harness, "Got it");
    assert!(harness.query_by_label("the disk is full").is_none());
}

#[test]
fn a_reason_of_two_runs_is_shown_whole() {
    let mut asked = question(1, "curl", "printer.lan");
    let short = stage(vec![asked.clone()]);
    let one = short.get_by_label(&asked.why).rect();
    asked.why = "no rule matches, and the default is ask; and flag: ask printer.lan:631 of the \
                 nested run 4711 (make)"
        .to_owned();
    let long = stage(vec![asked.clone()]);
    let two = long.get_by_label(&asked.why).rect();
    assert!(two.height() > 1.5 * one.height(), "{two:?} {one:?}");
}
