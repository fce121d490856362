//! The window on other desktops: Wayland, settings that change, letters of other scripts.

use crate::run::{Run, server};
use crate::screen::{Screen, eventually};
use crate::{REFUSED, SIZE};
use std::path::Path;
use std::time::Duration;

#[test]
fn a_window_that_waits_hidden_follows_the_desktops_theme() {
    let Some(mut screen) = Screen::new(SIZE, "1") else {
        return;
    };
    if !Path::new("/usr/bin/xsettingsd").exists() {
        println!("skipped: xsettingsd is not installed (tests/run installs it)");
        return;
    }
    let file = screen.path("xsettings");
    let theme = |name: &str| {
        std::fs::write(&file, format!("Net/ThemeName \"{name}\"\n")).unwrap();
    };
    // xsettingsd can miss a signal that comes while it is about to wait.
    let publish = |screen: &Screen, settings: usize, name: &str| {
        theme(name);
        eventually("the settings", || {
            screen.signal(&screen.process(settings), "HUP");
            let said = screen.tool("dump_xsettings", &[]).stdout;
            String::from_utf8_lossy(&said)
                .contains(&format!("\"{name}\""))
                .then_some(())
        });
    };
    theme("Adwaita-dark");
    let file = file.to_str().unwrap();
    let settings = screen.start("xsettingsd", &["-c", file]);
    // It has no handler for the signal yet.
    eventually("xsettingsd", || {
        let said = screen.tool("dump_xsettings", &[]).stdout;
        (!said.is_empty()).then_some(())
    });
    screen.agent(&["--background"]);
    let url = server();
    for (name, is_dark) in [
        ("Adwaita-dark", true),
        ("Adwaita", false),
        ("Yaru-dark", true),
    ] {
        publish(&screen, settings, name);
        let curl = screen.run(&[], &["curl", "-sS", &url]);
        screen.wait_for_title("curl asks");
        eventually(name, || {
            ((screen.brightness() < 128) == is_dark).then_some(())
        });
        screen.focus();
        screen.key("a");
        assert_eq!(curl.end().1, "hello");
        screen.wait_until_gone();
    }
}

/// Presses a key now and then until it has decided: no window of Wayland can be looked for.
#[track_caller]
fn press_until_ended(screen: &Screen, run: &mut Run, key: &str) {
    eventually("an answer", || {
        screen.key(key);
        std::thread::sleep(Duration::from_millis(500));
        run.has_ended().then_some(())
    });
}

/// In a compositor that is itself a window of the test's screen, so that keys can be pressed.
#[test]
#[ignore = "needs weston, which --full installs"]
fn full_on_wayland_a_question_opens_a_window_and_decides_nothing_unasked() {
    if !Path::new("/usr/bin/weston").exists() {
        println!("skipped: weston is not installed (tests/run --full installs it)");
        return;
    }
    let Some(mut screen) = Screen::new("1280x900x24", "1") else {
        return;
    };
    screen.enter_wayland(1200, 800);
    let url = server();
    for (key, expected) in [("a", Some(0)), ("d", REFUSED), ("Escape", REFUSED)] {
        let mut curl = screen.run(&[], &["curl", "-sS", &url]);
        if key == "a" {
            // Nothing but what decides decides.
            eventually("a question", || (screen.pending() == 1).then_some(()));
            std::thread::sleep(Duration::from_secs(6));
            for key in ["Return", "space", "Tab", "Return"] {
                screen.key(key);
            }
            assert_eq!(screen.pending(), 1);
            screen.picture_of_all("wayland");
        }
        press_until_ended(&screen, &mut curl, key);
        assert_eq!(curl.end().0, expected, "{key}");
    }
}

/// What no font has is escaped, in the title as well.
#[test]
#[ignore = "needs a font of 17 MB, which --full installs"]
fn full_letters_of_other_scripts_are_shown() {
    const FONT: &str = "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc";
    if !Path::new(FONT).exists() {
        println!("skipped: fonts-wqy-zenhei is not installed (tests/run --full installs it)");
        return;
    }
    let Some(screen) = Screen::new(SIZE, "1") else {
        return;
    };
    let url = server();
    let program = screen.path("東京カナ한글");
    std::fs::copy("/usr/bin/curl", &program).unwrap();
    let words = "日本語 中文 한국어 العربية हिन्दी ไทย";
    let run = screen.run(&[], &[program.to_str().unwrap(), "-sS", "-A", words, &url]);
    screen.wait_for_title("東京カナ한글 asks");
    screen.focus();
    screen.picture("scripts");
    screen.key("a");
    assert_eq!(run.end().1, "hello");
}
