//! Draws ahead, for nobody, what the first question will need.

use crate::model::Model;
use crate::view::{self, Tab, theme};
use eframe::egui::{Context, RawInput, RichText};
use std::time::Instant;

/// What names, addresses and our own words are mostly made of.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 \
                       .,:;-_/@()·→←…*+=?!'\"";

/// Makes the letters of all our sizes, which else would be made while a call is held. The pass is
/// thrown away, but for the letters' pictures: the next frame takes them to the screen.
pub(crate) fn letters(ctx: &Context, input: RawInput) {
    let output = ctx.run_ui(input, |ui| {
        for font in theme::sizes() {
            ui.label(RichText::new(LETTERS).font(font));
        }
        view::window(
            ui,
            &mut Model::default(),
            &mut Tab::default(),
            Instant::now(),
        );
    });
    let mut pictures = output.textures_delta;
    let manager = ctx.tex_manager();
    let mut manager = manager.write();
    for (id, parts) in pictures.set.drain() {
        for part in parts {
            manager.set(id, part);
        }
    }
    // Nothing has been freed in the first pass of all; what would be has its place elsewhere.
    pictures.clear();
}
