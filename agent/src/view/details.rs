//! All that is known about the call; every value can be copied.

use super::theme::regular;
use super::widgets::{card, lead, small};
use crate::model::{Item, Model, Press};
use crate::show::{clip, clip_middle};
use crate::words;
use eframe::egui;
use egui::Ui;
use hallpass_session::flow::Trust;
use std::time::Instant;

const DENY_REST: &str = "refuses all that this session asks now or would ask until its end; \
     what rules decide stays as it is. It makes no rule, and Release takes it back";

/// Longest value on screen, in characters; copying gives all of it.
const VALUE: usize = 600;

pub(super) fn show(ui: &mut Ui, model: &mut Model, item: &Item, now: Instant) {
    let armed = model.arming().clicks(now) && !model.closing();
    let text = if model.details() {
        "Hide details"
    } else {
        "Details"
    };
    let fold = ui
        .horizontal(|ui| {
            let fold = small(ui, text, "i", armed);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let rest = small(ui, "Deny the rest of this run", "R", armed);
                if rest.on_hover_text(DENY_REST).clicked() {
                    model.click(Press::DenyRest, now);
                }
            });
            fold
        })
        .inner;
    // Just unfolded, they come into view.
    let was = ui.scope_id().with("details");
    if model.details() && ui.data(|data| data.get_temp(was)) == Some(false) {
        fold.scroll_to_me(Some(egui::Align::TOP));
    }
    ui.data_mut(|data| data.insert_temp(was, model.details()));
    if fold.clicked() {
        model.click(Press::Details, now);
    }
    if !model.details() {
        return;
    }
    card(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 6.0;
        for (label, value) in facts(item, model) {
            ui.horizontal(|ui| fact(ui, label, &value));
        }
    });
}

/// Label and value, in the order in which they are shown.
pub(super) fn facts(item: &Item, model: &Model) -> Vec<(&'static str, String)> {
    let question = &item.question;
    let app = &question.app;
    let mut facts = vec![("Program", app.subject.exe.clone())];
    let sums = sums(item, model);
    facts.push(("SHA-256", sums[0].clone()));
    if let Some(script) = &app.subject.script {
        facts.push(("Script", script.clone()));
        facts.push(("Script's SHA-256", sums[1].clone()));
    }
    facts.push(("Command line", app.argv.join(" ")));
    facts.push(("Working directory", app.cwd.clone()));
    facts.push(("Process", question.pid.to_string()));
    let parents: Vec<String> = app
        .subject
        .parents
        .iter()
        .map(|parent| format!("{} ({})", parent.name, parent.pid))
        .collect();
    if !parents.is_empty() {
        facts.push(("Started by", parents.join(" ← ")));
    }
    for package in &app.subject.packages {
        facts.push((
            "Package",
            match &app.step {
                Some(step) => format!("{package}, {step}"),
                None => package.clone(),
            },
        ));
    }
    let user = match &app.subject.user {
        Some(user) => format!("{user} ({})", app.uid),
        None => app.uid.to_string(),
    };
    facts.push(("User", user));
    let address = words::address(&question.address, question.scope_id);
    let to = match question.port {
        0 => format!("{address}, {}", question.protocol),
        port => format!("{address}, port {port}, {}", question.protocol),
    };
    facts.push(("Address", to));
    for name in &question.names {
        let trust = match name.trust {
            Trust::Verified => "verified",
            Trust::Claimed => "claimed by the program",
        };
        facts.push(("Name", format!("{} ({trust})", name.name)));
    }
    facts.push(("Session", item.key.session.clone()));
    let session = model.sessions().get(&item.key.session);
    if let Some(terminal) = session.and_then(|session| session.terminal.clone()) {
        facts.push(("Terminal", terminal));
    }
    facts
}

/// The sums of program and script, in words where there are none.
fn sums(item: &Item, model: &Model) -> [String; 2] {
    let sum = |index: usize| match model.sums(&item.key) {
        None => "being computed".to_owned(),
        Some(Err(error)) => format!("not known: {error}"),
        Some(Ok(files)) => match files.get(index) {
            Some(file) => match (&file.sha256, &file.error) {
                (Some(sum), _) => sum.clone(),
                (None, error) => format!("not known: {}", error.as_deref().unwrap_or("no reason")),
            },
            None => "not known".to_owned(),
        },
    };
    [sum(0), sum(1)]
}

fn fact(ui: &mut Ui, label: &str, value: &str) {
    lead(ui, label, 120.0);
    let shown = match label {
        "Program" | "Script" | "Working directory" => clip_middle(value, VALUE),
        _ => clip(value, VALUE),
    };
    let width = (ui.available_width() - 51.0).max(120.0);
    ui.allocate_ui(egui::vec2(width, 18.0), |ui| {
        ui.set_min_width(width);
        // A sum of 64 digits is read on one line.
        let size = if label.ends_with("SHA-256") {
            12.0
        } else {
            13.5
        };
        ui.add(egui::Label::new(egui::RichText::new(shown).font(regular(size))).wrap());
    });
    ui.spacing_mut().button_padding = egui::vec2(8.0, 1.0);
    ui.spacing_mut().interact_size.y = 20.0;
    let copy = ui.button(egui::RichText::new("Copy").font(regular(12.0)));
    let name = format!("Copy {}", label.to_lowercase());
    copy.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
    if copy.clicked() {
        ui.copy_text(value.to_owned());
    }
}
