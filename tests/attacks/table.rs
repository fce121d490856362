//! The table in docs/threat-model.md, and what it is compared with.

use crate::attack::{Attack, Ear, Program, Who};
use crate::harness::{makes_sockets, skipped};
use crate::list;
use crate::programs::Programs;
use crate::run::{Column, Outcome, User, run};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

const BEGIN: &str = "<!-- tests/attacks: begin -->\n";
const END: &str = "<!-- tests/attacks: end -->\n";
const HEAD: &str = "| attack | bare | guard off | guard on | why |\n|---|---|---|---|---|\n";
const COLUMNS: [Column; 3] = [Column::Bare, Column::Off, Column::On];

/// How often bad luck is tried again.
const LUCK: u32 = 5;

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    Normal,
    /// Also what takes long to build.
    Full,
}

/// Attacks that are tried at the same time.
const WORKERS: usize = 3;
/// Tries of a race.
const TRIES: u32 = 5_000;
const MANY_TRIES: u32 = 100_000;

/// Tries a chapter's attacks; every one must come out as the table says.
#[track_caller]
pub(crate) fn check(title: &str, tier: Tier) {
    let document = read();
    let tries = list::chapter(title)
        .iter()
        .flat_map(|attack| User::all().iter().map(move |user| (attack, *user)));
    let tries = Mutex::new(tries);
    let programs = Mutex::new(Programs::new());
    let wrong = Mutex::new(String::new());
    // Most of them wait for something, the races for the processor.
    let workers = if title == list::RACES { 1 } else { WORKERS };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = tries.lock().unwrap().next();
                    let Some((attack, user)) = next else { return };
                    if let Some(row) = try_row(attack, user, tier, &programs)
                        && !document.contains(&row)
                        && !(makes_sockets() && document.contains(&less_strict(&row)))
                    {
                        write!(wrong.lock().unwrap(), "as {user:?}: {row}").unwrap();
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "docs/threat-model.md does not have what was seen:\n{wrong}"
    );
}

/// Tries one race for long with the guard on. Not one try may get out.
#[track_caller]
pub(crate) fn check_long(way: &str) {
    let programs = Mutex::new(Programs::new());
    let attacks = list::chapter(list::RACES);
    let attack = attacks.iter().find(|it| it.way == way).expect("a race");
    for user in User::all() {
        let outcome = run(attack, Column::On, *user, MANY_TRIES, &programs);
        assert_ne!(outcome, Some(Outcome::GetsOut), "as {user:?}");
    }
}

/// The table's rows are those of the list, in its order.
#[track_caller]
pub(crate) fn check_list() {
    let document = read();
    let (_, table, _) = parts(&document);
    let mut rows = table.lines().filter(|line| !line.trim().is_empty());
    for (title, attacks) in list::CHAPTERS {
        assert_eq!(rows.next(), Some(format!("**{title}**").as_str()));
        for line in HEAD.lines() {
            assert_eq!(rows.next(), Some(line));
        }
        for attack in *attacks {
            let row = rows.next().unwrap_or_default();
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let [_, name, .., why, _] = cells.as_slice() else {
                panic!("no row for {}: {row}", attack.name);
            };
            assert_eq!((*name, *why), (title_of(attack).as_str(), attack.why));
            assert_eq!(cells.len(), 7, "{row}");
        }
    }
    assert_eq!(rows.next(), None);
}

/// Tries the attacks whose names have `part` in them, and prints their rows.
pub(crate) fn show(part: &str) {
    let programs = Mutex::new(Programs::new());
    for attack in list::CHAPTERS.iter().flat_map(|(_, attacks)| *attacks) {
        if !attack.name.contains(part) {
            continue;
        }
        for user in User::all() {
            if let Some(row) = try_row(attack, *user, Tier::Normal, &programs) {
                print!("{user:?}: {row}");
            }
        }
    }
}

/// Tries everything and writes the table.
pub(crate) fn write() {
    let programs = Mutex::new(Programs::new());
    let mut table = String::new();
    for (title, attacks) in list::CHAPTERS {
        write!(table, "**{title}**\n\n{HEAD}").unwrap();
        for attack in *attacks {
            let mut rows: Vec<String> = User::all()
                .iter()
                .filter_map(|user| try_row(attack, *user, Tier::Full, &programs))
                .collect();
            rows.dedup();
            println!("{}", rows.concat());
            assert_eq!(
                rows.len(),
                1,
                "make two attacks of one that differs by user, and install what is skipped"
            );
            table.push_str(&rows.concat());
        }
        table.push('\n');
    }
    let document = read();
    let (before, _, after) = parts(&document);
    let text = format!("{before}{BEGIN}{}\n{END}{after}", table.trim_end());
    std::fs::write(path(), text).unwrap();
}

/// An attack's row as it is seen. None: it cannot be tried by this user, or here.
fn try_row(attack: &Attack, user: User, tier: Tier, programs: &Mutex<Programs>) -> Option<String> {
    let fits = match attack.who {
        Who::Anybody => true,
        Who::Root => !user.is_unprivileged(),
        Who::Unprivileged => user.is_unprivileged(),
    };
    if !fits {
        return None;
    }
    if attack.program == Program::None {
        return Some(row(attack, &["not tested"; 3].map(str::to_owned)));
    }
    if matches!(attack.program, Program::Go(_)) && tier == Tier::Normal {
        skipped("Go is tried by tests/run --full");
        return None;
    }
    let mut cells = Vec::new();
    for column in COLUMNS {
        let mut outcome = run(attack, column, user, TRIES, programs)?;
        for _ in 0..LUCK {
            if !is_bad_luck(attack, column, &outcome) {
                break;
            }
            outcome = run(attack, column, user, TRIES, programs)?;
        }
        if attack.any_error && matches!(outcome, Outcome::Stopped(_)) {
            outcome = Outcome::Stopped(String::new());
        }
        // In a container some are stopped before hallpass sees them.
        let needs = attack
            .needs
            .or(makes_sockets().then_some("to be no container"));
        if column == Column::Bare
            && outcome != Outcome::GetsOut
            && let Some(needs) = needs
        {
            skipped(&format!("{} needs {needs}: {outcome:?}", attack.name));
            return None;
        }
        cells.push(if attack.luck && column == Column::Off {
            "may get out".to_owned()
        } else {
            cell(&outcome, column)
        });
    }
    let cells: [String; 3] = cells.try_into().unwrap();
    Some(row(attack, &cells))
}

/// A row as it is where the guard asks instead of refusing. Where it makes the sockets it refuses
/// some that it has no hold on.
fn less_strict(row: &str) -> String {
    let mut cells: Vec<&str> = row.split(" | ").collect();
    if let [_, _, _, on, _] = cells.as_mut_slice()
        && on.starts_with("stopped")
    {
        *on = "asked";
    }
    cells.join(" | ")
}

/// What should get out bare did not, or a race never came to what it races for.
fn is_bad_luck(attack: &Attack, column: Column, outcome: &Outcome) -> bool {
    let nothing = *outcome == Outcome::Stopped(String::new());
    match column {
        Column::Bare => *outcome != Outcome::GetsOut,
        Column::Off | Column::On => {
            let may_be_stopped = attack.ear == Ear::Path || attack.way == "look-up";
            nothing && attack.program == Program::C("races") && !may_be_stopped
        }
    }
}

fn cell(outcome: &Outcome, column: Column) -> String {
    match (outcome, column) {
        (Outcome::GetsOut, Column::On) => "**gets out**".to_owned(),
        (Outcome::GetsOut, _) => "gets out".to_owned(),
        (Outcome::Asked, _) => "asked".to_owned(),
        (Outcome::Stopped(error), _) if error.is_empty() => "stopped".to_owned(),
        (Outcome::Stopped(error), _) => format!("stopped: {error}"),
    }
}

fn title_of(attack: &Attack) -> String {
    let whose = match attack.who {
        Who::Anybody => "",
        Who::Root => " (as root)",
        Who::Unprivileged => " (not as root)",
    };
    format!("{}{whose}", attack.name)
}

fn row(attack: &Attack, [bare, off, on]: &[String; 3]) -> String {
    let name = title_of(attack);
    format!("| {name} | {bare} | {off} | {on} | {} |\n", attack.why)
}

fn path() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/threat-model.md"
    ))
}

fn read() -> String {
    std::fs::read_to_string(path()).unwrap()
}

/// What stands before, between and after the markers.
fn parts(document: &str) -> (&str, &str, &str) {
    let (before, rest) = document
        .split_once(BEGIN)
        .expect("the table's first marker");
    let (table, after) = rest.split_once(END).expect("the table's last marker");
    (before, table, after)
}
