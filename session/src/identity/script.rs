//! Which script an interpreter runs, from its command line.
//!
//! The command line is the program's own word. That is no worse than the hook itself: a program
//! that lies here could as well not be held at all (docs/threat-model.md).

/// An interpreter's option letters that decide where its script stands.
struct Interpreter {
    /// Base names; a version may follow (`python3.11`).
    names: &'static [&'static str],
    /// What short options begin with.
    signs: &'static [u8],
    /// Short options after which no script comes: the code is on the command line.
    code: &'static str,
    /// Short options whose value may be the next argument.
    valued: &'static str,
    /// Short options whose value, if they have one, is the rest of the same argument.
    joined: &'static str,
    /// Long options after which no script comes.
    code_long: &'static [&'static str],
    /// Long options whose value is the next argument.
    valued_long: &'static [&'static str],
}

const INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        names: &["python", "pypy"],
        signs: b"-",
        code: "cm",
        valued: "WXQ",
        joined: "",
        code_long: &[],
        valued_long: &["--check-hash-based-pycs"],
    },
    Interpreter {
        names: &["node", "nodejs"],
        signs: b"-",
        code: "ep",
        valued: "rC",
        joined: "",
        code_long: &["--eval", "--print"],
        valued_long: &[
            "--require",
            "--import",
            "--loader",
            "--experimental-loader",
            "--conditions",
            "--env-file",
            "--env-file-if-exists",
            "--inspect-port",
            "--debug-port",
            "--title",
            "--icu-data-dir",
            "--openssl-config",
        ],
    },
    Interpreter {
        names: &["perl"],
        signs: b"-",
        code: "eE",
        valued: "I",
        joined: "MmFiDCVx",
        code_long: &[],
        valued_long: &[],
    },
    Interpreter {
        names: &["ruby", "jruby"],
        signs: b"-",
        code: "e",
        valued: "IrCE",
        joined: "WKTFix",
        code_long: &[],
        valued_long: &[],
    },
    Interpreter {
        names: &["php"],
        signs: b"-",
        code: "rBRE",
        valued: "dcz",
        joined: "",
        code_long: &["--run"],
        valued_long: &[],
    },
    Interpreter {
        names: &["bash", "sh", "dash", "zsh", "ksh", "ash"],
        signs: b"-+",
        code: "cs",
        valued: "oO",
        joined: "",
        code_long: &[],
        valued_long: &["--rcfile", "--init-file"],
    },
    Interpreter {
        names: &["lua", "luajit", "tclsh", "wish", "guile", "Rscript", "fish"],
        signs: b"-",
        code: "ce",
        valued: "l",
        joined: "",
        code_long: &[],
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
                let text = argument.split(|byte| *byte == b'=').next();
                let mut code = interpreter.code_long.iter();
                if code.any(|long| Some(long.as_bytes()) == text) {
                    return None;
                }
                let valued = interpreter.valued_long.iter();
                if valued.copied().any(|long| long.as_bytes() == *argument) {
                    arguments.next()?;
                }
            }
            [sign, letters @ ..] if interpreter.signs.contains(sign) => {
                match cluster(interpreter, letters) {
                    Cluster::Code => return None,
                    Cluster::TakesNext => {
                        arguments.next()?;
                    }
                    Cluster::Complete => {}
                }
            }
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
        if interpreter.joined.as_bytes().contains(letter) {
            return Cluster::Complete;
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
            ("perl -MTime::HiRes run.pl", "run.pl"),
            ("perl -w -i.bake run.pl", "run.pl"),
            ("ruby -W:no-deprecated -E utf-8 x.rb", "x.rb"),
            ("node --inspect-port 9229 server.js", "server.js"),
            ("bash +e build.sh", "build.sh"),
            ("bash +o errexit -u build.sh", "build.sh"),
            ("sh -x -- build.sh", "build.sh"),
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
            "node --eval code x.js",
            "node --print=code x.js",
            "fish -c code x.fish",
            "perl -ne code",
            "perl -lne code x.pl",
            "perl -de 1 x.pl",
            "bash -lc code",
            "sh -s x",
            "curl app.py",
            "pythonista app.py",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
