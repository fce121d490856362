//! `hallpass explain`: what would decide a connection, and why.

mod destination;

use self::destination::{To, parse};
use super::failure::{Failure, Outcome};
use super::output::Output;
use crate::run::args::PolicyArgs;
use crate::run::coverage;
use crate::run::policy::assemble;
use crate::say::say;
use hallpass_policy::{
    AppPattern, Endpoint, Environment, Parent, Policy, Query, Subject, is_public_name,
};
use hallpass_session::environment;
use hallpass_session::identity::user_name;
use hallpass_session::problem::Problem;
use nix::unistd::Uid;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};

/// Say what would decide a connection to DEST, and why. Names are not looked up.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// Where to: one address or name, then `:port` and `/tcp` or `/udp` [default: :443/tcp].
    #[arg(value_name = "DEST", value_parser = parse)]
    to: To,

    /// The address that a name in DEST has.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<IpAddr>,

    /// Who connects: a path, a name (of the program, or script, that a shell would start),
    /// `script:PATH`, `parent:NAME`, `package:…`, `user:NAME`.
    #[arg(long, value_name = "APP", value_parser = app)]
    app: Option<AppPattern>,

    #[command(flatten)]
    rules: PolicyArgs,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What stands for the address of a name that nobody has looked up, and where that is: on the
/// internet and nobody's (RFC 5737), unless the name says otherwise.
fn stand_in(name: &str) -> (IpAddr, &'static str) {
    let is_localhost = name == "localhost" || name.ends_with(".localhost");
    let (address, place) = match (is_localhost, is_public_name(name)) {
        (true, _) => (Ipv4Addr::LOCALHOST, "this machine"),
        (false, false) => (
            Ipv4Addr::new(192, 168, 0, 1),
            "an address on the local network",
        ),
        (false, true) => (Ipv4Addr::new(203, 0, 113, 1), "an address on the internet"),
    };
    (address.into(), place)
}

fn app(text: &str) -> Result<AppPattern, String> {
    text.parse()
        .map_err(|error: hallpass_policy::AppError| error.to_string())
}

/// Runs the command.
pub(crate) fn run(args: &ExplainArgs) -> Outcome {
    let policy = assemble(&args.rules).map_err(|error| {
        say(&error);
        Failure::Said
    })?;
    let environment = environment::read();
    let started = started(args.app.as_ref(), std::env::var_os("PATH").as_deref());
    let app = started.as_ref().or(args.app.as_ref());
    let explanation = explain(&policy.policy, &environment, args, app)?;
    let mut output = Output::new();
    if args.json {
        output.json(&explanation)?;
    } else {
        output.line(explanation.to_string().trim_end())?;
    }
    output.finish()?;
    if let (Some(AppPattern::Name(name)), Some(started)) = (&args.app, &started) {
        say(&format!(
            "{name} stands for {started}, the first on PATH; give another by its path"
        ));
    }
    if let (To::Name { name, .. }, None) = (&args.to, args.address) {
        let (address, place) = stand_in(name);
        say(&format!(
            "{name} was not looked up: {address} stands for {place}; give its own with --address"
        ));
    }
    Ok(())
}

fn explain(
    policy: &Policy,
    environment: &Environment,
    args: &ExplainArgs,
    app: Option<&AppPattern>,
) -> Result<hallpass_policy::Explanation, Problem> {
    let subject = subject(app);
    let explain = |protocol, endpoint, names: &[&str]| {
        let query = Query {
            subject: &subject,
            protocol,
            endpoint,
            names,
        };
        policy.explain(&query, environment, jiff::Timestamp::now())
    };
    match (&args.to, args.address) {
        (
            To::Name {
                name,
                port,
                protocol,
            },
            address,
        ) => {
            let address = address.unwrap_or_else(|| stand_in(name).0);
            Ok(explain(
                *protocol,
                Endpoint::Ip {
                    address,
                    port: *port,
                },
                &[name],
            ))
        }
        (_, Some(_)) => Err(Problem {
            place: "--address".to_owned(),
            what: "says the address of a name, and DEST is no name".to_owned(),
            instead: "leave it out".to_owned(),
        }),
        (
            To::Address {
                address,
                port,
                protocol,
            },
            None,
        ) => Ok(explain(
            *protocol,
            Endpoint::Ip {
                address: *address,
                port: *port,
            },
            &[],
        )),
        (To::Unix { path }, None) => Ok(explain(
            hallpass_policy::Protocol::Tcp,
            Endpoint::Unix { path },
            &[],
        )),
    }
}

/// The program or script that a shell would start for a name; none where it is no name, or names
/// nothing.
fn started(app: Option<&AppPattern>, search: Option<&OsStr>) -> Option<AppPattern> {
    let Some(AppPattern::Name(name)) = app else {
        return None;
    };
    let found = coverage::find(OsStr::new(name), search)?;
    let mut head = [0; 2];
    let mut file = File::open(&found).ok()?;
    let is_script = file.read_exact(&mut head).is_ok() && &head == b"#!";
    // What runs is the file behind all links; a script keeps the path that it was started by.
    let text = match is_script {
        true => format!("script:{}", found.to_str()?),
        false => found.canonicalize().ok()?.to_str()?.to_owned(),
    };
    text.parse().ok()
}

/// Somebody whom just this pattern describes.
fn subject(app: Option<&AppPattern>) -> Subject {
    let anybody = || "any program".to_owned();
    let mut subject = Subject {
        exe: anybody(),
        name: anybody(),
        user: Some(user_name(Uid::current())),
        ..Subject::default()
    };
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    match app {
        None => {}
        Some(AppPattern::Path(path)) => {
            subject.name = base(path);
            subject.exe.clone_from(path);
        }
        Some(AppPattern::Script(path)) => {
            subject.name = base(path);
            subject.script = Some(path.clone());
        }
        Some(AppPattern::Name(name)) => {
            subject.name.clone_from(name);
            subject.exe.clone_from(name);
        }
        Some(AppPattern::Package(package)) => subject.packages = vec![package.clone()],
        Some(AppPattern::Parent(parent)) => {
            subject.parents = vec![Parent {
                pid: 1,
                exe: parent.clone(),
                script: None,
                name: base(parent),
            }];
        }
        Some(AppPattern::User(user)) => subject.user = Some(user.clone()),
    }
    subject
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        explain: ExplainArgs,
    }

    fn said(line: &str) -> String {
        let words = ["explain"].into_iter().chain(line.split_whitespace());
        let args = Line::try_parse_from(words)
            .unwrap_or_else(|error| panic!("{error}"))
            .explain;
        let policy = assemble(&args.rules).unwrap();
        let environment = Environment {
            attached: Vec::new(),
            nameservers: Vec::new(),
        };
        explain(&policy.policy, &environment, &args, args.app.as_ref()).map_or_else(
            |problem| problem.to_string(),
            |explanation| explanation.to_string(),
        )
    }

    #[test]
    fn the_rule_that_decides_is_named() {
        let text = said(
            "printer.lan:631 --address 192.168.1.9 --allow @lan --deny printer.lan:80 --default deny",
        );
        assert!(text.starts_with("allow: "), "{text}");
        assert!(
            text.contains("192.168.1.9:631/tcp (printer.lan), lan"),
            "{text}"
        );
        assert!(
            text.contains("allow @lan") && text.contains("deny printer.lan:80"),
            "{text}"
        );
        let text = said("10.0.0.7 --default deny --allow 10.0.0.7:80");
        assert!(
            text.starts_with("deny: ") && text.contains(":443/tcp"),
            "{text}"
        );
    }

    #[test]
    fn a_program_is_told_from_another() {
        let rules = "--default deny --policy";
        let dir = std::env::temp_dir().join(format!("hallpass-explain-{}", std::process::id()));
        std::fs::write(&dir, r#"{"version":1,"rules":[{"do":"allow","to":["@any"],"app":"/usr/bin/curl"},{"do":"ask","to":["@any"],"app":"script:/x/npm"}]}"#).unwrap();
        let file = dir.display();
        assert!(said(&format!("10.0.0.7 {rules} {file} --app /usr/bin/curl")).starts_with("allow"));
        assert!(said(&format!("10.0.0.7 {rules} {file} --app script:/x/npm")).starts_with("ask"));
        assert!(said(&format!("10.0.0.7 {rules} {file}")).starts_with("deny"));
        std::fs::remove_file(dir).unwrap();
    }

    #[test]
    fn a_name_is_what_a_shell_would_start() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).unwrap();
            path.into_os_string().into_string().unwrap()
        };
        let (program, script) = (file("prog", b"\x7fELF"), file("script", b"#!/bin/sh\n"));
        std::os::unix::fs::symlink(&program, dir.path().join("link")).unwrap();
        let find = |name: &str| {
            let name = name.parse().unwrap();
            started(Some(&name), Some(dir.path().as_os_str())).map(|it| it.to_string())
        };
        let real = std::fs::canonicalize(program).unwrap();
        assert_eq!(find("link").as_deref(), real.to_str());
        assert_eq!(find("script"), Some(format!("script:{script}")));
        assert_eq!(find("nothing"), None);
        assert_eq!(find("user:alice"), None);
    }

    #[test]
    fn a_name_that_nobody_looked_up_is_where_such_names_are() {
        for (name, group) in [
            ("localhost", "@loopback"),
            ("a.localhost", "@loopback"),
            ("printer.lan", "@lan"),
            ("printer", "@lan"),
            ("example.com", "@internet"),
        ] {
            let text = said(&format!("{name}:80 --default deny --allow {group}"));
            assert!(text.starts_with("allow: "), "{text}");
        }
    }

    #[test]
    fn an_address_for_an_address_is_refused() {
        assert!(said("10.0.0.7 --default deny --address 10.0.0.8").contains("leave it out"));
    }
}
