//! What the window looks like, from the real program.

use crate::screen::{Screen, eventually, server};
use std::time::Duration;

/// What `sh` runs in one session: three programs, five questions.
fn programs(screen: &Screen, port: &str) -> String {
    let mut script = String::new();
    for (name, hosts) in [("npm", 1..3), ("git", 1..2), ("updater", 1..3)] {
        let path = screen.path(name);
        std::fs::copy("/usr/bin/curl", &path).unwrap();
        for host in hosts {
            let path = path.display();
            script.push_str(&format!(
                "{path} -s http://127.0.0.{host}:{port}/ & sleep 0.2; "
            ));
        }
    }
    script + "wait"
}

fn dialog(theme: &str) {
    let Some(mut screen) = Screen::new("1280x900x24", "1") else {
        return;
    };
    screen.agent(&["--background", "--theme", theme]);
    let url = server();
    let port = url
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    let named = format!("http://localhost:{port}/");
    let curl = screen.run(&["--ask-timeout", "90s"], &["curl", "-sS", &named]);
    screen.wait_for_title("curl asks");
    std::thread::sleep(Duration::from_secs(1));
    screen.picture(&format!("dialog-{theme}"));
    screen.focus();
    screen.key("i");
    std::thread::sleep(Duration::from_millis(500));
    screen.picture(&format!("details-{theme}"));
    screen.key("i");
    screen.key("a");
    assert_eq!(curl.end().1, "hello");

    let script = programs(&screen, &port);
    let run = screen.run(&[], &["sh", "-c", &script]);
    eventually("five questions", || (screen.pending() == 5).then_some(()));
    screen.wait_for_title("4 more");
    std::thread::sleep(Duration::from_secs(1));
    screen.picture(&format!("queue-{theme}"));
    screen.focus();
    screen.key("alt+F4");
    std::thread::sleep(Duration::from_secs(1));
    screen.picture(&format!("closing-{theme}"));
    screen.key("alt+F4");
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
    let port = url
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    let script = programs(&screen, &port) + "; sleep 30";
    let options = ["--allow", "127.0.0.1", "--deny", "127.0.0.2"];
    let _run = screen.run(&options, &["sh", "-c", &script]);
    std::thread::sleep(Duration::from_secs(4));
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
        std::thread::sleep(Duration::from_secs(1));
        screen.picture(name);
        screen.focus();
        screen.key("a");
        assert_eq!(curl.end().1, "hello", "{name}");
    }
}
