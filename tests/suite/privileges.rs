//! Programs that take or give up privileges: sudo, su, ping, bwrap, `unshare -n`, set-user-id
//! programs; hallpass started by root, with and without CAP_SYS_ADMIN, and by an ordinary user.

use crate::harness::{Dir, Http, Outcome, has_capability, missing, skipped};
use std::os::unix::fs::PermissionsExt;

/// A home that every user may use, and `hallpass` in it.
struct Open {
    dir: Dir,
    hallpass: String,
}

/// Who starts hallpass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Root,
    /// Root of a container.
    RootWithoutAdmin,
    Nobody,
}

impl By {
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Root => &[],
            Self::RootWithoutAdmin => &[
                "setpriv",
                "--bounding-set=-sys_admin",
                "--inh-caps=-sys_admin",
            ],
            Self::Nobody => &[
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
            ],
        }
    }
}

impl Open {
    /// None where this is not root: nobody else can start programs as others.
    fn new() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skipped("only root can start programs as other users");
            return None;
        }
        let dir = Dir::new();
        for place in ["", "home", "config", "state", "cache"] {
            open(&dir.path(place));
        }
        let hallpass = dir.path("hallpass");
        std::fs::copy(env!("CARGO_BIN_EXE_hallpass"), &hallpass).unwrap();
        open(&hallpass);
        let hallpass = hallpass.to_str().unwrap().to_owned();
        Some(Self { dir, hallpass })
    }

    /// `hallpass run -v FLAGS -- COMMAND`, started by somebody.
    fn run(&self, by: By, flags: &[&str], command: &[&str]) -> Outcome {
        let mut words = by.words().to_vec();
        words.extend([&*self.hallpass, "run", "-v", "--prompt=none"]);
        words.extend(flags);
        words.push("--");
        words.extend(command);
        let run = self.dir.bare(&words);
        match by {
            By::Nobody => run.env("XDG_RUNTIME_DIR", "/nonexistent"),
            // Where other users find the library, too.
            By::Root | By::RootWithoutAdmin => run.env("XDG_CACHE_HOME", self.dir.path("shared")),
        }
        .output()
    }

    /// Copies a program, as root's with these bits.
    fn program(&self, of: &str, name: &str, mode: u32) -> String {
        let program = self.dir.path(name);
        std::fs::copy(of, &program).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode)).unwrap();
        program.to_str().unwrap().to_owned()
    }
}

fn open(path: &std::path::Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

const GUARDED: [&str; 2] = ["--guard=on", "--default=allow"];
const LOST: &str = "runs without its privileges";

#[test]
fn a_set_user_id_command_is_refused_with_what_to_do() {
    let Some(place) = Open::new() else { return };
    let program = place.program("/bin/true", "home/privileged", 0o4755);
    place
        .run(By::Nobody, &GUARDED, &[&program])
        .code(125)
        .says("set-user-id")
        .says("--guard=off");
    let off = ["--guard=off", "--default=allow"];
    let outcome = place.run(By::Nobody, &off, &[&program]);
    outcome.ok().says("NOT decided");
}

#[test]
fn a_set_user_id_child_is_named_however_short_it_lives() {
    let Some(place) = Open::new() else { return };
    let program = place.program("/bin/true", "home/privileged", 0o4755);
    let other = place.program("/bin/true", "home/other", 0o4755);
    let third = place.program("/bin/true", "home/third", 0o4755);
    // A shell's exec, several times; a search in $PATH; posix_spawn.
    let script = format!(
        "for i in 1 2 3; do {program}; done; PATH=/nonexistent:$HOME:/usr/bin env other
         /usr/bin/python3 -c 'import os; os.posix_spawn(\"{third}\", [\"x\"], {{}})'; sleep 0.1"
    );
    let outcome = place.run(By::Nobody, &GUARDED, &["sh", "-c", &script]).ok();
    for path in [&program, &other, &third] {
        let line = format!("{path} is a set-user-id");
        assert_eq!(
            outcome.stderr.matches(&line).count(),
            1,
            "{path}: {outcome}"
        );
    }
    assert_eq!(outcome.stderr.matches(LOST).count(), 3, "{outcome}");
    // Nothing is lost where root started it all, and nothing is said.
    let outcome = place.run(By::Root, &GUARDED, &["sh", "-c", &script]).ok();
    assert_eq!(outcome.stderr, "");
}

#[test]
fn so_is_one_with_file_capabilities() {
    let Some(place) = Open::new() else { return };
    let capable = place.program("/bin/true", "home/capable", 0o755);
    // cap_net_raw=ep
    let words: [u32; 5] = [0x0200_0001, 1 << 13, 0, 0, 0];
    let value: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&*capable, "security.capability", &value, flags).unwrap();
    place
        .run(By::Nobody, &GUARDED, &[&capable])
        .code(125)
        .says("file capabilities");
    let script = format!("{capable}; true");
    let outcome = place.run(By::Nobody, &GUARDED, &["sh", "-c", &script]);
    outcome.ok().says("home/capable is a").says(LOST);
}

/// Static programs have no library in them: what they start must be there for a moment.
#[test]
fn a_set_user_id_child_of_a_static_program_is_named_while_it_runs() {
    let Some(place) = Open::new() else { return };
    if missing("busybox") {
        return;
    }
    let program = place.program("/bin/sleep", "home/privileged", 0o4755);
    let script = format!("{program} 2; true");
    let outcome = place.run(By::Nobody, &GUARDED, &["busybox", "sh", "-c", &script]);
    outcome.ok().says(LOST);
}

#[test]
fn sudo_su_and_ping_as_an_ordinary_user_say_why_they_do_not_work() {
    let Some(place) = Open::new() else { return };
    for command in [
        &["sudo", "-n", "true"][..],
        &["su", "root", "-c", "true"],
        &["ping", "-c1", "127.0.0.1"],
    ] {
        if missing(command[0]) {
            continue;
        }
        let outcome = place.run(By::Nobody, &GUARDED, command);
        outcome.code(125).says("start hallpass as root");
        let script = format!("{}; true", command.join(" "));
        let outcome = place.run(By::Nobody, &GUARDED, &["sh", "-c", &script]).ok();
        let line = format!("/{} is a", command[0]);
        outcome.says(&line).says(LOST);
    }
}

#[test]
fn sudo_and_su_of_root_work_and_stay_guarded() {
    let Some(place) = Open::new() else { return };
    let server = Http::v4();
    let url = server.url();
    let as_nobody = format!("curl -s {url}");
    for by in [By::Root, By::RootWithoutAdmin] {
        for command in [
            &["sudo", "-n", "curl", "-s", &url][..],
            &["sudo", "-n", "-u", "nobody", "curl", "-s", &url],
            &["su", "-s", "/bin/sh", "nobody", "-c", &as_nobody],
        ] {
            if missing(command[0]) {
                continue;
            }
            let before = server.connections();
            let outcome = place.run(by, &GUARDED, command).ok();
            outcome.prints("page from").says("curl");
            assert_eq!(server.connections(), before + 1);
            let deny = ["--guard=on", "--default=deny"];
            place.run(by, &deny, command).code(7).says("deny");
            assert_eq!(server.connections(), before + 1, "{by:?} {command:?}");
        }
    }
}

#[test]
fn root_starts_a_program_as_somebody_else() {
    let Some(place) = Open::new() else { return };
    let server = Http::v4();
    let url = server.url();
    let as_nobody = |by, rest: &[&str], command: &[&str]| {
        place.run(by, &[&["--user=nobody"], rest].concat(), command)
    };
    let script = "id -u; id -G; echo $HOME $USER $LOGNAME; curl -s $0";
    let bare = [
        "setpriv",
        "--reuid=nobody",
        "--regid=nogroup",
        "--init-groups",
        "id",
        "-G",
    ];
    let groups = place.dir.bare(&bare).output().ok().stdout;
    for by in [By::Root, By::RootWithoutAdmin] {
        for guard in ["--guard=on", "--guard=off"] {
            let command = ["sh", "-c", script, &*url];
            let outcome = as_nobody(by, &[guard, "--default=allow"], &command).ok();
            let expected = format!("65534\n{groups}/nonexistent nobody nobody\n");
            assert!(outcome.stdout.starts_with(&expected), "{outcome}");
            outcome.prints("page from").says("allow  curl");
            let before = server.connections();
            as_nobody(by, &[guard, "--default=deny"], &command).code(7);
            assert_eq!(server.connections(), before);
        }
    }
    // Set-user-id programs keep what they have, but where the kernel wants no_new_privs.
    let cat = place.program("/bin/cat", "home/cat", 0o4755);
    let secret = place.dir.write("home/secret", "secret");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let command = ["sh", "-c", "$0 $1", &cat, secret.to_str().unwrap()];
    const SYS_ADMIN: u32 = 21;
    if has_capability(SYS_ADMIN) {
        as_nobody(By::Root, &GUARDED, &command)
            .ok()
            .prints("secret");
    } else {
        skipped("root without CAP_SYS_ADMIN, as in a container");
    }
    let outcome = as_nobody(By::RootWithoutAdmin, &GUARDED, &command);
    outcome.failed().says(LOST);
    place
        .run(By::Root, &["--user=nosuchuser"], &["true"])
        .code(125)
        .says("no such user");
    place
        .run(By::Nobody, &["--user=root"], &["true"])
        .code(125)
        .says("only root");
}

#[test]
fn bwrap_and_unshare_work_and_stay_guarded() {
    let Some(place) = Open::new() else { return };
    let server = Http::v4();
    let url = server.url();
    for by in [By::Root, By::Nobody] {
        for command in [
            &[
                "bwrap",
                "--bind",
                "/",
                "/",
                "--dev",
                "/dev",
                "--unshare-user",
                "curl",
                "-s",
                &url,
            ][..],
            &["unshare", "-r", "-m", "curl", "-s", &url],
        ] {
            if missing(command[0]) {
                continue;
            }
            let before = server.connections();
            let mut bare = by.words().to_vec();
            bare.extend(command);
            if !place.dir.bare(&bare).output().status.success() {
                skipped(&format!("{} does not work bare", command[0]));
                continue;
            }
            place.run(by, &GUARDED, command).ok().prints("page from");
            assert_eq!(server.connections(), before + 2);
            let deny = ["--guard=on", "--default=deny"];
            place.run(by, &deny, command).failed().says("deny");
            assert_eq!(server.connections(), before + 2, "{by:?} {command:?}");
        }
    }
    let command = ["unshare", "-n", "true"];
    if !place.dir.bare(&command).output().status.success() {
        skipped("unshare -n does not work bare");
        return;
    }
    place.run(By::Root, &GUARDED, &command).ok();
    let outcome = place.run(By::Nobody, &GUARDED, &command).failed();
    outcome.says("Operation not permitted");
}
