//! All of it once more without privileges.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn everything_again_as_nobody() {
    let again = std::env::var_os("GUARD_AS_NOBODY").is_some() || crate::support::makes_sockets();
    if again || !nix::unistd::geteuid().is_root() {
        return;
    }
    // Where nobody can read them.
    let place = crate::support::scratch("nobody");
    let binary = place.join("suite");
    std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
    let fixtures = place.join("fixtures");
    std::fs::create_dir(&fixtures).unwrap();
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guard/fixtures");
    for source in std::fs::read_dir(sources).unwrap() {
        let source = source.unwrap();
        std::fs::copy(source.path(), fixtures.join(source.file_name())).unwrap();
    }
    let home = place.join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o777)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&binary)
        .current_dir(&home)
        .env("HOME", &home)
        .env("GUARD_AS_NOBODY", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
