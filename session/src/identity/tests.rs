use super::{Identifier, absolute, arguments, is_alive};
use crate::escape::escape_path;
use hallpass_policy::{AppPattern, Subject};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn sleeper(script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command.spawn().unwrap()
}

fn stop(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_child_descends_from_its_session_and_a_stranger_does_not() {
    let child = sleeper("exec sleep 30");
    let mut ours = Identifier::new(std::process::id());
    let identity = ours.identify(child.id()).unwrap();
    assert_eq!(*identity.lineage, [child.id()]);
    assert!(
        Identifier::new(child.id())
            .identify(std::process::id())
            .is_none()
    );
    stop(child);
}

/// A shell that becomes `sleep` once it is given a line.
fn sleeper_to_be() -> Child {
    Command::new("sh")
        .args(["-c", "read x; exec sleep 30"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn exec_changes_who_a_process_is() {
    let mut child = sleeper_to_be();
    let mut ours = Identifier::new(std::process::id());
    assert_ne!(ours.identify(child.id()).unwrap().app.subject.name, "sleep");
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"\n").unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while ours.identify(child.id()).unwrap().app.subject.name != "sleep" {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    stop(child);
}

#[test]
fn a_user_without_a_name_is_its_number() {
    use nix::unistd::{Uid, User};
    if !Uid::effective().is_root() {
        println!("skipped: only root starts programs of other users");
        return;
    }
    let has_no_name = |uid: &u32| User::from_uid(Uid::from_raw(*uid)).unwrap().is_none();
    let uid = (4321..).find(has_no_name).unwrap();
    let mut command = Command::new("sleep");
    let child = std::os::unix::process::CommandExt::uid(command.arg("30"), uid);
    let child = child.spawn().unwrap();
    let mut ours = Identifier::new(std::process::id());
    let subject = ours.identify(child.id()).unwrap().app.subject.clone();
    let rule = |user: u32| format!("user:{user}").parse::<AppPattern>().unwrap();
    assert!(rule(uid).matches(&subject) && !rule(uid + 1).matches(&subject));
    stop(child);
}

/// The same program with the same words is another script where it is started elsewhere.
#[test]
fn a_script_that_becomes_its_namesake_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let [first, second] = ["a", "b"].map(|name| dir.path().join(name));
    for (place, text) in [
        (&first, "read x; cd ../b; exec bash ./run.sh"),
        (&second, "echo there; read x"),
    ] {
        std::fs::create_dir(place).unwrap();
        std::fs::write(place.join("run.sh"), text).unwrap();
    }
    let mut child = Command::new("bash")
        .arg("./run.sh")
        .current_dir(&first)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ours = Identifier::new(std::process::id());
    let pid = child.id();
    let mut script = || ours.identify(pid).unwrap().app.subject.script.clone();
    let path = |place: &Path| Some(place.join("run.sh").to_str().unwrap().to_owned());
    assert_eq!(script(), path(&first));
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"\n").unwrap();
    let mut line = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    assert_eq!(script(), path(&second));
    stop(child);
}

#[test]
fn a_known_image_is_not_looked_at_again() {
    let child = sleeper("exec sleep 30");
    let pid = child.id();
    let mut ours = Identifier::new(std::process::id());
    let first = ours.identify_image(pid, 7, 0).unwrap();
    stop(child);
    let again = ours.identify_image(pid, 7, 0).unwrap();
    assert_eq!(again.app, first.app);
    // Another image, another user, or an image that is not said: the process is looked for.
    for (image, uid) in [(8, 0), (7, 1), (0, 0)] {
        assert!(ours.identify_image(pid, image, uid).is_none());
    }
}

#[test]
fn a_running_program_is_looked_at_once_until_it_is_another() {
    let mut child = sleeper_to_be();
    let mut ours = Identifier::new(std::process::id());
    let mut app = || ours.identify_running(child.id()).unwrap().app;
    let first = app();
    assert!(std::sync::Arc::ptr_eq(&first, &app()));
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"\n").unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while ours.identify_running(child.id()).unwrap().app.subject.name != "sleep" {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = child.id();
    stop(child);
    assert!(ours.identify_running(pid).is_none());
}

#[test]
fn a_dead_process_is_not_alive() {
    let child = sleeper("exec sleep 30");
    let pid = child.id();
    assert!(is_alive(pid));
    stop(child);
    assert!(!is_alive(pid));
}

#[test]
fn a_script_path_keeps_the_name_it_was_called_by() {
    let in_tmp = |script: &[u8]| absolute(script, Some(Path::new("/tmp/a")));
    assert_eq!(in_tmp(b"x.py"), Some(PathBuf::from("/tmp/a/x.py")));
    assert_eq!(in_tmp(b"../b/./x.py"), Some(PathBuf::from("/tmp/b/x.py")));
    assert_eq!(in_tmp(b"/../x"), Some(PathBuf::from("/x")));
    assert_eq!(absolute(b"x.py", None), None);
}

#[test]
fn a_rule_can_be_written_for_whatever_is_shown() {
    let long = [b"/".as_slice(), &[0x1b; 4000]].concat();
    let mut shown = std::collections::HashSet::new();
    for path in [
        b"/opt/cafe\xcc\x81".as_slice(),
        "/opt/हिन्दी".as_bytes(),
        b"/opt/x",
        b"/opt/x ",
        b"/opt/x  ",
        br"/opt/x\u{20}",
        b"/opt/x\t",
        b"/opt/x\xff*:\n y",
        b"/opt/e\xcc\x81\xcc\x81\xcc\x81\xcc\x81",
        &long,
        &[long.as_slice(), b"y"].concat(),
    ] {
        let exe = escape_path(Path::new(OsStr::from_bytes(path)));
        let subject = |script: Option<&String>| Subject {
            exe: exe.clone(),
            script: script.cloned(),
            ..Subject::default()
        };
        for subject in [subject(None), subject(Some(&exe))] {
            let rule = AppPattern::for_subject(&subject);
            assert_eq!(rule.to_string().parse(), Ok(rule));
        }
        assert!(shown.insert(exe), "shown like another");
    }
}

#[test]
fn the_room_that_a_title_leaves_is_no_arguments() {
    let read = |cmdline: &'static [u8]| arguments(cmdline).collect::<Vec<_>>();
    assert_eq!(read(b"npm view x\0\0\0\0"), [b"npm view x"]);
    assert_eq!(read(b"sleep\x0030\0"), [b"sleep".as_slice(), b"30"]);
    assert_eq!(read(b"a\0\0b\0\0"), [b"a".as_slice(), b"", b"b", b""]);
    assert_eq!(read(b""), [b""]);
}
