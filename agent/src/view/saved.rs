//! The saved rules: search, note, remove, undo.

use super::theme::{MARGIN, Palette, bold, regular};
use super::widgets::{card, cell, cut};
use crate::model::Model;
use crate::show::clip;
use eframe::egui;
use egui::{Frame, Margin, Panel, Ui};
use hallpass_policy::Rule;
use std::time::Instant;

/// How many rules are shown at once; more are found by searching.
const SHOWN: usize = 200;

enum Wish {
    Remove(Rule),
    Note(Rule),
    KeepNote,
    DropNote,
}

pub(super) fn show(ui: &mut Ui, model: &mut Model, now: Instant) {
    let palette = Palette::of(ui);
    let saved = model.saved_mut();
    if let Some(error) = saved.error() {
        ui.colored_label(palette.deny, format!("✕ {}", clip(error, 400)));
    }
    ui.horizontal(|ui| {
        let label = ui.label("Search");
        let field = egui::TextEdit::singleline(&mut saved.search)
            .char_limit(200)
            .desired_width(ui.available_width());
        ui.add(field).labelled_by(label.id);
    });
    let found: Vec<Rule> = saved.found().into_iter().take(SHOWN).cloned().collect();
    let all = saved.all().len();
    if found.is_empty() {
        let text = match all {
            0 => "No rule is saved. Answer a question “for good”, and its rule shows here.",
            _ => "No saved rule has these words.",
        };
        ui.label(egui::RichText::new(text).color(palette.weak));
        return;
    }
    let mut wish = None;
    card(ui, |ui| {
        for (index, rule) in found.iter().enumerate() {
            if index > 0 {
                ui.separator();
            }
            let note = saved.note.as_mut().filter(|note| note.rule == *rule);
            match note {
                Some(note) => wish = write_note(ui, &mut note.text).or(wish.take()),
                None => wish = row(ui, rule).or(wish.take()),
            }
        }
    });
    if found.len() < all {
        let text = format!("{} of {all} rules", found.len());
        ui.label(egui::RichText::new(text).color(palette.weak));
    }
    match wish {
        Some(Wish::Remove(rule)) => saved.remove(&rule, now),
        Some(Wish::Note(rule)) => saved.start_note(&rule),
        Some(Wish::KeepNote) => saved.keep_note(now),
        Some(Wish::DropNote) => saved.note = None,
        None => {}
    }
}

fn row(ui: &mut Ui, rule: &Rule) -> Option<Wish> {
    let palette = Palette::of(ui);
    let mut wish = None;
    let bare = Rule {
        note: None,
        ..rule.clone()
    };
    let text = clip(&bare.to_string(), 300);
    ui.horizontal(|ui| {
        let width = (ui.available_width() - 150.0).max(100.0);
        ui.vertical(|ui| {
            ui.set_width(width);
            cut(ui, &text, bold(14.0), palette.text);
            if let Some(note) = &rule.note {
                cut(ui, &clip(note, 1000), regular(13.0), palette.weak);
            }
        });
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let remove = ui.button("Remove");
            let name = format!("Remove {text}");
            remove.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
            let note = ui.button("Note");
            let name = format!("Note for {text}");
            note.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
            if remove.clicked() {
                wish = Some(Wish::Remove(rule.clone()));
            } else if note.clicked() {
                wish = Some(Wish::Note(rule.clone()));
            }
        });
    });
    wish
}

fn write_note(ui: &mut Ui, text: &mut String) -> Option<Wish> {
    let mut wish = None;
    ui.horizontal(|ui| {
        let label = ui.label("Note");
        let field = egui::TextEdit::singleline(text)
            .char_limit(1000)
            .desired_width(ui.available_width() - 150.0);
        let field = ui.add(field).labelled_by(label.id);
        if field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter)) {
            wish = Some(Wish::KeepNote);
        }
        if ui.button("Keep").clicked() {
            wish = Some(Wish::KeepNote);
        }
        if ui.button("Cancel").clicked() {
            wish = Some(Wish::DropNote);
        }
    });
    wish
}

/// What was done last, for as long as it can be undone.
pub(super) fn undo(ui: &mut Ui, model: &mut Model, now: Instant) {
    let Some((text, left)) = model.saved().undo_offer(now) else {
        return;
    };
    let palette = Palette::of(ui);
    let frame = Frame::new()
        .fill(palette.accent_back)
        .inner_margin(Margin::symmetric(MARGIN, 8));
    let mut undo = false;
    let panel = Panel::bottom("undo").exact_size(46.0).frame(frame);
    panel.show_separator_line(false).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            let width = ui.available_width() - 120.0;
            cell(ui, &clip(&text, 300), regular(14.0), palette.text, width);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let label = format!("Undo ({} s)", left.as_secs() + 1);
                let button = ui.button(label);
                button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, "Undo"));
                undo = button.clicked();
            });
        });
    });
    if undo {
        model.saved_mut().undo(now);
    }
}
