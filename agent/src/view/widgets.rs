//! The few pieces that the window is made of.
//!
//! What decides can be clicked but never be focused: Enter and Space must not reach it.

use super::theme::{CORNER, Palette, bold, regular};
use eframe::egui;
use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{
    Align2, Color32, CornerRadius, FontId, Frame, Margin, Rect, Response, Role, Sense, Stroke,
    StrokeKind, Ui, WidgetInfo, vec2,
};

/// Text of one font and colour on one line, cut where the width ends.
pub(super) fn line(text: &str, font: FontId, color: Color32, width: f32) -> LayoutJob {
    let mut job = LayoutJob::simple(text.to_owned(), font, color, width);
    job.wrap = TextWrapping {
        max_rows: 1,
        break_anywhere: true,
        ..TextWrapping::wrap_at_width(width)
    };
    job
}

/// A piece of text for a [`LayoutJob`] of several.
pub(super) fn format(font: FontId, color: Color32) -> TextFormat {
    TextFormat::simple(font, color)
}

/// A card with content on it.
pub(super) fn card<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    let palette = Palette::of(ui);
    Frame::new()
        .fill(palette.card)
        .stroke(Stroke::new(1.0, palette.line))
        .corner_radius(CORNER)
        .inner_margin(Margin::symmetric(16, 12))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            content(ui)
        })
        .inner
}

/// Text in a place of a width of its own, whatever its length; it can be selected.
pub(super) fn cell(ui: &mut Ui, text: &str, font: FontId, color: Color32, width: f32) -> Response {
    let size = vec2(width, ui.available_height());
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.set_min_width(width);
        cut(ui, text, font, color)
    })
    .inner
}

/// Text on one line, cut where the room ends; the pointer shows all of it.
pub(super) fn cut(ui: &mut Ui, text: &str, font: FontId, color: Color32) -> Response {
    let text = egui::RichText::new(text).font(font).color(color);
    ui.add(egui::Label::new(text).truncate())
}

/// What a value is, in front of it.
pub(super) fn lead(ui: &mut Ui, text: &str, width: f32) -> Response {
    let color = Palette::of(ui).weak;
    cell(ui, text, regular(13.0), color, width)
}

/// A line along a panel's upper or lower edge.
pub(super) fn edge(ui: &Ui, upper: bool) {
    let rect = ui.clip_rect();
    let y = if upper {
        rect.top() + 0.5
    } else {
        rect.bottom() - 0.5
    };
    let stroke = Stroke::new(1.0, Palette::of(ui).line);
    ui.painter().hline(rect.x_range(), y, stroke);
}

/// What a big button stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Allow,
    Deny,
    Plain,
}

/// A big button that says what it does. It is found by that text, and cannot be focused.
pub(super) fn big(ui: &mut Ui, rect: Rect, weight: Weight, text: &str, enabled: bool) -> Response {
    let palette = Palette::of(ui);
    let sense = if enabled {
        Sense::CLICK
    } else {
        Sense::empty()
    };
    let id = ui.scope_id().with(("big", weight as u8));
    let response = ui.interact(rect, id, sense | Sense::HOVER);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, text));
    let (mark, color) = match weight {
        Weight::Allow => ("✓", palette.allow),
        Weight::Deny => ("✕", palette.deny),
        Weight::Plain => ("", palette.text),
    };
    let strength = match (enabled, response.hovered()) {
        (false, _) => 0.0,
        (true, false) => 0.10,
        (true, true) => 0.20,
    };
    let (fill, stroke, ink) = match enabled {
        true => (mix(palette.card, color, strength), color, color),
        false => (palette.back, palette.line, palette.weak),
    };
    let painter = ui.painter();
    painter.rect(
        rect,
        CORNER,
        fill,
        Stroke::new(1.0, stroke),
        StrokeKind::Inside,
    );
    let inner = rect.shrink2(vec2(14.0, 6.0));
    let mut left = inner.left();
    if !mark.is_empty() {
        painter.text(
            inner.left_center(),
            Align2::LEFT_CENTER,
            mark,
            bold(16.0),
            ink,
        );
        left += 26.0;
    }
    let lay = |text: String| {
        let mut job = LayoutJob::simple(text, bold(14.0), ink, inner.right() - left);
        job.wrap.max_rows = 2;
        painter.layout_job(job)
    };
    let mut galley = lay(text.to_owned());
    // What stands in brackets is read as one.
    if galley.rows.len() > 1
        && let Some((before, after)) = text.rsplit_once(" (")
    {
        let parted = lay(format!("{before}\n({after}"));
        if !parted.elided {
            galley = parted;
        }
    }
    let top = inner.center().y - galley.size().y / 2.0;
    painter.galley(egui::pos2(left, top), galley, ink);
    response
}

/// A small button with a key beside its text. It cannot be focused where it `decides`.
pub(super) fn small(ui: &mut Ui, text: &str, key: &str, enabled: bool) -> Response {
    let palette = Palette::of(ui);
    let ink = if enabled { palette.text } else { palette.weak };
    let label = ui
        .painter()
        .layout_job(line(text, regular(13.5), ink, f32::INFINITY));
    let cap = (!key.is_empty()).then(|| {
        let job = line(key, bold(11.5), palette.weak, f32::INFINITY);
        ui.painter().layout_job(job)
    });
    let cap_width = cap.as_ref().map_or(0.0, |cap| cap.size().x + 10.0);
    let size = vec2(label.size().x + cap_width + 20.0, 28.0);
    let sense = if enabled {
        Sense::CLICK
    } else {
        Sense::empty()
    };
    let (rect, response) = ui.allocate_exact_size(size, sense | Sense::HOVER);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, text));
    let stroke = match enabled && response.hovered() {
        true => palette.accent,
        false => palette.line,
    };
    let painter = ui.painter();
    painter.rect(
        rect,
        CORNER,
        palette.card,
        Stroke::new(1.0, stroke),
        StrokeKind::Inside,
    );
    let y = rect.center().y;
    let at = egui::pos2(rect.left() + 10.0, y - label.size().y / 2.0);
    painter.galley(at, label, ink);
    if let Some(cap) = cap {
        let at = egui::pos2(rect.right() - 10.0 - cap.size().x, y - cap.size().y / 2.0);
        painter.galley(at, cap, palette.weak);
    }
    response
}

/// One of several that exclude each other.
pub(super) struct Segment {
    /// What it is found by, and shows first.
    pub(super) text: String,
    /// Shown above it, small: its key.
    pub(super) key: String,
    pub(super) selected: bool,
    pub(super) enabled: bool,
    /// Shown while the pointer rests on it.
    pub(super) hint: String,
}

/// Segments side by side over the whole width; gives the one that was clicked.
pub(super) fn segments(ui: &mut Ui, segments: &[Segment], armed: bool) -> Option<usize> {
    let palette = Palette::of(ui);
    let (whole, _) = ui.allocate_exact_size(vec2(ui.available_width(), 34.0), Sense::HOVER);
    ui.painter().rect(
        whole,
        CORNER,
        palette.back,
        Stroke::new(1.0, palette.line),
        StrokeKind::Inside,
    );
    let mut clicked = None;
    let rects = share(ui, whole, segments);
    for (index, (segment, rect)) in segments.iter().zip(rects).enumerate() {
        let enabled = armed && segment.enabled;
        let sense = if enabled {
            Sense::CLICK
        } else {
            Sense::empty()
        };
        let id = ui.scope_id().with(("segment", &segment.key, index));
        let response = ui.interact(rect, id, sense | Sense::HOVER);
        response.widget_info(|| {
            WidgetInfo::selected(Role::RadioButton, enabled, segment.selected, &segment.text)
        });
        paint_segment(ui, rect.shrink(3.0), segment, response.hovered() && enabled);
        if response.on_hover_text(&segment.hint).clicked() {
            clicked = Some(index);
        }
    }
    clicked
}

/// Parts a width in proportion to what stands in each part.
fn share(ui: &Ui, whole: Rect, segments: &[Segment]) -> Vec<Rect> {
    let natural: Vec<f32> = segments
        .iter()
        .map(|segment| {
            let job = line(&segment.text, regular(13.5), Color32::BLACK, f32::INFINITY);
            ui.painter().layout_job(job).size().x + 40.0
        })
        .collect();
    let total: f32 = natural.iter().sum();
    let mut left = whole.left();
    natural
        .iter()
        .map(|width| {
            let width = width * whole.width() / total.max(1.0);
            let min = egui::pos2(left, whole.top());
            left += width;
            Rect::from_min_size(min, vec2(width, whole.height()))
        })
        .collect()
}

fn paint_segment(ui: &Ui, rect: Rect, segment: &Segment, hovered: bool) {
    let palette = Palette::of(ui);
    let corner = CornerRadius::same(6);
    if segment.selected {
        let stroke = Stroke::new(1.5, palette.accent);
        ui.painter().rect(
            rect,
            corner,
            palette.accent_back,
            stroke,
            StrokeKind::Inside,
        );
    } else if hovered {
        ui.painter().rect_filled(rect, corner, palette.card);
    }
    let ink = match (segment.enabled, segment.selected) {
        (false, _) => palette.weak.gamma_multiply(0.6),
        (true, true) => palette.text,
        (true, false) => palette.weak,
    };
    let font = if segment.selected {
        bold(13.5)
    } else {
        regular(13.5)
    };
    let key = line(&segment.key, bold(11.0), ink, f32::INFINITY);
    let key = ui.painter().layout_job(key);
    let space = rect.width() - key.size().x - 20.0;
    let text = ui
        .painter()
        .layout_job(line(&segment.text, font, ink, space.max(0.0)));
    let gap = if segment.key.is_empty() { 0.0 } else { 7.0 };
    let width = key.size().x + gap + text.size().x;
    let mut at = egui::pos2(rect.center().x - width / 2.0, rect.center().y);
    let mut put = |galley: std::sync::Arc<egui::Galley>| {
        let size = galley.size();
        ui.painter()
            .galley(at - vec2(0.0, size.y / 2.0), galley, ink);
        at.x += size.x + gap;
    };
    put(key);
    put(text);
}

/// A word with a border around it.
pub(super) fn pill(ui: &mut Ui, text: &str, color: Color32, hint: &str) {
    let palette = Palette::of(ui);
    let galley = ui
        .painter()
        .layout_job(line(text, bold(12.0), color, f32::INFINITY));
    let size = galley.size() + vec2(16.0, 6.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::HOVER);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let fill = mix(palette.card, color, 0.10);
    let corner = CornerRadius::same(11);
    ui.painter().rect(
        rect,
        corner,
        fill,
        Stroke::new(1.0, color),
        StrokeKind::Inside,
    );
    ui.painter()
        .galley(rect.center() - galley.size() / 2.0, galley, color);
    response.on_hover_text(hint);
}

/// A key as it is printed on the keyboard, and what it does.
pub(super) fn keycap(ui: &mut Ui, key: &str, does: &str) {
    let palette = Palette::of(ui);
    let cap = ui
        .painter()
        .layout_job(line(key, bold(11.5), palette.text, f32::INFINITY));
    let word = ui
        .painter()
        .layout_job(line(does, regular(12.0), palette.weak, f32::INFINITY));
    let box_width = (cap.size().x + 10.0).max(20.0);
    let size = vec2(box_width + 5.0 + word.size().x, 20.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::HOVER);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{key} {does}")));
    let key_rect =
        Rect::from_min_size(rect.min, vec2(box_width, rect.height())).shrink2(vec2(0.0, 1.0));
    ui.painter().rect(
        key_rect,
        CornerRadius::same(4),
        palette.card,
        Stroke::new(1.0, palette.line),
        StrokeKind::Inside,
    );
    ui.painter()
        .galley(key_rect.center() - cap.size() / 2.0, cap, palette.text);
    let at = egui::pos2(
        key_rect.right() + 5.0,
        rect.center().y - word.size().y / 2.0,
    );
    ui.painter().galley(at, word, palette.weak);
}

/// One colour over another.
pub(super) fn mix(below: Color32, above: Color32, part: f32) -> Color32 {
    below.lerp_to_gamma(above, part)
}
