//! What is on screen: the dialog while a question waits, else everything at a glance.
//!
//! Views read the model and tell it what was pressed; they hold no state of their own that
//! matters, and touch nothing but the window.

mod actions;
mod details;
mod dialog;
mod glance;
mod input;
mod live;
mod saved;
mod sign;
pub(crate) mod theme;
mod widgets;

#[cfg(test)]
mod tests;

use crate::model::Model;
use eframe::egui;
use std::time::Instant;

/// Which half of the glance view is on screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// What runs.
    #[default]
    Now,
    /// The saved rules.
    Saved,
}

/// The whole window.
pub fn window(ui: &mut egui::Ui, model: &mut Model, tab: &mut Tab, now: Instant) {
    input::take(ui, model, now);
    model.live_on_screen(model.front().is_none() && *tab == Tab::Now);
    if model.front().is_some() {
        dialog::dialog(ui, model, now);
    } else {
        glance::show(ui, model, tab, now);
    }
}
