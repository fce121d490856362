//! What programs may call themselves, and where they may be.

use super::{curl, stage};
use crate::model::samples::question;
use eframe::egui::{self, Key};
use egui_kittest::kittest::Queryable;
use hallpass_session::escape::{WHOLE_PATH, escape_bytes};

#[test]
fn hostile_text_leaves_the_buttons_where_they_were() {
    let plain = curl();
    let before = plain.get_by_label_contains("Allow ").rect();
    let mut hostile = question(
        1,
        &"x".repeat(5000),
        &format!("{}.lan", "y\u{202e}".repeat(2500)),
    );
    hostile.app.argv = vec!["z\n".repeat(1 << 19)];
    hostile.app.cwd = "/\u{200b}w".repeat(3000);
    hostile.why = "because ".repeat(4000);
    hostile.waiting = 123_456_789;
    let mut harness = stage(vec![hostile]);
    assert_eq!(harness.get_by_label_contains("Allow ").rect(), before);
    harness.key_press(Key::I);
    harness.run();
    harness.get_by_label("Hide details");
    assert_eq!(harness.get_by_label_contains("Allow ").rect(), before);
    let mut small = harness;
    small.set_size(egui::vec2(560.0, 420.0));
    small.run();
    let allow = small.get_by_label_contains("Allow ").rect();
    assert!(allow.max.x <= 560.0 && allow.max.y <= 420.0, "{allow:?}");
}

#[test]
fn what_cannot_be_seen_is_shown_escaped() {
    let mut hostile = question(1, "curl", "printer.lan");
    hostile.app.subject.name = "a\u{202e}b\u{0007}".to_owned();
    // As the session hands it on: what is no UTF-8 is escaped where it comes in.
    hostile.app.subject.exe = escape_bytes(b"/opt/\xff\xfe/tool", WHOLE_PATH);
    hostile.app.cwd = "/srv/\u{200b}x".to_owned();
    hostile.app.argv = vec!["line\nbreak".to_owned()];
    let mut harness = stage(vec![hostile]);
    harness.set_size(egui::vec2(680.0, 1400.0));
    harness.run();
    for shown in [
        r"Allow a\u{202e}b\u{7} → printer.lan, this run",
        r"line\nbreak",
        r"Rule: allow or deny printer.lan for /opt/\xff\xfe/tool, this run",
    ] {
        harness.get_by_label(shown);
    }
    harness.key_press(Key::I);
    harness.run();
    for shown in [r"/opt/\xff\xfe/tool", r"/srv/\u{200b}x"] {
        harness.get_by_label(shown);
    }
    // Nothing of it is left anywhere on screen.
    let raw = ["\u{202e}", "\u{0007}", "\u{200b}"];
    for sign in raw {
        assert!(harness.query_by_label_contains(sign).is_none(), "{sign:?}");
    }
}

#[test]
fn what_no_font_has_is_shown_escaped() {
    let mut hostile = question(1, "curl", "printer.lan");
    // For private use: no font here has it.
    hostile.app.cwd = "/srv/\u{f0fff}".to_owned();
    let mut harness = stage(vec![hostile]);
    harness.set_size(egui::vec2(680.0, 1400.0));
    harness.key_press(Key::I);
    harness.run();
    harness.get_by_label(r"/srv/\u{f0fff}");
}
