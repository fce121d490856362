//! The few words that `hallpass-agent` understands.

use eframe::egui::ThemePreference;
use hallpass_session::escape::escape_bytes;
use hallpass_session::paths::Variables;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Usage: hallpass-agent [--background] [--theme system|light|dark]

Puts the questions of all running hallpass sessions to you, in a window. There
is one for each user: started again, it shows the one that runs.

  --background   show no window until a question waits
  --theme T      light, dark, or what the desktop says (system, the default)
  -h, --help     print this
";

/// How the program was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    /// No window until a question waits.
    pub(crate) background: bool,
    /// Light or dark.
    pub(crate) theme: ThemePreference,
}

impl Args {
    /// None where help is asked for.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Option<Self>, String> {
        let mut parsed = Self {
            background: false,
            theme: ThemePreference::System,
        };
        let mut args = args;
        while let Some(arg) = args.next() {
            match arg.as_bytes() {
                b"-h" | b"--help" => return Ok(None),
                b"--background" => parsed.background = true,
                b"--theme" => {
                    let theme = args.next().unwrap_or_default();
                    parsed.theme = match theme.as_bytes() {
                        b"system" => ThemePreference::System,
                        b"light" => ThemePreference::Light,
                        b"dark" => ThemePreference::Dark,
                        other => return Err(wrong("theme", other, "system, light or dark")),
                    };
                }
                other => return Err(wrong("argument", other, "--background, --theme or --help")),
            }
        }
        Ok(Some(parsed))
    }
}

fn wrong(kind: &str, text: &[u8], instead: &str) -> String {
    format!("`{}` is no {kind}: write {instead}", escape_bytes(text, 60))
}

/// Whether there is a display to show a window on.
pub(crate) fn has_display(variables: Variables<'_>) -> bool {
    ["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY"]
        .iter()
        .any(|name| variables(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Option<Args>, String> {
        Args::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn words_are_understood() {
        let args = parse(&["--background", "--theme", "dark"])
            .unwrap()
            .unwrap();
        assert!(args.background);
        assert_eq!(args.theme, ThemePreference::Dark);
        assert_eq!(parse(&["--help"]), Ok(None));
        assert!(!parse(&[]).unwrap().unwrap().background);
    }

    #[test]
    fn other_words_are_refused_with_what_to_write() {
        for args in [
            &["--theme"][..],
            &["--theme", "pink"],
            &["show"],
            &["--backgrounds"],
        ] {
            assert!(parse(args).unwrap_err().contains("write"), "{args:?}");
        }
    }

    #[test]
    fn an_empty_display_is_none() {
        assert!(has_display(&|name| (name == "DISPLAY").then(|| ":0".into())));
        assert!(!has_display(&|_| Some(OsString::new())));
        assert!(!has_display(&|_| None));
    }
}
