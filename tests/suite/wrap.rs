//! `hallpass wrap`: programs that always run through hallpass.

use crate::harness::{Dir, Http, TestCommand, missing};
use nix::sys::signal::Signal;
use std::os::unix::fs::symlink;

/// Like npm and cargo: a script that says how it was called, connects, starts others by their
/// names, and ends as it is told.
const STAND_IN: &str = r#"#!/bin/sh
printf 'called <%s>' "$0"
for argument; do printf ' <%s>' "$argument"; done
printf '\n'
[ -z "$FETCH" ] || curl -s "$FETCH"
[ -z "$STARTS" ] || { starts=$STARTS; STARTS= "$starts" inner; }
exit "${STATUS:-0}"
"#;

/// A home with stand-ins for npm and cargo in `real`, and shims for them in `shims`.
struct Wrapped {
    dir: Dir,
}

impl Wrapped {
    fn new(flags: &[&str]) -> Self {
        let dir = Dir::new();
        dir.script("real/npm", STAND_IN);
        dir.script("real/cargo", STAND_IN);
        let wrapped = Self { dir };
        wrapped.wrap("shims", flags);
        wrapped
    }

    fn wrap(&self, shims: &str, flags: &[&str]) {
        let shims = self.path(shims);
        let mut args = vec!["wrap", "--dir", &shims];
        args.extend(flags);
        args.extend(["npm", "cargo"]);
        self.dir.hallpass(&args).output().ok();
    }

    fn path(&self, name: &str) -> String {
        self.dir.path(name).to_str().unwrap().to_owned()
    }

    /// PATH with these directories of the home before the system's.
    fn search(&self, names: &[&str]) -> String {
        let dirs = names.iter().map(|name| self.path(name) + ":");
        dirs.collect::<String>() + "/usr/bin:/bin"
    }

    /// A command that finds the shims before the stand-ins.
    fn command(&self, words: &[&str]) -> TestCommand {
        let path = self.search(&["shims", "real"]);
        self.dir.bare(words).env("PATH", path)
    }

    /// How often the stand-in `name` was called.
    fn calls(&self, stdout: &str, name: &str) -> usize {
        stdout
            .matches(&format!("called <{}>", self.path(name)))
            .count()
    }
}

#[test]
fn a_wrapped_program_is_refused_what_the_flags_refuse() {
    let (allowed, refused) = (Http::v4(), Http::v4());
    let allow = format!("--allow={}", allowed.address);
    let wrapped = Wrapped::new(&["--default=deny", &allow]);
    let fetch = |server: &Http| wrapped.command(&["npm", "ci"]).env("FETCH", server.url());
    fetch(&allowed).output().ok().prints("page from");
    fetch(&refused).output().ok().says("1 refused");
    assert_eq!((allowed.connections(), refused.connections()), (1, 0));
    wrapped.dir.expect_nothing_left();
}

#[test]
fn arguments_arrive_exactly() {
    let wrapped = Wrapped::new(&["--default=deny"]);
    let odd = [
        "",
        "a b",
        "it's",
        "\"",
        "line\nbreak",
        "*",
        "$HOME",
        "\\",
        "--",
        "-v",
        "--policy",
        "~",
        "ü",
    ];
    let mut command = vec!["npm"];
    command.extend(odd);
    let shown: String = odd.iter().map(|word| format!(" <{word}>")).collect();
    let expected = format!("called <{}>{shown}\n", wrapped.path("real/npm"));
    let outcome = wrapped.command(&command).output().ok();
    assert_eq!(outcome.stdout, expected);
}

#[test]
fn status_stdin_and_signals_are_the_programs_own() {
    let wrapped = Wrapped::new(&["--default=deny"]);
    wrapped
        .command(&["npm"])
        .env("STATUS", "7")
        .output()
        .code(7);
    wrapped.dir.script(
        "real/npm",
        "#!/bin/sh\nread line; echo \"got $line\"; kill -TERM $$\n",
    );
    let outcome = wrapped.command(&["npm"]).stdin("a line\n").output();
    outcome.prints("got a line").signal(Signal::SIGTERM);
    // The shim's process is the one that a supervisor signals.
    wrapped.dir.script(
        "real/npm",
        "#!/bin/sh\ntrap 'echo heard; exit 3' USR1\necho ready\nwhile :; do sleep 0.05; done\n",
    );
    let running = wrapped.command(&["npm"]).spawn();
    running.expect_stdout("ready");
    running.signal(Signal::SIGUSR1);
    running.finish().code(3).prints("heard");
}

#[test]
fn fail_on_block_reaches_whoever_called_the_shim() {
    let server = Http::v4();
    let wrapped = Wrapped::new(&["--default=deny", "--fail-on-block"]);
    let script = "npm ci || echo \"npm said $?\"";
    wrapped
        .command(&["sh", "-c", script])
        .env("FETCH", server.url())
        .output()
        .ok()
        .prints("npm said 111");
    assert_eq!(server.connections(), 0);
}

#[test]
fn shims_never_find_themselves() {
    let wrapped = Wrapped::new(&["--default=deny"]);
    wrapped.wrap("shims", &["--default=deny"]);
    wrapped.wrap("more shims", &["--default=deny"]);
    std::fs::create_dir(wrapped.dir.path("links")).unwrap();
    symlink(wrapped.path("shims/npm"), wrapped.path("links/npm")).unwrap();
    symlink(wrapped.path("shims"), wrapped.path("again")).unwrap();
    std::fs::copy(wrapped.path("shims/npm"), wrapped.path("links/copy")).unwrap();
    let (absolute, link) = (wrapped.path("shims/npm"), wrapped.path("links/npm"));
    for path in [
        &["shims", "real"][..],
        &["shims", "shims", "real"],
        &["shims", "more shims", "real"],
        &["more shims", "links", "again", "shims", "real"],
        &["real", "shims"],
        &["real"],
    ] {
        for called in ["npm", &absolute, &link] {
            let command = wrapped
                .dir
                .bare(&[called, "x"])
                .env("PATH", wrapped.search(path));
            let outcome = command.output().ok();
            assert_eq!(
                wrapped.calls(&outcome.stdout, "real/npm"),
                1,
                "{path:?}: {outcome}"
            );
        }
    }
    // From the working directory, by an empty entry.
    wrapped.dir.script("home/npm", STAND_IN);
    let path = format!("{}::/usr/bin:/bin", wrapped.path("shims"));
    wrapped
        .dir
        .bare(&["npm"])
        .env("PATH", path)
        .output()
        .ok()
        .prints("called <./npm>");
    std::fs::remove_file(wrapped.dir.path("home/npm")).unwrap();
    let path = format!("{}:{}", wrapped.path("shims"), wrapped.path("more shims"));
    let only_shims = wrapped.dir.bare(&[&absolute]).env("PATH", path);
    only_shims.output().code(127).says("not found on PATH");
}

#[test]
fn inside_a_session_a_shim_narrows_it() {
    let (allowed, refused) = (Http::v4(), Http::v4());
    let allow = format!("--allow={}", allowed.address);
    let wrapped = Wrapped::new(&["--default=deny", &allow, "--report=text", "--prompt=tty"]);
    let start = |server: &Http, command: &[&str]| {
        let path = wrapped.search(&["shims", "real"]);
        let run = wrapped.dir.run(&["--default=allow"], command);
        run.env("PATH", path).env("FETCH", server.url()).output()
    };
    start(&allowed, &["npm", "ci"]).ok().prints("page from");
    start(&refused, &["npm", "ci"])
        .ok()
        .says("1 refused, 0 allowed");
    assert_eq!(refused.connections(), 0);
    // What is not wrapped has the session's rules alone.
    let real = wrapped.path("real/npm");
    start(&refused, &[&real, "ci"]).ok().prints("page from");
    // With --audit nothing is refused, inside as outside.
    wrapped.wrap("shims", &["--default=deny", "--audit"]);
    start(&refused, &["npm", "ci"]).ok().prints("page from");
    wrapped.dir.expect_nothing_left();
}

#[test]
fn shims_below_each_other_are_one_of_each() {
    let server = Http::v4();
    let allow = format!("--allow={}", server.address);
    let wrapped = Wrapped::new(&["--default=deny", &allow]);
    // More often than runs may stand inside each other.
    let deep = "#!/bin/sh\n[ \"$1\" = 0 ] && exec curl -s \"$FETCH\"\nexec ";
    wrapped
        .dir
        .script("real/npm", &format!("{deep}cargo \"$1\""));
    wrapped
        .dir
        .script("real/cargo", &format!("{deep}npm \"$(($1 - 1))\""));
    let npm = wrapped.command(&["npm", "20"]).env("FETCH", server.url());
    npm.output().ok().prints("page from");
    assert_eq!(server.connections(), 1);
    wrapped.dir.expect_nothing_left();
}

#[test]
fn real_programs_run_by_their_shims() {
    if missing("git") || missing("python3") {
        return;
    }
    let dir = Dir::new();
    let script = "set -e; git init -q repo; cd repo; git -c user.name=a -c user.email=a@b.test commit -q --allow-empty -m x; git update-server-info";
    dir.bare(&["sh", "-c", script]).output().ok();
    let server = Http::start([127, 0, 0, 1].into(), Some(dir.path("home/repo/.git")));
    let other = Http::v4();
    dir.write(
        "home/ci/net.json",
        format!(
            r#"{{ "version": 1, "default": "deny", "rules": [ {{ "do": "allow", "to": ["{}"] }} ] }}"#,
            server.address
        ),
    );
    // A file named from here is meant from wherever the program starts.
    let flags = [
        "--policy",
        "ci/net.json",
        "--dir",
        "../it's shims",
        "git",
        "python3",
    ];
    let mut args = vec!["wrap"];
    args.extend(flags);
    dir.hallpass(&args)
        .output()
        .ok()
        .says("export PATH=")
        .prints("/usr/bin/git");
    let path = format!("{}:/usr/bin:/bin", dir.path("it's shims").display());
    let script = format!(
        "cd /; git clone -q {} \"$HOME/copy\" && python3 -c 'import sys; print(sys.argv)' 'a b' ''; \
         git clone -q {} \"$HOME/other\"",
        server.url(),
        other.url()
    );
    let outcome = dir.bare(&["sh", "-c", &script]).env("PATH", path).output();
    let outcome = outcome
        .failed()
        .prints("['-c', 'a b', '']")
        .says("1 refused");
    assert!(dir.path("home/copy/.git").exists(), "{outcome}");
    assert_eq!(other.connections(), 0);
}

#[test]
fn only_its_own_files_are_replaced_and_removed() {
    let wrapped = Wrapped::new(&["--default=deny"]);
    let shims = wrapped.path("shims");
    let hallpass = |args: &[&str]| {
        let mut all = vec!["wrap", "--dir", &shims];
        all.extend(args);
        wrapped
            .dir
            .hallpass(&all)
            .env("PATH", wrapped.search(&["shims", "real"]))
            .output()
    };
    hallpass(&["--default=allow", "npm"]).ok();
    let list = hallpass(&["--list"]).ok().stdout;
    let real = |name| wrapped.path(&format!("real/{name}"));
    let expected = format!(
        "cargo → {}  --default=deny\nnpm → {}  --default=allow\n",
        real("cargo"),
        real("npm")
    );
    assert_eq!(list, expected);
    // Somebody else's file, and a link, even to a shim.
    wrapped.dir.script("shims/make", "#!/bin/sh\necho mine\n");
    symlink("npm", wrapped.path("shims/npx")).unwrap();
    for name in ["make", "npx"] {
        hallpass(&["--default=deny", "yarn", name])
            .code(125)
            .says("did not write it");
        hallpass(&["--remove", name])
            .code(125)
            .says("did not write it");
    }
    assert!(!wrapped.dir.path("shims/yarn").exists(), "all or none");
    wrapped
        .dir
        .bare(&[&wrapped.path("shims/make")])
        .output()
        .ok()
        .prints("mine");
    hallpass(&["--remove", "npm", "cargo"]).ok();
    hallpass(&["--remove", "npm"]).code(125).says("not there");
    hallpass(&["--list"]).ok().says("no shims");
    let left: Vec<_> = std::fs::read_dir(&shims)
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn mistakes_are_125_and_say_what_to_write() {
    let dir = Dir::new();
    for (args, said) in [
        (&["wrap"][..], "NAME"),
        (&["wrap", "/usr/bin/npm"], "such as npm"),
        (&["wrap", ""], "no name"),
        (&["wrap", "hallpass"], "cannot be wrapped"),
        (&["wrap", "a\u{1b}b"], "control character"),
        (&["wrap", "--policy", "gone.json", "npm"], "no such file"),
        (&["wrap", "--allow", "127.1", "npm"], "127.0.0.1"),
        (&["wrap", "--dir", "a:b", "npm"], "colon"),
        (&["wrap", "--list", "npm"], "--list"),
        (
            &["wrap", "--remove", "--default=deny", "npm"],
            "leave it out",
        ),
        (&["wrap", "--no-such-flag", "npm"], "--no-such-flag"),
    ] {
        dir.hallpass(args).output().code(125).says(said);
    }
    dir.write("home/file", "");
    dir.hallpass(&["wrap", "--dir", "file", "npm"])
        .output()
        .code(125)
        .says("file");
    assert!(!dir.path("home/.local").exists());
    // Without --dir: below the home directory.
    dir.hallpass(&["wrap", "npm"]).output().ok();
    assert!(dir.path("home/.local/share/hallpass/bin/npm").exists());
}
