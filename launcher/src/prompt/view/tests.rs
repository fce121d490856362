use super::{Scene, last_row, panel};
use crate::prompt::choice::Choice;
use crate::prompt::keys::Key;
use crate::prompt::look::Look;
use crate::prompt::samples;
use hallpass_policy::Protocol;
use hallpass_session::control::protocol::Scope;
use unicode_width::UnicodeWidthStr;

fn look(columns: usize, rows: usize) -> Look {
    Look {
        columns,
        rows,
        color: false,
        unicode: true,
        moves: true,
    }
}

fn armed() -> Scene {
    Scene {
        armed: true,
        ..Scene::default()
    }
}

fn show(choice: &Choice, scene: &Scene, look: &Look) -> String {
    let mut rows = panel(choice, scene, look);
    rows.push(last_row(scene, look));
    rows.join("\n")
}

#[test]
fn the_usual_question() {
    let choice = Choice::new(samples::printer());
    assert_eq!(
        show(&choice, &armed(), &look(80, 24)),
        "\
┌ hallpass ─ curl wants to connect to printer.lan, port 631/tcp
│ address   192.168.1.9  [LAN]
│ command   curl -s http://printer.lan:631/
│ program   /usr/bin/curl
│ asked by  your flag: ask @lan
│ how long  1 once  [2 this run]  3 five minutes  4 for good
│ how wide  p this port  [h this host]  m *.lan  a anywhere  ←→
│ y allow / n deny printer.lan for /usr/bin/curl, for this run (1 call waits)
│ Esc refuse, no rule · r deny all · d details · ? help · Ctrl-C interrupt
└ allow? y/n> "
    );
}

#[test]
fn choices_queue_clock_and_notes_are_shown() {
    let mut choice = Choice::new(samples::printer());
    for key in ['1', 'm', 'x'] {
        choice.on_key(Key::Char(key));
    }
    let scene = Scene {
        queued: 2,
        dropped_input: true,
        seconds_left: Some(28),
        armed: true,
    };
    let shown = show(&choice, &scene, &look(100, 40));
    for part in [
        "[1 once]",
        "[m *.lan]",
        "lan and *.lan for /usr/bin/curl, only the calls that wait now (1 call waits)",
        "2 more questions after this one",
        "type it again",
        "? shows the keys",
        "(28 s left)> ",
    ] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
}

#[test]
fn nothing_asks_for_a_key_before_keys_count() {
    let scene = Scene::default();
    assert!(!last_row(&scene, &look(80, 24)).contains("> "));
    assert!(last_row(&armed(), &look(80, 24)).ends_with("> "));
}

#[test]
fn no_row_is_wider_than_the_terminal_and_the_facts_stay() {
    let mut question = samples::printer();
    question.app.argv = vec!["x".repeat(5000)];
    question.names[0].name = format!("{}.lan", "long".repeat(60));
    for columns in [12, 20, 40, 80, 200] {
        for rows in [3, 6, 10, 24, 60] {
            let mut choice = Choice::new(question.clone());
            for page in ["", "d", "?"] {
                page.chars().for_each(|key| {
                    choice.on_key(Key::Char(key));
                });
                let shown = show(&choice, &armed(), &look(columns, rows));
                let wide = shown.lines().find(|row| row.width() > columns);
                assert_eq!(wide, None, "{columns} columns");
                let text: String = shown.lines().map(|row| row[3..].trim_start()).collect();
                assert!(text.replace(' ', "").contains("192.168.1.9"), "{shown}");
                assert!(text.replace(' ', "").contains("631/tcp"), "{shown}");
                assert!(text.replace(' ', "").contains("yallow"), "{shown}");
            }
        }
    }
}

#[test]
fn a_small_terminal_loses_comfort_first() {
    let choice = Choice::new(samples::printer());
    let shown = show(&choice, &armed(), &look(80, 8));
    assert!(shown.lines().count() <= 8, "{shown}");
    assert!(shown.contains("command"), "{shown}");
    assert!(!shown.contains("program"), "{shown}");
}

#[test]
fn without_unicode_and_colour_it_is_ascii() {
    let choice = Choice::new(samples::printer());
    let mut plain = look(80, 24);
    plain.unicode = false;
    let shown = show(&choice, &armed(), &plain);
    assert!(shown.is_ascii(), "{shown}");
}

#[test]
fn colours_change_no_text() {
    let choice = Choice::new(samples::printer());
    let mut colourful = look(80, 24);
    colourful.color = true;
    let mut shown = show(&choice, &armed(), &colourful);
    while let Some(start) = shown.find('\x1b') {
        let end = shown[start..].find('m').unwrap();
        shown.replace_range(start..=start + end, "");
    }
    assert_eq!(shown, show(&choice, &armed(), &look(80, 24)));
}

#[test]
fn details_tell_who_asks() {
    let mut choice = Choice::new(samples::printer());
    choice.on_key(Key::Char('d'));
    let shown = show(&choice, &armed(), &look(80, 40));
    for part in [
        "4711, user ana (uid 1000)",
        "/home/ana",
        "bash[4700]",
        "printer.lan (as the program says)",
    ] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
}

#[test]
fn a_name_that_does_not_count_is_pointed_out() {
    let mut question = samples::printer();
    question.names[0].name = "rebind.example.com".into();
    question.offers[1].to = vec!["192.168.1.9".into()];
    let shown = |question| show(&Choice::new(question), &armed(), &look(100, 40));
    let text = shown(question.clone());
    let why =
        "rebind.example.com is a public name at a local address: an answer is for the address";
    assert!(text.contains(why), "{text}");
    (question.address, question.place) = ("203.0.113.7".parse().unwrap(), "internet".to_owned());
    let text = shown(question);
    assert!(text.contains("is only the program's word"), "{text}");
}

#[test]
fn a_broker_is_asked_about_by_its_socket() {
    let mut question = samples::printer();
    question.protocol = Protocol::Unix;
    question.address = "unix:/run/docker.sock".parse().unwrap();
    (question.port, question.place) = (0, "socket".to_owned());
    question.names.clear();
    question
        .offers
        .retain(|it| matches!(it.scope, Scope::Host | Scope::Any));
    question.offers[0].to = vec!["unix:/run/docker.sock".to_owned()];
    question.offers[1].to = vec!["@broker".to_owned()];
    let shown = show(&Choice::new(question), &armed(), &look(90, 24));
    for line in [
        "curl wants to connect to unix:/run/docker.sock\n",
        "address   unix:/run/docker.sock  [acts for others]\n",
        "how wide  [h this socket]  a @broker  ←→\n",
        "y allow / n deny unix:/run/docker.sock for /usr/bin/curl, for this run",
    ] {
        assert!(shown.contains(line), "no {line:?} in\n{shown}");
    }
}
