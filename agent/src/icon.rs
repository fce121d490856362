//! The window's sign, drawn: what is held (two bars) and let go (an arrow).
//!
//! `data/hallpass-agent.svg` shows the same shapes.

use eframe::egui::IconData;

/// Length of a side, in pixels.
const SIDE: u16 = 64;
/// Samples along each side of a pixel.
const SAMPLES: u16 = 4;
const BACK: [u8; 3] = [0x1f, 0x5f, 0xd6];

/// The sign, as pixels.
pub(crate) fn data() -> IconData {
    let mut rgba = Vec::with_capacity(usize::from(SIDE) * usize::from(SIDE) * 4);
    for y in 0..SIDE {
        for x in 0..SIDE {
            rgba.extend(pixel(x, y));
        }
    }
    IconData {
        rgba,
        width: SIDE.into(),
        height: SIDE.into(),
    }
}

fn pixel(x: u16, y: u16) -> [u8; 4] {
    let (mut back, mut front) = (0_u32, 0_u32);
    for sub_y in 0..SAMPLES {
        for sub_x in 0..SAMPLES {
            let at = |pixel: u16, sub: u16| {
                (f32::from(pixel) + (f32::from(sub) + 0.5) / f32::from(SAMPLES)) / f32::from(SIDE)
            };
            let (x, y) = (at(x, sub_x), at(y, sub_y));
            back += u32::from(is_back(x, y));
            front += u32::from(is_sign(x, y));
        }
    }
    let all = u32::from(SAMPLES) * u32::from(SAMPLES);
    let blend = |below: u8| {
        let part = (u32::from(below) * (all - front) + 255 * front) / all;
        u8::try_from(part).unwrap_or(u8::MAX)
    };
    let alpha = u8::try_from(back * 255 / all).unwrap_or(u8::MAX);
    [blend(BACK[0]), blend(BACK[1]), blend(BACK[2]), alpha]
}

/// A square with round corners; sides go from 0 to 1.
fn is_back(x: f32, y: f32) -> bool {
    const EDGE: f32 = 0.03;
    const CORNER: f32 = 0.22;
    let beyond = |v: f32| (EDGE + CORNER - v).max(v - (1.0 - EDGE - CORNER)).max(0.0);
    beyond(x).hypot(beyond(y)) <= CORNER
}

/// Two bars, then a triangle.
fn is_sign(x: f32, y: f32) -> bool {
    const TOP: f32 = 0.27;
    let height = (y - 0.5).abs();
    let is_bar = |left: f32| (left..left + 0.10).contains(&x) && height <= 0.5 - TOP;
    let is_arrow = (0.55..0.85).contains(&x) && height <= (0.85 - x) / 0.30 * (0.5 - TOP);
    is_bar(0.20) || is_bar(0.37) || is_arrow
}

#[cfg(test)]
mod tests {
    use super::data;

    #[test]
    fn the_sign_stands_on_its_square_and_the_corners_are_clear() {
        let icon = data();
        assert_eq!(icon.rgba.len(), 64 * 64 * 4);
        let at = |x: usize, y: usize| &icon.rgba[(y * 64 + x) * 4..][..4];
        assert_eq!(at(0, 0)[3], 0);
        assert_eq!(at(16, 32), [255, 255, 255, 255]);
        assert_eq!(at(32, 6), [0x1f, 0x5f, 0xd6, 255]);
    }
}
