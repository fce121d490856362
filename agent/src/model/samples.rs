//! Questions for tests.

use hallpass_policy::{Parent, Protocol, Subject};
use hallpass_session::control::protocol::{
    Direction, LiveFlow, Offer, Question, QuestionId, Scope, State,
};
use hallpass_session::flow::{App, Name};
use hallpass_session::verdict::Source;

/// A live connection of curl to printer.lan.
pub(crate) fn live(id: u64) -> LiveFlow {
    LiveFlow {
        id,
        pids: vec![4242],
        shared_by: 1,
        app: "/usr/bin/curl".to_owned(),
        direction: Direction::Out,
        proto: Protocol::Tcp,
        address: [192, 168, 1, 9].into(),
        port: 631,
        local_address: [192, 168, 1, 5].into(),
        local_port: 40122,
        names: vec![Name::claimed("printer.lan".to_owned())],
        state: State::Established,
        sent: Some(420),
        received: Some(1_234_567),
        age_ms: Some(12_000),
        age_is_exact: true,
        source: Some(Source::Default),
    }
}

/// `app` wants to connect to `host` (192.168.1.9), port 631.
pub(crate) fn question(id: QuestionId, app: &str, host: &str) -> Question {
    let domain = host.split_once('.').map_or(host, |(_, domain)| domain);
    let offer = |scope, to: &[String]| Offer {
        scope,
        to: to.to_vec(),
        settles: 1,
    };
    Question {
        id,
        pid: 4242,
        app: App {
            subject: Subject {
                exe: format!("/usr/bin/{app}"),
                script: None,
                name: app.to_owned(),
                parents: vec![Parent {
                    pid: 4000,
                    exe: "/usr/bin/bash".to_owned(),
                    script: None,
                    name: "bash".to_owned(),
                }],
                packages: Vec::new(),
                user: Some("ada".to_owned()),
            },
            argv: vec![app.to_owned(), format!("http://{host}:631/")],
            cwd: "/home/ada".to_owned(),
            step: None,
            uid: 1000,
        },
        protocol: Protocol::Tcp,
        address: [192, 168, 1, 9].into(),
        scope_id: 0,
        port: 631,
        names: vec![Name::claimed(host.to_owned())],
        place: "lan".to_owned(),
        hold: hallpass_session::hold::Hold::Block,
        waiting: 1,
        told_no: 0,
        why: "no rule matched".to_owned(),
        time_left_ms: None,
        offers: vec![
            offer(Scope::Port, &[format!("{host}:631/tcp")]),
            offer(Scope::Host, &[host.to_owned()]),
            offer(Scope::Domain, &[domain.to_owned(), format!("*.{domain}")]),
            offer(Scope::Any, &["@any".to_owned()]),
        ],
        may_save: true,
    }
}
