//! Every control, found by what it says, in the window as a person has it: keys and clicks go in
//! as events, and what the session would be told comes out.

mod asked;
mod controls;
mod glance;
mod hostile;

use super::{Tab, theme, window};
use crate::model::samples::question;
use crate::model::{Model, Report, arming};
use eframe::egui;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use hallpass_session::control::protocol::{Call, Hello, Message, Question};
use std::time::Instant;

struct Stage {
    model: Model,
    tab: Tab,
    now: Instant,
    is_dressed: bool,
}

/// A window of 680 × 624, a session, and what it asks; armed.
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
        denies_rest: false,
        may_save: true,
    };
    stage.model.report(Report::Joined(hello), stage.now);
    for question in questions {
        ask(&mut stage, question);
    }
    stage.model.shown(stage.now);
    stage.now += arming::SURPRISE;
    let mut harness = Harness::builder().with_size([680.0, 624.0]).build_ui_state(
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
