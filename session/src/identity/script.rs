//! Which script an interpreter runs, from its command line.
//!
//! The command line is the program's own word. That is no worse than the hook itself: a program
//! that lies here could as well not be held at all (docs/threat-model.md).

/// An interpreter's option letters that decide where its script stands.
struct Interpreter {
    /// Base names; a version may follow (`python3.11`).
    names: &'static [&'static str],
    /// Short options after which no script comes: the code is on the command line.
    code: &'static str,
    /// Short options whose value may be the next argument.
    valued: &'static str,
    /// Long options whose value is the next argument.
    valued_long: &'static [&'static str],
}

const INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        names: &["python", "pypy"],
        code: "cm",
        valued: "WXQ",
        valued_long: &["--check-hash-based-pycs"],
    },
    Interpreter {
        names: &["node", "nodejs"],
        code: "ep",
        valued: "rC",
        valued_long: &[
            "--require",
            "--import",
            "--loader",
            "--experimental-loader",
            "--conditions",
        ],
    },
    Interpreter {
        names: &["perl"],
        code: "eE",
        valued: "I",
        valued_long: &[],
    },
    Interpreter {
        names: &["ruby", "jruby"],
        code: "e",
        valued: "IrC",
        valued_long: &[],
    },
    Interpreter {
        names: &["php"],
        code: "rBRE",
        valued: "dcz",
        valued_long: &[],
    },
    Interpreter {
        names: &["bash", "sh", "dash", "zsh", "ksh", "ash"],
        code: "cs",
        valued: "oO",
        valued_long: &["--rcfile", "--init-file"],
    },
    Interpreter {
        names: &["lua", "luajit", "tclsh", "wish", "guile", "Rscript", "fish"],
        code: "e",
        valued: "l",
        valued_long: &[],
    },
];

/// The script among the arguments, as it was written there. `program` is the executable's base
/// name, not argv\[0\].
pub(super) fn script<'a>(program: &str, argv: &[&'a [u8]]) -> Option<&'a [u8]> {
    let interpreter = INTERPRETERS.iter().find(|interpreter| {
        interpreter
            .names
            .iter()
            .any(|name| is_version_of(program, name))
    })?;
    let mut arguments = argv.iter().skip(1);
    while let Some(argument) = arguments.next() {
        match *argument {
            b"--" => return arguments.next().copied(),
            b"-" | b"" => return None,
            [b'-', b'-', ..] => {
                let valued = interpreter.valued_long.iter();
                if valued.copied().any(|long| long.as_bytes() == *argument) {
                    arguments.next()?;
                }
            }
            [b'-', letters @ ..] => match cluster(interpreter, letters) {
                Cluster::Code => return None,
                Cluster::TakesNext => {
                    arguments.next()?;
                }
                Cluster::Complete => {}
            },
            script => return Some(script),
        }
    }
    None
}

enum Cluster {
    Code,
    TakesNext,
    Complete,
}

/// Several short options may share one dash; a valued one swallows the rest.
fn cluster(interpreter: &Interpreter, letters: &[u8]) -> Cluster {
    for (index, letter) in letters.iter().enumerate() {
        if interpreter.code.as_bytes().contains(letter) {
            return Cluster::Code;
        }
        if interpreter.valued.as_bytes().contains(letter) {
            let is_last = index + 1 == letters.len();
            return if is_last {
                Cluster::TakesNext
            } else {
                Cluster::Complete
            };
        }
    }
    Cluster::Complete
}

/// `python3.11` is a version of `python`; `pythonista` is not.
fn is_version_of(program: &str, name: &str) -> bool {
    program.strip_prefix(name).is_some_and(|rest| {
        rest.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::script;

    fn of(line: &str) -> Option<String> {
        let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let program = line.split(' ').next().unwrap();
        script(program, &argv).map(|s| String::from_utf8(s.to_vec()).unwrap())
    }

    #[test]
    fn the_script_is_the_first_argument_that_is_no_option() {
        for (line, expected) in [
            ("python3 app.py --port 1", "app.py"),
            ("python3.11 -u -W ignore -Xdev app.py", "app.py"),
            ("node --import x.mjs server.js", "server.js"),
            ("node --max-old-space-size=4096 server.js", "server.js"),
            ("perl -w -I lib run.pl", "run.pl"),
            ("perl -Ilib run.pl", "run.pl"),
            ("bash -eu -o pipefail build.sh", "build.sh"),
            ("sh -- -odd.sh", "-odd.sh"),
            ("ruby -rjson x.rb", "x.rb"),
        ] {
            assert_eq!(of(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn code_on_the_command_line_is_no_script() {
        for line in [
            "python3 -c code",
            "python3 -Bc code",
            "python3 -m http.server",
            "python3",
            "python3 -",
            "node -e code",
            "perl -ne code",
            "bash -lc code",
            "sh -s x",
            "curl app.py",
            "pythonista app.py",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
