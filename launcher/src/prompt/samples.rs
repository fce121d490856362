//! Questions for tests.

use hallpass_policy::{Parent, Protocol, Subject};
use hallpass_session::control::protocol::{Offer, Question, Scope};
use hallpass_session::flow::{App, Name, Trust};

/// curl and a printer that has a name.
pub(crate) fn printer() -> Question {
    let offer = |scope, to: &[&str], settles| Offer {
        scope,
        to: to.iter().map(|text| (*text).to_owned()).collect(),
        settles,
    };
    Question {
        id: 3,
        pid: 4711,
        app: App {
            subject: Subject {
                exe: "/usr/bin/curl".into(),
                script: None,
                name: "curl".into(),
                parents: vec![Parent {
                    pid: 4700,
                    exe: "/usr/bin/bash".into(),
                    script: None,
                    name: "bash".into(),
                }],
                packages: Vec::new(),
                user: Some("ana".into()),
            },
            argv: ["curl", "-s", "http://printer.lan:631/"]
                .map(str::to_owned)
                .to_vec(),
            cwd: "/home/ana".into(),
            step: None,
            uid: 1000,
        },
        protocol: Protocol::Tcp,
        address: [192, 168, 1, 9].into(),
        scope_id: 0,
        port: 631,
        names: vec![Name {
            name: "printer.lan".into(),
            trust: Trust::Claimed,
        }],
        place: "lan".into(),
        hold: hallpass_session::hold::Hold::Block,
        waiting: 1,
        told_no: 0,
        why: "your flag: ask @lan".into(),
        time_left_ms: None,
        offers: vec![
            offer(Scope::Port, &["printer.lan:631/tcp"], 1),
            offer(Scope::Host, &["printer.lan"], 1),
            offer(Scope::Domain, &["lan", "*.lan"], 2),
            offer(Scope::Any, &["@any"], 2),
        ],
        may_save: true,
    }
}
