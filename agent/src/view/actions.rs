//! The two buttons that decide, and the keys; or what closing the window would do.

use super::theme::{MARGIN, Palette, regular};
use super::widgets::{Weight, big, edge, keycap};
use crate::model::choice::Choice;
use crate::model::keys::LEGEND;
use crate::model::{Item, Model, Press};
use crate::words;
use eframe::egui;
use egui::{Frame, Margin, Panel, Rect, Ui, vec2};
use hallpass_session::control::protocol::Duration;
use hallpass_session::verdict::Verdict;
use std::time::Instant;

/// Height of all that stands below the question.
const HEIGHT: f32 = 106.0;
const BUTTON: f32 = 50.0;

pub(super) fn show(ui: &mut Ui, model: &mut Model, item: &Item, choice: Choice, now: Instant) {
    let palette = Palette::of(ui);
    let frame = Frame::new()
        .fill(palette.card)
        .inner_margin(Margin::symmetric(MARGIN, 12));
    let panel = Panel::bottom("actions").exact_size(HEIGHT).frame(frame);
    panel.show_separator_line(false).show(ui, |ui| {
        edge(ui, true);
        let area = ui.available_rect_before_wrap();
        if model.closing() {
            closing(ui, model, area, now);
        } else {
            decide(ui, model, item, choice, area, now);
        }
    });
}

fn halves(area: Rect) -> (Rect, Rect) {
    let size = vec2((area.width() - 12.0) / 2.0, BUTTON);
    let left = Rect::from_min_size(area.min, size);
    (left, left.translate(vec2(size.x + 12.0, 0.0)))
}

fn decide(ui: &mut Ui, model: &mut Model, item: &Item, choice: Choice, area: Rect, now: Instant) {
    let armed = model.arming().clicks(now) && model.edit_problem().is_none();
    let app = &item.question.app.subject.name;
    let offers = &item.question.offers;
    let to = match model.edit() {
        Some(edit) => crate::show::clip_middle(&edit.text, 34),
        None => choice.offer(offers).map(words::reach).unwrap_or_default(),
    };
    let (left, right) = halves(area);
    for (rect, verdict, weight, key) in [
        (left, Verdict::Deny, Weight::Deny, Press::Deny),
        (right, Verdict::Allow, Weight::Allow, Press::Allow),
    ] {
        let mut text = words::effect(verdict, app, &to, choice.duration);
        if verdict == Verdict::Deny
            && let Some(ends) = item.ends
        {
            let left = ends.saturating_duration_since(now).as_secs();
            text.push_str(&format!(" (refuses in {left} s)"));
        }
        let response = big(ui, rect, weight, &text, armed);
        let rule = match (model.edit(), choice.duration) {
            (None, Duration::Once) => String::new(),
            _ => choice
                .offer(offers)
                .map(|offer| words::rule(verdict, &offer.to, &item.question, choice.duration))
                .unwrap_or_default(),
        };
        let hint = match rule.is_empty() {
            true => words::duration_means(choice.duration, item.question.hold),
            false => format!(
                "{rule}\n{}",
                words::duration_means(choice.duration, item.question.hold)
            ),
        };
        if response.on_hover_text(hint).clicked() {
            model.click(key, now);
        }
    }
    legend(ui, area);
}

fn legend(ui: &mut Ui, area: Rect) {
    let min = area.min + vec2(0.0, BUTTON + 12.0);
    let rect = Rect::from_min_size(min, vec2(area.width(), 20.0));
    ui.scope_builder(egui::UiBuilder::new().max_rect(rect), |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 13.0;
            for (key, does) in LEGEND {
                keycap(ui, key, does);
            }
        });
    });
}

fn closing(ui: &mut Ui, model: &mut Model, area: Rect, now: Instant) {
    let palette = Palette::of(ui);
    let armed = model.arming().clicks(now);
    let calls = words::count(model.queue().calls(), "call");
    let questions = words::count(model.queue().len(), "question");
    let (left, right) = halves(area);
    let refuse = format!("Refuse {calls} and close");
    if big(ui, left, Weight::Deny, &refuse, armed).clicked() && model.refuse_all(now) {
        ui.ctx().send_viewport_cmd(egui::ViewportCommand::Close);
    }
    if big(ui, right, Weight::Plain, "Keep the window open", armed).clicked() {
        model.keep_open();
    }
    let min = area.min + vec2(0.0, BUTTON + 10.0);
    let rect = Rect::from_min_size(min, vec2(area.width(), 24.0));
    let text = format!(
        "Closing the window refuses the {calls} that wait in {questions}. It makes no rule."
    );
    ui.put(
        rect,
        egui::Label::new(
            egui::RichText::new(text)
                .font(regular(14.0))
                .color(palette.text),
        ),
    );
}
