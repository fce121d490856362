//! Keys and touches, from the window to the model.

use crate::model::{Model, Press};
use eframe::egui;
use egui::{Event, Key, Modifiers};
use std::time::Instant;

/// Takes the keys that mean something to the question on screen.
pub(super) fn take(ui: &egui::Ui, model: &mut Model, now: Instant) {
    let writing = ui.ctx().text_edit_focused();
    let mut presses = Vec::new();
    let mut touched = false;
    ui.input(|input| {
        for event in &input.events {
            match event {
                Event::WindowFocused(true) => model.keyboard_came(now),
                Event::PointerButton { pressed: true, .. } | Event::MouseWheel { .. } => {
                    touched = true;
                }
                // A key that is held down was pressed for something that stood there before.
                Event::Key {
                    key,
                    pressed: true,
                    repeat,
                    modifiers,
                    ..
                } => {
                    touched = true;
                    let press = press(*key, *modifiers, writing);
                    presses.extend(press.filter(|_| !repeat));
                }
                _ => {}
            }
        }
    });
    if touched {
        model.touch();
    }
    for key in presses {
        model.press(key, now);
    }
}

fn press(key: Key, modifiers: Modifiers, writing: bool) -> Option<Press> {
    if modifiers.alt || modifiers.ctrl || modifiers.command {
        return None;
    }
    // A letter goes to the text that is being written.
    if writing {
        return (key == Key::Escape).then_some(Press::Refuse);
    }
    Some(match (key, modifiers.shift) {
        (Key::A, false) => Press::Allow,
        (Key::D, false) => Press::Deny,
        (Key::A, true) => Press::AllowAll,
        (Key::D, true) => Press::DenyAll,
        (Key::R, false) => Press::DenyRun,
        (Key::R, true) => Press::DenyRest,
        (Key::Escape, false) => Press::Refuse,
        (Key::Num1, false) => Press::Length(1),
        (Key::Num2, false) => Press::Length(2),
        (Key::Num3, false) => Press::Length(3),
        (Key::Num4, false) => Press::Length(4),
        (Key::ArrowLeft, false) => Press::Narrower,
        (Key::ArrowRight, false) => Press::Wider,
        (Key::E, false) => Press::Edit,
        (Key::I, false) => Press::Details,
        (Key::M, false) => Press::Later,
        _ => return None,
    })
}
