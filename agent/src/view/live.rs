//! A session's live connections, each with a button that ends it.

use super::theme::{Palette, regular};
use super::widgets::{cell, lead, small};
use crate::model::live::List;
use eframe::egui;
use egui::Ui;
use hallpass_session::control::protocol::FlowId;

/// How many connections of a session are shown.
const SHOWN: usize = 8;

/// Shows them; gives the one whose button was clicked.
pub(super) fn show(ui: &mut Ui, list: &List, is_ending: impl Fn(FlowId) -> bool) -> Option<FlowId> {
    let palette = Palette::of(ui);
    ui.spacing_mut().item_spacing.y = 3.0;
    let mut ended = None;
    for line in list.lines.iter().take(SHOWN) {
        ui.horizontal(|ui| {
            ui.set_height(26.0);
            lead(ui, "open", 40.0);
            let width = (ui.available_width() - 60.0).max(160.0);
            let half = width * 0.52;
            cell(ui, &line.what, regular(13.5), palette.text, half).on_hover_text(&line.why);
            cell(ui, &line.how, regular(13.0), palette.weak, width - half).on_hover_text(&line.why);
            let enabled = !is_ending(line.id);
            let hint =
                "the program reads end of file; rules stay as they are, so it may connect again";
            let button = small(ui, "End", "", enabled).on_hover_text(hint);
            let name = format!("End {}", line.what);
            button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, enabled, &name));
            if button.clicked() {
                ended = Some(line.id);
            }
        });
    }
    let beyond = list.lines.len().saturating_sub(SHOWN) + list.more;
    if beyond > 0 {
        let text = format!("{beyond} more are open: hallpass flows");
        ui.label(
            egui::RichText::new(text)
                .font(regular(13.0))
                .color(palette.weak),
        );
    }
    ended
}
