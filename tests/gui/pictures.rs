//! What the window looks like, from the real program.

use crate::run::{STAYS, server};
use crate::screen::{ARMED, Screen, eventually};
use std::time::Duration;

/// Writes a script that `sh` runs in one session: three programs, five calls of `path`.
fn programs(screen: &Screen, url: &str, path: &str) {
    let port = port(url);
    let bin = screen.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let mut script = format!("PATH={}:$PATH\n", bin.display());
    for (name, hosts) in [("npm", 1..3), ("git", 1..2), ("updater", 1..3)] {
        std::fs::copy("/usr/bin/curl", bin.join(name)).unwrap();
        for host in hosts {
            script.push_str(&format!(
                "{name} -s http://127.0.0.{host}:{port}{path} &\nsleep 0.2\n"
            ));
        }
    }
    script.push_str("wait\n");
    std::fs::write(screen.path("build.sh"), script).unwrap();
}

fn port(url: &str) -> &str {
    let authority = url.trim_end_matches('/');
    authority.rsplit(':').next().unwrap()
}

fn dialog(theme: &str) {
    let Some(mut screen) = Screen::new("1280x900x24", "1") else {
        return;
    };
    screen.agent(&["--background", "--theme", theme]);
    let url = server();
    // wget asks the system for the address, curl knows this name itself.
    let named = format!("http://localhost:{}/", port(&url));
    let fetch = ["wget", "-4", "-q", "-O", "page", &named];
    let wget = screen.run_on_terminal(&["--ask-timeout", "90s"], &fetch);
    screen.wait_for_title("wget asks");
    std::thread::sleep(ARMED);
    screen.picture(&format!("dialog-{theme}"));
    screen.focus();
    screen.key("i");
    std::thread::sleep(Duration::from_millis(500));
    screen.picture(&format!("details-{theme}"));
    screen.key("i");
    screen.key("a");
    let (status, said, _) = wget.end();
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(std::fs::read(screen.path("page")).unwrap(), b"hello");
    screen.wait_until_gone();

    programs(&screen, &url, "/");
    let mut run = screen.run(&[], &["sh", "build.sh"]);
    eventually("five questions", || (screen.pending() == 5).then_some(()));
    screen.wait_for_title("4 more");
    std::thread::sleep(ARMED);
    screen.picture(&format!("queue-{theme}"));
    screen.focus();
    screen.key("alt+F4");
    std::thread::sleep(Duration::from_secs(1));
    screen.picture(&format!("closing-{theme}"));
    screen.close_until_refused(&mut run);
    run.end();
    screen.wait_until_gone();
}

fn glance(theme: &str) {
    let Some(mut screen) = Screen::new("1280x900x24", "1") else {
        return;
    };
    let rules = screen.path(".config/hallpass");
    std::fs::create_dir_all(&rules).unwrap();
    let saved = r#"{"version":1,"rules":[
        {"do":"allow","to":["registry.example.com:443/tcp"],"app":"/usr/bin/npm","note":"packages"},
        {"do":"allow","to":["example.org","*.example.org"],"app":"/usr/bin/git"},
        {"do":"deny","to":["@internet"],"app":"script:/home/ada/report.py","note":"local files only"},
        {"do":"allow","to":["192.168.1.9:631/tcp"],"app":"/usr/sbin/cupsd","note":"the printer in the hall"}]}"#;
    std::fs::write(rules.join("rules.json"), saved).unwrap();
    screen.agent(&["--theme", theme]);
    screen.wait_for_title("hallpass");
    screen.picture(&format!("empty-{theme}"));
    let url = server();
    programs(&screen, &url, STAYS);
    let options = ["--allow", "127.0.0.1", "--deny", "127.0.0.2"];
    let _run = screen.run(&options, &["sh", "build.sh"]);
    eventually("three connections", || {
        let output = screen.hallpass(&["flows", "--json"]).stdout;
        let live = String::from_utf8_lossy(&output)
            .matches("established")
            .count();
        (live >= 3).then_some(())
    });
    // The window asks once a second.
    std::thread::sleep(ARMED);
    screen.picture(&format!("glance-{theme}"));
    // The second tab.
    screen.click(265, 24);
    screen.picture(&format!("rules-{theme}"));
    // The first rule's last button.
    screen.click(620, 122);
    eventually("the rule to go", || {
        let text = std::fs::read_to_string(rules.join("rules.json")).unwrap();
        (!text.contains("registry.example.com")).then_some(())
    });
    screen.picture(&format!("undo-{theme}"));
}

#[test]
fn the_dialog_in_light() {
    dialog("light");
}

#[test]
fn the_dialog_in_dark() {
    dialog("dark");
}

#[test]
fn at_a_glance_in_light() {
    glance("light");
}

#[test]
fn at_a_glance_in_dark() {
    glance("dark");
}

#[test]
fn on_a_small_screen_and_on_a_fine_one() {
    for (size, scale, name) in [("1280x720x24", "1", "720p"), ("2560x1440x24", "2", "fine")] {
        let Some(screen) = Screen::new(size, scale) else {
            return;
        };
        let url = server();
        let curl = screen.run(&[], &["curl", "-sS", &url]);
        screen.wait_for_title("curl asks");
        std::thread::sleep(ARMED);
        screen.picture(name);
        screen.focus();
        screen.key("a");
        assert_eq!(curl.end().1, "hello", "{name}");
    }
}
