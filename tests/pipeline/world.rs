//! What a case starts with: a home, a name server, a registry, a server that packages may fetch
//! from, and one that nothing may ever reach.

use crate::alone::{NAMES, NameServer};
use crate::harness::{Dir, Outcome};
use crate::server::Server;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A name that no rule of any case could allow.
pub(crate) const SECRET: &str = "c2vjcmv0.attacker.test";

pub(crate) struct World {
    pub(crate) dir: Dir,
    pub(crate) names: NameServer,
    /// Serves the files of `www`.
    pub(crate) registry: Server,
    /// Where good packages fetch from.
    pub(crate) files: Server,
    /// Whoever connects here has got out.
    pub(crate) beacon: Server,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = Dir::new();
        dir.write("www/index.html", "");
        let [registry, files, _] = NAMES.map(|(_, address)| address);
        Self {
            names: NameServer::start(),
            registry: Server::at(registry, Some(dir.path("www"))),
            files: Server::at(files, None),
            beacon: Server::default(),
            dir,
        }
    }

    /// Where the registry is, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://registry.test:{}", self.registry.port())
    }

    /// A fixture with the places of this world in it.
    pub(crate) fn filled(&self, text: &str) -> String {
        text.replace("@FILES@", &self.files.port().to_string())
            .replace("@BEACON@", &self.beacon.port().to_string())
            .replace("@SECRET@", SECRET)
            .replace("@POLICY@", &self.path("policy.json"))
            .replace("@REPORTS@", &self.path("reports"))
    }

    fn path(&self, name: &str) -> String {
        self.dir.path("home").join(name).display().to_string()
    }

    /// Learns the policy that the command needs, as `policy.json`, and tries it with the same.
    #[track_caller]
    pub(crate) fn round_trip(&self, run: &Run<'_>) -> String {
        let _ = fs::remove_file(self.path("policy.json"));
        let args = ["learn", "-o", "policy.json", "--"];
        let outcome = run.of(self, &args).ok().says("learned, in policy.json");
        assert!(!outcome.stderr.contains("not learned"), "{outcome}");
        let policy = fs::read_to_string(self.path("policy.json")).unwrap();
        let check = self.dir.hallpass(&["check", "policy.json"]).output().ok();
        assert!(!check.stdout.contains("warning"), "{check}\n{policy}");
        let flags = [
            "run",
            "--policy=policy.json",
            "--prompt=none",
            "--fail-on-block",
            "--",
        ];
        let again = run.of(self, &flags).ok();
        assert!(!again.stderr.contains("refused"), "{again}\n{policy}");
        policy
    }

    /// Nothing got out.
    #[track_caller]
    pub(crate) fn expect_nothing_out(&self) {
        assert_eq!(self.beacon.connections(), 0);
        let asked = self.names.asked();
        assert!(!asked.iter().any(|name| name == SECRET), "{asked:?}");
    }
}

/// A command that can be run again, whatever the last run has left.
pub(crate) struct Run<'a> {
    /// The working directory, in the home.
    pub(crate) project: &'a str,
    pub(crate) command: &'a str,
    pub(crate) env: &'a [(&'a str, String)],
}

impl Run<'_> {
    #[track_caller]
    pub(crate) fn of(&self, world: &World, args: &[&str]) -> Outcome {
        let script = format!("cd {} && {}", self.project, self.command);
        let mut words = args.to_vec();
        words.extend(["sh", "-c", &script]);
        let mut command = world.dir.hallpass(&words);
        for (name, value) in self.env {
            command = command.env(name, value);
        }
        command
            .spawn()
            .finish_within(std::time::Duration::from_secs(120))
    }
}

/// Packs a directory as a tar file with this name for its top folder.
#[track_caller]
pub(crate) fn pack(from: &Path, top: &str, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let status = Command::new("tar")
        .args(["-czf".as_ref(), to.as_os_str()])
        .arg(format!("--transform=s,^\\.,{top},"))
        .args(["-C".as_ref(), from.as_os_str(), ".".as_ref()])
        .status();
    assert!(status.unwrap().success());
}

/// The last part of the path of Debian's Python, which `python3` is a link to.
pub(crate) fn python_name() -> String {
    let path = fs::canonicalize("/usr/bin/python3").unwrap();
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// A program that needs no library and sees no preload; none where nothing links one.
pub(crate) fn static_program(dir: &Dir) -> Option<PathBuf> {
    let source = dir.write("evil/dial.c", include_str!("evil/dial.c"));
    let to = dir.path("evil/dial");
    ["musl-gcc", "cc"].into_iter().find_map(|compiler| {
        let words = ["-static", "-Os", "-o"].map(std::ffi::OsStr::new);
        let status = Command::new(compiler)
            .args(words)
            .args([to.as_os_str(), source.as_os_str()])
            .status();
        status
            .is_ok_and(|status| status.success())
            .then(|| to.clone())
    })
}
