//! The attack suite: one small program for each way out that we could think of, tried bare, with
//! the guard off and with the guard on, as root and as nobody.
//!
//! Each has to get out bare, so that what stops it later is hallpass. What "gets out" means is the
//! listener's word, never the program's. What was seen stands in docs/threat-model.md, between two
//! markers, and a test fails where the table differs from what happens:
//!
//! ```text
//! HALLPASS_WRITE_TABLE=1 cargo nextest run -p hallpass --test attacks --run-ignored all \
//!     -E 'test(the_table_is_written_anew)'
//! ```
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "clippy.toml allows these in tests; helpers of tests it does not recognise"
)]

#[allow(
    dead_code,
    unused_imports,
    reason = "the suite's harness; it uses all of it"
)]
#[path = "../suite/harness/mod.rs"]
mod harness;

mod attack;
mod ear;
mod list;
mod needs;
mod programs;
mod run;
mod table;

use crate::harness::skipped;
use crate::table::Tier;

/// Tries one chapter, and compares.
#[track_caller]
fn chapter(title: &str) {
    table::check(title, Tier::Normal);
}

#[test]
fn programs_that_no_library_is_in() {
    chapter(list::UNHOOKED);
}

#[test]
fn unusual_calls() {
    chapter(list::CALLS);
}

#[test]
fn changing_the_call_while_it_is_made() {
    chapter(list::RACES);
}

#[test]
fn other_places_and_users() {
    chapter(list::PLACES);
}

#[test]
fn other_families() {
    chapter(list::FAMILIES);
}

#[test]
fn through_older_processes() {
    chapter(list::OLDER);
}

#[test]
fn against_the_session() {
    chapter(list::SESSION);
}

#[test]
fn answering_for_oneself() {
    chapter(list::ANSWERS);
}

#[test]
fn filters_and_tracers_of_ones_own() {
    chapter(list::FILTERS);
}

#[test]
fn the_table_lists_these_attacks_and_no_others() {
    table::check_list();
}

#[test]
#[ignore = "long: tests/run --full"]
fn full_go_programs() {
    table::check(list::UNHOOKED, Tier::Full);
}

/// 100,000 tries of each race, as each user.
mod full {
    use crate::table::check_long;

    #[test]
    #[ignore = "long: tests/run --full"]
    fn a_second_thread() {
        check_long("thread");
    }

    #[test]
    #[ignore = "long: tests/run --full"]
    fn a_forked_sibling() {
        check_long("sibling");
    }

    #[test]
    #[ignore = "long: tests/run --full"]
    fn a_process_that_shares_memory() {
        check_long("memory");
    }

    #[test]
    #[ignore = "long: tests/run --full"]
    fn a_name_that_comes_and_goes() {
        check_long("name");
    }

    #[test]
    #[ignore = "long: tests/run --full"]
    fn sockets_that_are_swapped() {
        check_long("swap");
    }

    #[test]
    #[ignore = "long: tests/run --full"]
    fn a_path_that_is_rewritten() {
        check_long("path");
    }
}

/// For whoever works on this: `HALLPASS_ATTACK=io_uring` shows the rows with that in their names.
#[test]
#[ignore = "shows what HALLPASS_ATTACK names"]
fn the_rows_that_are_seen() {
    match std::env::var("HALLPASS_ATTACK") {
        Ok(part) => table::show(&part),
        Err(_) => skipped("HALLPASS_ATTACK is not set"),
    }
}

#[test]
#[ignore = "writes docs/threat-model.md: set HALLPASS_WRITE_TABLE"]
fn the_table_is_written_anew() {
    if std::env::var_os("HALLPASS_WRITE_TABLE").is_none() {
        skipped("HALLPASS_WRITE_TABLE is not set");
        return;
    }
    table::write();
}
