//! The file that `hallpass wrap` writes: a few lines of POSIX sh that look for the real program
//! and start it through hallpass.

use super::flags::Flags;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How the second line of every shim begins; shims know each other by it.
const MARK: &str = "# Written by `hallpass wrap`";
/// No shim is longer, in bytes.
const MAX: u64 = 256 * 1024;
/// What stands before and after the flags in the line that starts the program.
const BEFORE_FLAGS: &[u8] = b" run ";
const AFTER_FLAGS: &[u8] = br#"-- "$_hallpass_real" "$@""#;

/// A shim, with what is put in between `§`.
///
/// It passes by every shim on PATH, itself included, whatever links or directories lead to it: so
/// it can neither call itself nor be called twice. The shell's variables have names that no
/// program's environment has, or they would change there.
const TEMPLATE: &str = r##"#!/bin/sh
§mark§: starts a program through hallpass.
# Remove it with: hallpass wrap --dir §dir§ --remove §name§
set -f
IFS=:
for _hallpass_dir in $PATH; do
    _hallpass_real=${_hallpass_dir:-.}/§name§
    [ -f "$_hallpass_real" ] && [ -x "$_hallpass_real" ] || continue
    # Passes by shims, itself included.
    _hallpass_mark=
    { read -r _hallpass_mark && read -r _hallpass_mark; } 2>/dev/null <"$_hallpass_real"
    case $_hallpass_mark in '§mark§'*) continue ;; esac
    set +f
    if [ -z "${HALLPASS-}" ]; then
        export HALLPASS_SHIMS=§self§
        exec §hallpass§ run §flags§-- "$_hallpass_real" "$@"
    fi
    # Inside a session, which this narrows; once for all that it starts.
    case ":${HALLPASS_SHIMS-}:" in *:§self§:*) exec "$_hallpass_real" "$@" ;; esac
    export HALLPASS_SHIMS="${HALLPASS_SHIMS-}:"§self§
    exec §inner§"$_hallpass_real" "$@"
done
printf 'hallpass: %s: not found on PATH; its shim is %s\n' §name§ "$0" >&2
exit 127
"##;

/// The text of a shim.
pub(super) fn text(hallpass: &Path, dir: &Path, name: &OsStr, flags: &Flags) -> Vec<u8> {
    let put = |what: &str| match what {
        "mark" => MARK.as_bytes().to_vec(),
        "dir" => quoted(dir.as_os_str()),
        "name" => quoted(name),
        "hallpass" => quoted(hallpass.as_os_str()),
        "self" => quoted(dir.join(name).as_os_str()),
        "flags" => words(&flags.words),
        "inner" if flags.inner.is_empty() => Vec::new(),
        "inner" => {
            let hallpass = quoted(hallpass.as_os_str());
            [&hallpass[..], b" run ", &words(&flags.inner), b"-- "].concat()
        }
        text => text.as_bytes().to_vec(),
    };
    let parts = TEMPLATE.split('§').enumerate();
    parts
        .flat_map(|(index, part)| match index % 2 {
            0 => part.as_bytes().to_vec(),
            _ => put(part),
        })
        .collect()
}

/// Each with a blank behind it.
fn words(words: &[OsString]) -> Vec<u8> {
    let each = words.iter();
    each.flat_map(|word| [&quoted(word)[..], b" "].concat())
        .collect()
}

/// The shim in a file; none where it is something else, or there is nothing.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    // What a link leads to is somebody else's.
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() <= MAX => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX).read_to_end(&mut bytes)?;
    Ok(is_shim(&bytes).then_some(bytes))
}

fn is_shim(bytes: &[u8]) -> bool {
    let second = bytes.split(|byte| *byte == b'\n').nth(1);
    second.is_some_and(|line| line.starts_with(MARK.as_bytes()))
}

/// The flags in a shim, as it has them.
pub(super) fn flags(shim: &[u8]) -> Option<&[u8]> {
    let mut lines = shim.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.trim_ascii_start().starts_with(b"exec "))?;
    let flags = line.strip_suffix(AFTER_FLAGS)?;
    let start = flags
        .windows(BEFORE_FLAGS.len())
        .position(|it| it == BEFORE_FLAGS)?;
    Some(flags.get(start + BEFORE_FLAGS.len()..)?.trim_ascii())
}

/// The program that a shim of this name would start: the first on PATH that is no shim.
pub(super) fn real(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    let is_real = |file: &PathBuf| is_program(file) && !starts_as_shim(file);
    candidates(name, path).find(is_real)
}

/// What this name means on PATH now.
pub(super) fn first(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    candidates(name, path).find(is_program)
}

fn candidates(name: &OsStr, path: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).map(move |dir| match dir.as_os_str().is_empty() {
        true => Path::new(".").join(name),
        false => dir.join(name),
    })
}

fn is_program(file: &PathBuf) -> bool {
    std::fs::metadata(file)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// As the shim itself looks at it: links are followed.
fn starts_as_shim(file: &PathBuf) -> bool {
    let mut start = [0; 256];
    let length = File::open(file).and_then(|mut file| file.read(&mut start));
    length.is_ok_and(|length| is_shim(start.get(..length).unwrap_or_default()))
}

/// A word that the shell takes as it is.
fn quoted(word: &OsStr) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=+@%/.,:".contains(byte);
    let bytes = word.as_bytes();
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        return bytes.to_vec();
    }
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'\'').collect();
    [b"'", parts.join(&br"'\''"[..]).as_slice(), b"'"].concat()
}

/// A word as a person would type it.
pub(super) fn shown(word: &OsStr) -> String {
    let quoted = OsString::from_vec(quoted(word));
    hallpass_session::escape::escape_bytes(quoted.as_bytes(), hallpass_session::escape::WHOLE_PATH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};

    #[test]
    fn words_are_quoted_where_they_must_be() {
        let text = |word: &str| String::from_utf8(quoted(OsStr::new(word))).unwrap();
        assert_eq!(text("--allow=*.a.test"), "'--allow=*.a.test'");
        assert_eq!(text("--policy=/a/b.json"), "--policy=/a/b.json");
        assert_eq!(text("it's"), r"'it'\''s'");
        assert_eq!(text(""), "''");
        assert_eq!(text("~x"), "'~x'");
    }

    #[test]
    fn a_shim_is_known_by_its_second_line_and_tells_its_flags() {
        let of = |words: &[&str]| {
            let all = ["wrap"].iter().chain(words);
            Flags::from_arg_matches(
                &Flags::augment_args(clap::Command::new("wrap")).get_matches_from(all),
            )
            .unwrap()
        };
        let shim = text(
            Path::new("/opt/hall pass"),
            Path::new("/d"),
            OsStr::new("npm"),
            &of(&["--policy=/a b/p.json", "--verbose"]),
        );
        assert!(is_shim(&shim));
        assert_eq!(flags(&shim).unwrap(), b"'--policy=/a b/p.json' --verbose");
        let bare = text(
            Path::new("/h"),
            Path::new("/d"),
            OsStr::new("npm"),
            &of(&[]),
        );
        assert_eq!(flags(&bare).unwrap(), b"");
        for other in ["", "#!/bin/sh\n", "#!/bin/sh\n# Written by somebody\n"] {
            assert!(!is_shim(other.as_bytes()), "{other}");
        }
    }
}
