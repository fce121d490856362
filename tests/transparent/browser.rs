//! Chromium renders a page in each column, without a screen and on one, also with its own sandbox:
//! processes in namespaces of their own, with a seccomp filter and no capabilities, which pass each
//! other sockets. It is of hundreds of megabytes: `tests/run --full` installs it and runs these.

use crate::column::{Place, each_column};
use crate::harness::{Dir, Http, Running, TestCommand, eventually_within, missing, skipped};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use std::net::Ipv4Addr;
use std::time::Duration;

/// On a loaded machine, without a graphics card.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it renders is not in its source; that it has done so is told to the server.
const PAGE: &str = "<!doctype html><title>a page</title><body bgcolor=red><script>
    document.write('ren' + 'dered');
    requestAnimationFrame(() => fetch('/rendered'));
</script>";

/// Nothing but the page is of interest to it.
const QUIET: [&str; 7] = [
    "chromium",
    "--no-first-run",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// Runs this test once more in a network of its own, where a browser that looks for the outside
/// finds none; true in there.
#[track_caller]
fn in_a_network_of_its_own(test: &str) -> bool {
    const INSIDE: &str = "HALLPASS_TEST_ALONE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !geteuid().is_root() {
        skipped("only root makes a network of its own and stays who it is");
        return false;
    }
    let mut again = std::process::Command::new("unshare");
    again
        .args(["-n", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(INSIDE, "1");
    assert!(again.status().unwrap().success(), "in a network of its own");
    false
}

fn server(files: &Dir) -> Http {
    files.write("home/index.html", PAGE);
    Http::start(Ipv4Addr::LOCALHOST.into(), Some(files.path("home")))
}

/// A command of this column: as a user without privileges in its own sandbox, or as whoever runs
/// the tests, root without a sandbox.
fn chromium(it: &Place<'_>, sandbox: bool, more: &[&str]) -> TestCommand {
    let profile = format!("--user-data-dir={}", it.dir.path("home/p").display());
    let mut words = QUIET.to_vec();
    words.push(&profile);
    words.extend(more);
    if sandbox {
        return it.unprivileged(&words);
    }
    if geteuid().is_root() {
        words.push("--no-sandbox");
    }
    it.command(&words)
}

/// Its sandbox is made of user namespaces: set-user-id helpers have no privileges under the guard.
fn no_sandbox() -> bool {
    let alone = |it: &Place<'_>| it.unprivileged(&["unshare", "-U", "true"]).output();
    let works = each_column(alone)[0].1.status.success();
    if !works {
        skipped("users may not make user namespaces here");
    }
    !works
}

/// It prints the page as it is when the script has run, and makes a picture of it.
#[track_caller]
fn renders(sandbox: bool) {
    if missing("chromium") || sandbox && no_sandbox() {
        return;
    }
    let files = Dir::new();
    let server = server(&files);
    let url = server.url();
    let columns = each_column(|it| {
        let picture = it.dir.path("home/picture.png");
        let to = format!("--screenshot={}", picture.display());
        let more = ["--headless", "--dump-dom", &to, &url];
        let command = chromium(it, sandbox, &more).spawn();
        let outcome = command.finish_within(PATIENCE).ok();
        let picture = std::fs::read(&picture).unwrap_or_default();
        assert!(picture.starts_with(b"\x89PNG"), "no picture: {outcome}");
        outcome.prints("rendered").stdout
    });
    for (name, page) in &columns {
        assert_eq!(page, &columns[0].1, "{name} is not as bare");
    }
}

#[test]
#[ignore = "long: tests/run --full"]
fn without_a_screen() {
    if !in_a_network_of_its_own("browser::without_a_screen") {
        return;
    }
    renders(false);
}

#[test]
#[ignore = "long: tests/run --full"]
fn without_a_screen_in_its_own_sandbox() {
    if !in_a_network_of_its_own("browser::without_a_screen_in_its_own_sandbox") {
        return;
    }
    renders(true);
}

#[test]
#[ignore = "long: tests/run --full"]
fn refused_it_says_so() {
    if !in_a_network_of_its_own("browser::refused_it_says_so") {
        return;
    }
    if missing("chromium") {
        return;
    }
    let (dir, files) = (Dir::new(), Dir::new());
    let server = server(&files);
    let url = server.url();
    let mut words = QUIET.to_vec();
    words.extend(["--headless", "--dump-dom", &url]);
    if geteuid().is_root() {
        words.push("--no-sandbox");
    }
    let flags = ["--guard=on", "--prompt=none", "--default=deny"];
    let outcome = dir.run(&flags, &words).spawn().finish_within(PATIENCE);
    outcome.ok().says("ERR_CONNECTION_REFUSED");
    assert_eq!(server.connections(), 0);
}

/// A screen, and its name.
fn screen(dir: &Dir) -> (Running, String) {
    let words = "Xvfb -displayfd 1 -nolisten tcp -screen 0 640x480x24";
    let words: Vec<&str> = words.split(' ').collect();
    let screen = dir.bare(&words).spawn();
    screen.expect_stdout("\n");
    let display = format!(":{}", screen.stdout().trim());
    (screen, display)
}

/// How much of the screen is red, from 0 to 1.
fn red(dir: &Dir, display: &str) -> f64 {
    let script = "import -window root png:- | convert png:- -depth 8 -fill black +opaque '#ff0000' \
         -channel R -separate -format '%[fx:mean]' info:";
    let words = ["sh", "-c", script];
    let outcome = dir.bare(&words).env("DISPLAY", display).output();
    outcome.stdout.trim().parse().unwrap_or_default()
}

#[test]
#[ignore = "long: tests/run --full"]
fn on_a_screen() {
    if !in_a_network_of_its_own("browser::on_a_screen") {
        return;
    }
    if ["chromium", "Xvfb", "import"].into_iter().any(missing) {
        return;
    }
    let sandbox = !no_sandbox();
    let home = Dir::new();
    let (_screen, display) = screen(&home);
    each_column(|it| {
        let files = Dir::new();
        let server = server(&files);
        let app = format!("--app={}", server.url());
        let more = [&app, "--window-position=0,0", "--window-size=640,480"];
        let browser = chromium(it, sandbox, &more)
            .env("DISPLAY", &display)
            .spawn();
        eventually_within(PATIENCE, "the page's own request", || {
            let requests = server.requests();
            requests.contains(&"/rendered".to_owned()).then_some(())
        });
        eventually_within(PATIENCE, "a red screen", || {
            (red(&home, &display) > 0.5).then_some(())
        });
        browser.signal(Signal::SIGTERM);
        browser.finish_within(PATIENCE);
    });
}
