use super::*;
use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::SystemTime;

/// A directory of the test's own, removed with it.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn bases(&self) -> Vec<PathBuf> {
        vec![self.0.path().join("hallpass")]
    }
}

fn chosen(xdg: Option<&Path>) -> Vec<PathBuf> {
    let xdg = xdg.map(|path| path.as_os_str().to_owned());
    bases(&|name: &str| -> Option<OsString> { xdg.clone().filter(|_| name == "XDG_RUNTIME_DIR") })
}

fn in_tmp() -> PathBuf {
    PathBuf::from(format!("/tmp/hallpass-{}", nix::unistd::Uid::effective()))
}

#[test]
fn the_runtime_directory_of_the_environment_is_used() {
    let scratch = Scratch::new();
    assert_eq!(
        chosen(Some(scratch.0.path()))[0],
        scratch.0.path().join("hallpass")
    );
}

#[test]
fn tmp_is_used_where_the_environment_names_none_that_fits() {
    let scratch = Scratch::new();
    let long = scratch.0.path().join("x".repeat(80));
    std::fs::create_dir(&long).unwrap();
    for xdg in [
        None,
        Some(Path::new("relative")),
        Some(Path::new("/nonexistent")),
        Some(&*long),
    ] {
        assert_eq!(chosen(xdg)[0], in_tmp(), "{xdg:?}");
    }
}

#[test]
fn the_longest_base_that_is_used_lets_every_socket_be_bound() {
    let scratch = Scratch::new();
    let used = |length: usize| {
        let dir = scratch.0.path().join("y".repeat(length));
        std::fs::create_dir(&dir).unwrap();
        (chosen(Some(&dir))[0] == dir.join("hallpass")).then(|| dir.join("hallpass"))
    };
    let longest = (1..90).map_while(used).last().unwrap();
    let dir = longest.join("4194304-00000000");
    std::fs::create_dir_all(&dir).unwrap();
    std::os::unix::net::UnixListener::bind(dir.join("control")).unwrap();
}

#[test]
fn a_session_is_seen_while_it_lives_and_gone_afterwards() {
    let scratch = Scratch::new();
    let bases = scratch.bases();
    let dir = RuntimeDir::create(&bases).unwrap();
    assert_eq!(
        dir.path().metadata().unwrap().permissions().mode() & 0o7777,
        0o700
    );
    std::os::unix::net::UnixListener::bind(dir.control_socket()).unwrap();
    std::os::unix::net::UnixListener::bind(dir.ask_socket()).unwrap();
    let seen = sessions(&bases);
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].name, seen[0].dir.as_path()),
        (dir.name(), dir.path())
    );
    assert_eq!(seen[0].control_socket(), dir.control_socket());
    let path = dir.path().to_owned();
    drop(dir);
    assert!(!path.exists());
    assert!(sessions(&bases).is_empty());
}

#[test]
fn what_a_dead_session_left_is_cleared_away_and_nothing_else() {
    let scratch = Scratch::new();
    let bases = scratch.bases();
    let alive = RuntimeDir::create(&bases).unwrap();
    let dead = bases[0].join("4000000-0badcafe");
    std::fs::create_dir(&dead).unwrap();
    std::fs::write(dead.join("control"), "").unwrap();
    let beginning = bases[0].join(".new-4000000-0badcafe");
    std::fs::create_dir(&beginning).unwrap();
    let foreign = bases[0].join("notes");
    std::fs::create_dir(&foreign).unwrap();
    sweep(&bases);
    assert!(!dead.exists());
    assert!(beginning.exists() && foreign.exists() && alive.path().exists());
    let old = SystemTime::now() - std::time::Duration::from_secs(3600);
    base::open_dir(&beginning)
        .unwrap()
        .set_modified(old)
        .unwrap();
    sweep(&bases);
    assert!(!beginning.exists());
}

#[test]
fn the_lock_outlives_nothing_but_the_process() {
    let scratch = Scratch::new();
    let bases = scratch.bases();
    let dir = RuntimeDir::create(&bases).unwrap();
    let path = dir.path().to_owned();
    // As if the process had been killed: nothing of ours runs, the descriptor goes.
    dir._lock.unlock().unwrap();
    assert!(sessions(&bases).is_empty());
    assert!(!path.exists());
}

#[test]
fn a_base_that_is_not_ours_alone_is_refused_by_name() {
    let scratch = Scratch::new();
    let bases = scratch.bases();
    let base = &bases[0];
    let refusal = || RuntimeDir::create(&bases).unwrap_err().to_string();

    symlink("/tmp", base).unwrap();
    assert!(refusal().contains("is a symlink"), "{}", refusal());
    std::fs::remove_file(base).unwrap();

    std::fs::write(base, "").unwrap();
    assert!(refusal().contains("is not a directory"), "{}", refusal());
    std::fs::remove_file(base).unwrap();

    std::fs::create_dir(base).unwrap();
    std::fs::set_permissions(base, std::fs::Permissions::from_mode(0o770)).unwrap();
    assert!(
        refusal().contains("open to other users (mode 770)"),
        "{}",
        refusal()
    );
    assert!(sessions(&bases).is_empty());

    if nix::unistd::Uid::effective().is_root() {
        std::os::unix::fs::chown(base, Some(12345), None).unwrap();
        assert!(
            refusal().contains("belongs to user id 12345"),
            "{}",
            refusal()
        );
    }
}

#[test]
fn people_may_shorten_a_session_s_name() {
    let scratch = Scratch::new();
    let bases = scratch.bases();
    let first = RuntimeDir::create(&bases).unwrap();
    assert_eq!(
        find(&bases, &first.name().to_string()).unwrap().name,
        first.name()
    );
    assert_eq!(
        find(&bases, &first.name().pid.to_string()).unwrap().name,
        first.name()
    );
    let second = RuntimeDir::create(&bases).unwrap();
    let error = find(&bases, &second.name().pid.to_string()).unwrap_err();
    assert!(error.what.contains("several"), "{error}");
    assert!(error.instead.contains(&first.name().to_string()), "{error}");
    assert!(find(&bases, "").is_err());
    assert!(
        find(&bases, "1-\u{1b}[2J")
            .unwrap_err()
            .to_string()
            .contains(r"1-\u{1b}[2J")
    );
}

#[test]
fn what_one_session_left_is_removed_and_nothing_else() {
    let scratch = Scratch::new();
    let ours = RuntimeDir::create(&scratch.bases()).unwrap();
    let base = scratch.0.path().join("hallpass");
    for name in [
        "4711-0badcafe",
        ".new-4711-00000001",
        "4712-0badcafe",
        "notes",
    ] {
        std::fs::create_dir(base.join(name)).unwrap();
    }
    remove(&scratch.bases(), 4711);
    let mut left: Vec<_> = std::fs::read_dir(&base)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let mut expected = vec![
        "4712-0badcafe".to_owned(),
        ours.name().to_string(),
        "notes".into(),
    ];
    expected.sort();
    assert_eq!(left, expected);
}
