//! Package managers against an index of one tiny package each, on loopback.

use crate::column::{Case, Place};
use crate::harness::{Dir, Outcome, missing, skipped};
use crate::seen::{Blur, without_digits};
use crate::server::Server;

/// An index whose files a shell script makes in `www`; `$URL` is where they will be.
struct Index {
    dir: Dir,
    made: Server,
}

impl Index {
    fn new(script: &str) -> Self {
        let dir = Dir::new();
        let made = Server::files(dir.path("www"));
        dir.write("www/index.html", "");
        let url = format!("http://127.0.0.1:{}", made.port());
        dir.bare(&["sh", "-euc", script])
            .env("URL", url)
            .env("WWW", dir.path("www"))
            .output()
            .ok();
        Self { dir, made }
    }

    /// As bare where all is allowed.
    #[track_caller]
    fn same(self, blur: Blur, case: impl Fn(&Place<'_>) -> Outcome, prints: &str) {
        let _dir = self.dir;
        let case = Case::default().server(self.made).blur(blur).same(case);
        case.ok().prints(prints);
    }
}

const NPM: &str = r#"
mkdir package; echo 'module.exports = "hello"' > package/index.js
echo '{"name": "tiny", "version": "1.0.0"}' > package/package.json
tar czf "$WWW/tiny-1.0.0.tgz" package
echo '{"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"name": "tiny",
  "version": "1.0.0", "dist": {"tarball": "'"$URL"'/tiny-1.0.0.tgz"}}}}' > "$WWW/tiny"
"#;

fn npm(it: &Place<'_>) -> Outcome {
    it.dir.write("home/package.json", "{}");
    let script = "npm install --registry \"$0\" --no-audit --no-fund --no-update-notifier \
        --logs-max 0 --fetch-retries 0 tiny && node -p 'require(\"tiny\")'";
    it.run(&["sh", "-c", script, &it.url()])
}

/// Session ids, times (in seconds or milliseconds).
fn npm_blur(line: &str) -> Option<String> {
    let drops = ["npm-session", "A complete log of this run", "package in "];
    (!drops.iter().any(|text| line.contains(text)))
        .then(|| without_digits(line))
        .flatten()
}

#[test]
fn npm_install() {
    if !missing("npm") {
        Index::new(NPM).same(Blur::lines(npm_blur), npm, "hello");
    }
}

#[test]
fn npm_refused() {
    if !missing("npm") {
        Case::default()
            .blur(Blur::lines(npm_blur))
            .refused(npm)
            .failed()
            .prints("ECONNREFUSED");
    }
}

const PIP: &str = r#"
mkdir -p "$WWW/tiny"
/usr/bin/python3 - "$WWW/tiny" <<'END'
import sys, zipfile
name = 'tiny-1.0-py3-none-any.whl'
with zipfile.ZipFile(sys.argv[1] + '/' + name, 'w') as wheel:
    info = 'tiny-1.0.dist-info/'
    wheel.writestr('tiny.py', 'print("hello")\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr(info + 'RECORD', f'tiny.py,,\n{info}METADATA,,\n{info}WHEEL,,\n{info}RECORD,,\n')
open(sys.argv[1] + '/index.html', 'w').write(f'<!DOCTYPE html><a href="{name}">{name}</a>')
END
"#;

fn pip(it: &Place<'_>) -> Outcome {
    let script = "/usr/bin/python3 -m pip install -q --disable-pip-version-check --no-cache-dir \
        --retries 0 --index-url \"$0\" --target here tiny && /usr/bin/python3 here/tiny.py";
    it.run(&["sh", "-c", script, &it.url()])
}

/// Object addresses in its messages.
fn pip_blur(line: &str) -> Option<String> {
    let end = |text: &str| text.find('>').unwrap_or(0);
    Some(match line.split_once(" at 0x") {
        Some((before, after)) => format!("{before}{}", &after[end(after)..]),
        None => line.to_owned(),
    })
}

fn no_pip() -> bool {
    let none = missing("pip");
    if none {
        skipped("pip is not installed");
    }
    none
}

#[test]
fn pip_install() {
    if !no_pip() {
        Index::new(PIP).same(Blur::lines(pip_blur), pip, "hello");
    }
}

#[test]
fn pip_refused() {
    if !no_pip() {
        Case::default()
            .blur(Blur::lines(pip_blur))
            .refused(pip)
            .failed();
    }
}

const CARGO: &str = r#"
mkdir -p tiny-1.0.0/src "$WWW/ti/ny"
echo 'pub fn hello() {}' > tiny-1.0.0/src/lib.rs
printf '[package]\nname = "tiny"\nversion = "1.0.0"\nedition = "2021"\n' > tiny-1.0.0/Cargo.toml
tar czf "$WWW/tiny.crate" tiny-1.0.0
sum=$(sha256sum "$WWW/tiny.crate" | cut -d' ' -f1)
echo '{"dl": "'"$URL"'/tiny.crate?"}' > "$WWW/config.json"
echo '{"name": "tiny", "vers": "1.0.0", "deps": [], "cksum": "'$sum'", "features": {}, "yanked": false}' \
    > "$WWW/ti/ny/tiny"
"#;

fn cargo(it: &Place<'_>) -> Outcome {
    let manifest = "[package]\nname = \"user\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
        [dependencies]\ntiny = { version = \"1\", registry = \"local\" }\n";
    it.dir.write("home/Cargo.toml", manifest);
    it.dir.write("home/src/lib.rs", "");
    let index = format!("[registries.local]\nindex = \"sparse+{}\"\n", it.url());
    it.dir.write(
        "home/.cargo/config.toml",
        format!("{index}[net]\nretry = 0\n"),
    );
    // The toolchain's own: the one on PATH may be a chooser of toolchains, which has another HOME.
    let program = std::env::var("CARGO").unwrap();
    let rustc = std::path::Path::new(&program).with_file_name("rustc");
    it.command(&[&program, "fetch"])
        .env("RUSTC", rustc)
        .output()
}

/// Cargo says what it is doing now and then, for people: how far it is depends on the moment.
fn cargo_blur(line: &str) -> Option<String> {
    (!line.contains("Blocking waiting")).then(|| line.to_owned())
}

#[test]
fn cargo_fetch() {
    Index::new(CARGO).same(Blur::lines(cargo_blur), cargo, "Downloaded tiny");
}

#[test]
fn cargo_refused() {
    Case::default()
        .blur(Blur::lines(without_digits))
        .refused(cargo)
        .failed();
}
