//! Every control, found by what it says, in the window as a person has it: keys and clicks go in
//! as events, and what the session would be told comes out.

use super::{Tab, theme, window};
use crate::model::rules::Change;
use crate::model::samples::{live, question};
use crate::model::{Model, Report, arming};
use eframe::egui;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use hallpass_policy::{Action, Rule};
use hallpass_session::control::protocol::{
    Answer, Call, Duration as For, Hello, LiveFlow, Message, Question, Scope,
};
use hallpass_session::verdict::Verdict;
use std::time::{Duration, Instant};

struct Stage {
    model: Model,
    tab: Tab,
    now: Instant,
    is_dressed: bool,
}

/// A window of 680 × 600, a session, and what it asks; armed.
fn stage(questions: Vec<Question>) -> Harness<'static, Stage> {
    let mut stage = Stage {
        model: Model::default(),
        tab: Tab::default(),
        now: Instant::now(),
        is_dressed: false,
    };
    let hello = Hello {
        re: 1,
        version: 1,
        session: "4242-0000000a".to_owned(),
        pid: 4242,
        command: vec!["make".to_owned(), "-j8".to_owned()],
        terminal: Some("pts/3".to_owned()),
        halted: false,
        may_save: true,
    };
    stage.model.report(Report::Joined(hello), stage.now);
    for question in questions {
        ask(&mut stage, question);
    }
    stage.model.shown(stage.now);
    stage.now += arming::SURPRISE;
    let mut harness = Harness::builder().with_size([680.0, 600.0]).build_ui_state(
        |ui, stage: &mut Stage| {
            if !std::mem::replace(&mut stage.is_dressed, true) {
                theme::install(ui.ctx());
            }
            window(ui, &mut stage.model, &mut stage.tab, stage.now);
        },
        stage,
    );
    harness.run();
    harness
}

fn ask(stage: &mut Stage, question: Question) {
    let message = Message::Question(Box::new(question));
    let said = Report::Said("4242-0000000a".to_owned(), message);
    stage.model.report(said, stage.now);
}

fn curl() -> Harness<'static, Stage> {
    stage(vec![question(1, "curl", "printer.lan")])
}

fn click(harness: &mut Harness<'_, Stage>, label: &str) {
    harness.get_by_label(label).click();
    harness.run();
}

fn calls(harness: &mut Harness<'_, Stage>) -> Vec<Call> {
    let commands = harness.state_mut().model.take_commands();
    commands.into_iter().map(|command| command.call).collect()
}

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

/// What a click puts on the clipboard.
fn copied(harness: &mut Harness<'_, Stage>, label: &str) -> String {
    harness.get_by_label(label).click();
    for _ in 0..3 {
        harness.step();
        for command in &harness.output().platform_output.commands {
            if let egui::OutputCommand::CopyText(text) = command {
                return text.clone();
            }
        }
    }
    panic!("nothing was copied")
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
fn hostile_text_leaves_the_buttons_where_they_were() {
    let plain = curl();
    let before = plain.get_by_label_contains("Allow ").rect();
    let mut hostile = question(
        1,
        &"x".repeat(5000),
        &format!("{}.lan", "y\u{202e}".repeat(2500)),
    );
    hostile.app.argv = vec!["z\n".repeat(1 << 19)];
    hostile.app.cwd = "/\u{200b}w".repeat(3000);
    hostile.why = "because ".repeat(4000);
    hostile.waiting = 123_456_789;
    let mut harness = stage(vec![hostile]);
    assert_eq!(harness.get_by_label_contains("Allow ").rect(), before);
    harness.key_press(Key::I);
    harness.run();
    harness.get_by_label("Hide details");
    assert_eq!(harness.get_by_label_contains("Allow ").rect(), before);
    let mut small = harness;
    small.set_size(egui::vec2(560.0, 420.0));
    small.run();
    let allow = small.get_by_label_contains("Allow ").rect();
    assert!(allow.max.x <= 560.0 && allow.max.y <= 420.0, "{allow:?}");
}

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
