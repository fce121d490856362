//! Colours, type and measures, light and dark.

use crate::letters;
use eframe::egui;
use egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Stroke, Style,
    TextStyle, Theme, Visuals,
};
use std::sync::Arc;

/// The font of all that is not bold: Latin, Greek, Cyrillic.
pub(crate) const REGULAR: &[u8] = include_bytes!("../../fonts/Roboto-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../fonts/Roboto-Bold.ttf");
const BOLD_NAME: &str = "bold";

/// Corners of cards and buttons.
pub(super) const CORNER: CornerRadius = CornerRadius::same(8);
/// Space between the window's edge and what is in it.
pub(super) const MARGIN: i8 = 20;

/// The colours of a theme. Text on its background has a contrast of at least 4.5 : 1 (WCAG AA).
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    pub(super) back: Color32,
    pub(super) card: Color32,
    pub(super) line: Color32,
    pub(super) text: Color32,
    pub(super) weak: Color32,
    pub(super) accent: Color32,
    pub(super) accent_back: Color32,
    pub(super) allow: Color32,
    pub(super) deny: Color32,
    pub(super) warn: Color32,
    pub(super) warn_back: Color32,
}

const LIGHT: Palette = Palette {
    back: Color32::from_rgb(0xf4, 0xf5, 0xf7),
    card: Color32::WHITE,
    line: Color32::from_rgb(0xd8, 0xdd, 0xe3),
    text: Color32::from_rgb(0x1a, 0x1e, 0x24),
    weak: Color32::from_rgb(0x59, 0x62, 0x6e),
    accent: Color32::from_rgb(0x1f, 0x5f, 0xd6),
    accent_back: Color32::from_rgb(0xe4, 0xed, 0xfd),
    allow: Color32::from_rgb(0x1a, 0x74, 0x42),
    deny: Color32::from_rgb(0xb8, 0x30, 0x28),
    warn: Color32::from_rgb(0x8a, 0x52, 0x00),
    warn_back: Color32::from_rgb(0xfd, 0xf1, 0xdc),
};

const DARK: Palette = Palette {
    back: Color32::from_rgb(0x15, 0x18, 0x1c),
    card: Color32::from_rgb(0x1e, 0x22, 0x28),
    line: Color32::from_rgb(0x38, 0x3f, 0x48),
    text: Color32::from_rgb(0xe8, 0xeb, 0xef),
    weak: Color32::from_rgb(0x9d, 0xa7, 0xb3),
    accent: Color32::from_rgb(0x7c, 0xac, 0xff),
    accent_back: Color32::from_rgb(0x22, 0x31, 0x4c),
    allow: Color32::from_rgb(0x5c, 0xcb, 0x8b),
    deny: Color32::from_rgb(0xf2, 0x80, 0x77),
    warn: Color32::from_rgb(0xf0, 0xb4, 0x5c),
    warn_back: Color32::from_rgb(0x3a, 0x2d, 0x18),
};

impl Palette {
    pub(super) fn of(ui: &egui::Ui) -> Self {
        if ui.visuals().dark_mode { DARK } else { LIGHT }
    }
}

/// Regular text of a size.
pub(super) fn regular(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Bold text of a size.
pub(super) fn bold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(BOLD_NAME.into()))
}

/// The sizes that a question is written in.
pub(crate) fn sizes() -> impl Iterator<Item = FontId> {
    let thin = [12.0, 13.0, 13.5, 14.0, 20.0].map(regular);
    let thick = [11.5, 12.0, 13.0, 13.5, 14.0, 15.0, 20.0].map(bold);
    thin.into_iter().chain(thick)
}

/// Dresses a context in our fonts and colours; the desktop says light or dark.
pub(crate) fn install(ctx: &Context) {
    ctx.set_fonts(fonts());
    ctx.add_font_provider(Arc::new(letters::font_for));
    for (theme, palette) in [(Theme::Light, LIGHT), (Theme::Dark, DARK)] {
        ctx.style_mut_of(theme, |style| dress(style, theme, palette));
    }
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let data = |bytes| Arc::new(FontData::from_static(bytes));
    fonts.font_data.insert("regular".to_owned(), data(REGULAR));
    fonts.font_data.insert(BOLD_NAME.to_owned(), data(BOLD));
    for family in [FontFamily::Proportional, FontFamily::Monospace] {
        fonts.families.insert(family, vec!["regular".to_owned()]);
    }
    fonts.families.insert(
        FontFamily::Name(BOLD_NAME.into()),
        vec![BOLD_NAME.to_owned()],
    );
    fonts
}

fn dress(style: &mut Style, theme: Theme, palette: Palette) {
    for (text, size) in [
        (TextStyle::Small, 12.0),
        (TextStyle::Body, 14.0),
        (TextStyle::Button, 14.0),
        (TextStyle::Heading, 20.0),
        (TextStyle::Monospace, 13.5),
    ] {
        style.text_styles.insert(text, regular(size));
    }
    style.spacing.item_spacing = egui::vec2(8.0, 6.0);
    style.spacing.button_padding = egui::vec2(10.0, 5.0);
    style.spacing.interact_size.y = 28.0;
    style.interaction.selectable_labels = true;
    // Nothing moves: the window repaints only when something has changed.
    style.animation_time = 0.0;
    let mut visuals = match theme {
        Theme::Light => Visuals::light(),
        Theme::Dark => Visuals::dark(),
    };
    visuals.panel_fill = palette.back;
    visuals.window_fill = palette.card;
    visuals.extreme_bg_color = palette.card;
    visuals.faint_bg_color = palette.card;
    visuals.weak_text_color = Some(palette.weak);
    visuals.hyperlink_color = palette.accent;
    visuals.warn_fg_color = palette.warn;
    visuals.error_fg_color = palette.deny;
    visuals.selection.bg_fill = palette.accent_back;
    visuals.selection.stroke = Stroke::new(1.0, palette.accent);
    let widgets = &mut visuals.widgets;
    for state in [
        &mut widgets.noninteractive,
        &mut widgets.inactive,
        &mut widgets.hovered,
        &mut widgets.active,
        &mut widgets.open,
    ] {
        state.corner_radius = CORNER;
        state.bg_fill = palette.card;
        state.weak_bg_fill = palette.card;
        state.bg_stroke = Stroke::new(1.0, palette.line);
        state.fg_stroke = Stroke::new(1.0, palette.text);
        state.expansion = 0.0;
    }
    for state in [&mut widgets.hovered, &mut widgets.active] {
        state.bg_stroke = Stroke::new(1.0, palette.accent);
    }
    style.visuals = visuals;
}
