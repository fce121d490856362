//! The sign that an app is known by at a glance.

use super::theme::{Palette, bold};
use super::widgets::mix;
use crate::letters;
use eframe::egui;
use egui::{Align2, Color32, CornerRadius, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};

/// An app's sign: the first letter of its name on a colour of its own.
pub(super) fn sign(ui: &mut Ui, name: &str, identity: &str) {
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(44.0), Sense::HOVER);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
    let color = own_color(identity, ui.visuals().dark_mode);
    let fill = mix(palette.card, color, 0.16);
    ui.painter().rect(
        rect,
        CornerRadius::same(10),
        fill,
        Stroke::new(1.0, color),
        StrokeKind::Inside,
    );
    let letter = initial(name);
    ui.painter().text(
        rect.center(),
        Align2::CENTER_CENTER,
        letter,
        bold(22.0),
        color,
    );
}

/// The first letter, as a capital where that can be drawn: fonts that have Georgian letters may
/// lack its capitals.
fn initial(name: &str) -> String {
    let letter = name.chars().find(|c| c.is_alphanumeric()).unwrap_or('?');
    let capital = letter.to_uppercase();
    match capital.clone().all(letters::is_known) {
        true => capital.to_string(),
        false => letter.to_string(),
    }
}

/// Six hues that none of allow, deny and warning has.
fn own_color(identity: &str, dark: bool) -> Color32 {
    const HUES: [f32; 6] = [0.50, 0.56, 0.62, 0.70, 0.78, 0.86];
    let sum = identity.bytes().fold(7_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    let hue = HUES[sum as usize % HUES.len()];
    let (saturation, value) = if dark { (0.45, 0.95) } else { (0.75, 0.60) };
    egui::ecolor::Hsva::new(hue, saturation, value, 1.0).into()
}

#[cfg(test)]
mod tests {
    use super::initial;

    #[test]
    fn an_app_is_signed_by_a_capital() {
        for (name, sign) in [("curl", "C"), ("/.żaba", "Ż"), ("…", "?"), ("9p", "9")] {
            assert_eq!(initial(name), sign, "{name}");
        }
        // A private letter has no capital, and no other sign of its own.
        assert_eq!(initial("\u{f0fff}x"), "X");
    }
}
