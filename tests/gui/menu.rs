//! The entry in the desktop's menu, put there by the commands that docs/dialog.md gives.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The block of shell commands in docs/dialog.md that speaks of the entry.
fn commands() -> String {
    let text = std::fs::read_to_string(repository().join("docs/dialog.md")).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    let mut blocks = blocks.filter_map(|rest| rest.split("```").next());
    let block = blocks.find(|block| block.contains("hallpass-agent.desktop"));
    block.expect("docs/dialog.md says how").to_owned()
}

#[test]
fn the_documented_commands_put_it_where_desktops_look() {
    for variable in ["XDG_DATA_HOME", "HOME"] {
        let place = TempDir::new().unwrap();
        let mut shell = Command::new("sh");
        shell
            .args(["-euc", &commands()])
            .current_dir(repository())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env(variable, place.path());
        if variable != "HOME" {
            shell.env("HOME", "/nonexistent");
        }
        let done = shell.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{variable}: {said}");
        let data = match variable {
            "HOME" => place.path().join(".local/share"),
            _ => place.path().to_owned(),
        };
        let entry = data.join("applications/hallpass-agent.desktop");
        let icon = data.join("icons/hicolor/scalable/apps/hallpass-agent.svg");
        for file in [&entry, &icon] {
            let mode = std::fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o644, "{}", file.display());
        }
        validate(&entry);
    }
}

#[test]
fn the_entry_names_the_program_the_icon_and_the_window() {
    let data = repository().join("agent/data");
    let text = std::fs::read_to_string(data.join("hallpass-agent.desktop")).unwrap();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|rest| rest.strip_prefix('=')).unwrap_or("")
    };
    let program = Path::new(env!("CARGO_BIN_EXE_hallpass-agent"));
    assert_eq!(Some(value("Exec").as_ref()), program.file_name());
    assert!(data.join(format!("{}.svg", value("Icon"))).exists());
    // What the window calls itself (tests/gui/screen.rs finds it by that).
    assert_eq!(value("StartupWMClass"), "hallpass-agent");
}

/// By the desktop's own judge, where it is installed.
fn validate(entry: &Path) {
    match Command::new("desktop-file-validate").arg(entry).output() {
        Ok(said) => assert!(said.status.success(), "{said:?}"),
        Err(error) => println!("not judged: desktop-file-validate: {error}"),
    }
}
