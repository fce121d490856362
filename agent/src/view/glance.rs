//! What runs, at a glance, while no question waits.

use super::theme::{MARGIN, Palette, bold, regular};
use super::widgets::{card, cell, cut, edge, lead, pill, small};
use super::{Tab, dialog, live, saved};
use crate::model::Model;
use crate::model::sessions::{Decision, Session};
use eframe::egui;
use egui::{Frame, Margin, Panel, ScrollArea, Ui};
use hallpass_session::verdict::Verdict;
use std::time::Instant;

/// How many decisions of a session are shown.
const SHOWN: usize = 12;

pub(super) fn show(ui: &mut Ui, model: &mut Model, tab: &mut Tab, now: Instant) {
    header(ui, model, tab);
    saved::undo(ui, model, now);
    egui::CentralPanel::no_frame().show(ui, |ui| {
        ui.set_clip_rect(ui.max_rect());
        ScrollArea::vertical().show(ui, |ui| {
            Frame::new()
                .inner_margin(Margin::symmetric(MARGIN, 14))
                .show(ui, |ui| {
                    ui.set_width(ui.available_width());
                    ui.spacing_mut().item_spacing.y = 10.0;
                    dialog::notice(ui, model);
                    match tab {
                        Tab::Now => sessions(ui, model, now),
                        Tab::Saved => saved::show(ui, model, now),
                    }
                });
        });
    });
}

fn header(ui: &mut Ui, model: &Model, tab: &mut Tab) {
    let palette = Palette::of(ui);
    let frame = Frame::new()
        .fill(palette.card)
        .inner_margin(Margin::symmetric(MARGIN, 8));
    let panel = Panel::top("header").exact_size(48.0).frame(frame);
    panel.show_separator_line(false).show(ui, |ui| {
        edge(ui, false);
        ui.horizontal_centered(|ui| {
            ui.label(egui::RichText::new("hallpass").font(bold(18.0)));
            ui.add_space(10.0);
            let running = format!("Running ({})", model.sessions().iter().count());
            let rules = format!("Saved rules ({})", model.saved().all().len());
            for (own, text) in [(Tab::Now, running), (Tab::Saved, rules)] {
                let font = if *tab == own {
                    bold(14.0)
                } else {
                    regular(14.0)
                };
                let text = egui::RichText::new(text).font(font);
                if ui.selectable_label(*tab == own, text).clicked() {
                    *tab = own;
                }
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                ui.label(
                    egui::RichText::new("No question waits")
                        .font(regular(13.0))
                        .color(palette.weak),
                );
            });
        });
    });
}

fn sessions(ui: &mut Ui, model: &mut Model, now: Instant) {
    let palette = Palette::of(ui);
    if model.sessions().is_empty() {
        match model.last_answer(now) {
            Some(answer) => answered(ui, answer),
            None => nothing(ui),
        }
        return;
    }
    let (mut halt, mut ended) = (None, None);
    for session in model.sessions().iter() {
        card(ui, |ui| {
            ui.horizontal(|ui| {
                let has_pill = session.is_held_back() || session.ended;
                let width = ui.available_width() - if has_pill { 230.0 } else { 90.0 };
                ui.vertical(|ui| {
                    ui.set_max_width(width);
                    cut(ui, &session.command, bold(15.0), palette.text);
                    let text = format!(
                        "session {} · {} allowed · {} refused",
                        session.name, session.allowed, session.denied
                    );
                    ui.label(
                        egui::RichText::new(text)
                            .font(regular(13.0))
                            .color(palette.weak),
                    );
                });
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    if state(ui, session) {
                        halt = Some((session.name.clone(), !session.is_held_back()));
                    }
                });
            });
            if let Some(open) = model.live().of(&session.name)
                && !open.lines.is_empty()
            {
                ui.add_space(4.0);
                if let Some(flow) =
                    live::show(ui, open, |id| model.live().is_ending(&session.name, id))
                {
                    ended = Some((session.name.clone(), flow));
                }
            }
            if !session.decisions.is_empty() {
                ui.add_space(4.0);
                decisions(ui, session);
            }
        });
    }
    if let Some((session, flow)) = ended {
        model.end(&session, flow, now);
    }
    if let Some((session, is_halt)) = halt {
        model.halt(&session, is_halt);
    }
}

const DENIES_REST: &str = "whatever no rule decides is refused, and nobody is asked";

/// Halt or release; true where it was clicked.
fn state(ui: &mut Ui, session: &Session) -> bool {
    let palette = Palette::of(ui);
    let (text, hint) = match session.is_held_back() {
        true => ("Release", "decide all that waits, ask again, and go on"),
        false => (
            "Halt",
            "hold every call of this session until you release it",
        ),
    };
    let button = ui.button(text).on_hover_text(hint);
    let name = format!("{text} session {}", session.name);
    button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
    if session.halted {
        pill(ui, "halted", palette.warn, "every call is held");
    } else if session.denies_rest {
        pill(ui, "denies the rest", palette.warn, DENIES_REST);
    } else if session.ended {
        pill(ui, "command ended", palette.weak, "what it started goes on");
    }
    button.clicked()
}

fn decisions(ui: &mut Ui, session: &Session) {
    ui.spacing_mut().item_spacing.y = 3.0;
    for decision in session.decisions.iter().take(SHOWN) {
        ui.horizontal(|ui| {
            ui.set_height(18.0);
            row(ui, decision);
        });
    }
}

fn row(ui: &mut Ui, decision: &Decision) {
    let palette = Palette::of(ui);
    let (word, color) = match decision.verdict {
        Verdict::Allow => ("✓ allowed", palette.allow),
        Verdict::Deny => ("✕ refused", palette.deny),
    };
    lead(ui, &decision.time, 56.0);
    cell(ui, word, regular(13.0), color, 72.0);
    let count = match decision.count {
        1 => String::new(),
        count => format!(" ×{count}"),
    };
    let what = format!("{} → {}{count}", decision.app, decision.target);
    let half = (ui.available_width() * 0.46).max(80.0);
    cell(ui, &what, regular(13.5), palette.text, half);
    let rest = ui.available_width().max(60.0);
    cell(ui, &decision.why, regular(13.0), palette.weak, rest);
}

/// What was answered last, while the window is about to go.
fn answered(ui: &mut Ui, answer: &str) {
    let palette = Palette::of(ui);
    ui.add_space(ui.available_height().min(400.0) * 0.22 + 30.0);
    ui.vertical_centered(|ui| {
        ui.label(egui::RichText::new(answer).font(bold(18.0)));
        ui.label(egui::RichText::new("Nothing else waits.").color(palette.weak));
    });
}

/// Nothing runs: how to start something.
fn nothing(ui: &mut Ui) {
    const EXAMPLE: &str = "hallpass run -- curl https://example.com";
    let palette = Palette::of(ui);
    ui.add_space(ui.available_height().min(400.0) * 0.22 + 20.0);
    ui.vertical_centered(|ui| {
        ui.label(egui::RichText::new("Nothing runs under hallpass").font(bold(20.0)));
        ui.add_space(4.0);
        let text = "Start a program through it, and its connections show here.";
        ui.label(egui::RichText::new(text).color(palette.weak));
        ui.add_space(14.0);
        let (rect, _) = ui.allocate_exact_size(egui::vec2(380.0, 42.0), egui::Sense::HOVER);
        let stroke = egui::Stroke::new(1.0, palette.line);
        let kind = egui::StrokeKind::Inside;
        ui.painter()
            .rect(rect, super::theme::CORNER, palette.card, stroke, kind);
        ui.put(
            rect,
            egui::Label::new(egui::RichText::new(EXAMPLE).font(regular(15.0))),
        );
        ui.add_space(6.0);
        if small(ui, "Copy", "", true).clicked() {
            ui.copy_text(EXAMPLE.to_owned());
        }
    });
}
