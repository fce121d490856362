//! Rules, flows and texts at random. Few values, so that rules and flows meet.

use hallpass_policy::{
    Action, AppPattern, Destination, Endpoint, Environment, Parent, Protocol, Query, Rule, Subject,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) fn address() -> impl Strategy<Value = IpAddr> {
    let known = [
        "10.0.0.1",
        "10.0.0.2",
        "10.0.1.1",
        "10.9.9.9",
        "127.0.0.1",
        "0.0.0.0",
        "192.168.1.1",
        "192.168.1.9",
        "203.0.113.5",
        "198.51.100.7",
        "8.8.8.8",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fd00::1",
        "fd00::2",
        "fe80::1",
        "2001:db8::1",
        "2001:db8::2",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
    ];
    prop_oneof![
        6 => select(known.to_vec()).prop_map(|text| text.parse().unwrap()),
        1 => any::<Ipv4Addr>().prop_map(IpAddr::V4),
        1 => any::<Ipv6Addr>().prop_map(IpAddr::V6),
    ]
}

fn name() -> impl Strategy<Value = String> {
    select(vec![
        "example.com",
        "www.example.com",
        "a.www.example.com",
        "example.org",
        "printer.lan",
        "nas.lan",
        "localhost",
        "x.test",
        "com",
        "b.a.www.example.com",
    ])
    .prop_map(str::to_owned)
}

fn host() -> impl Strategy<Value = String> {
    let network = (address(), any::<Index>()).prop_map(|(address, at)| {
        let address = address.to_canonical();
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = u8::try_from(at.index(longest + 1)).unwrap();
        // Lengths near the whole address meet more flows of the small universe.
        ipnet::IpNet::new(address, length)
            .unwrap()
            .trunc()
            .to_string()
    });
    let range = (address(), address()).prop_filter_map("one family", |(a, b)| {
        let (a, b) = (a.to_canonical(), b.to_canonical());
        (a.is_ipv4() == b.is_ipv4()).then(|| format!("{}-{}", a.min(b), a.max(b)))
    });
    let group = select(vec![
        "@loopback",
        "@multicast",
        "@lan",
        "@local",
        "@internet",
        "@any",
    ]);
    prop_oneof![
        3 => address().prop_map(|address| address.to_string()),
        3 => name(),
        3 => name().prop_map(|name| format!("*.{name}")),
        2 => network,
        2 => range,
        2 => group.prop_map(str::to_owned),
    ]
}

fn suffix() -> impl Strategy<Value = (String, String)> {
    let ports = select(vec![
        "",
        "",
        ":443",
        ":80,443",
        ":1-1024",
        ":53",
        ":443-500,80",
        ":1-65535",
    ]);
    let protocol = select(vec!["", "", "/tcp", "/udp", "/icmp", "/raw"]);
    (ports, protocol).prop_map(|(ports, protocol)| {
        let keeps = matches!(protocol, "" | "/tcp" | "/udp");
        (
            if keeps { ports } else { "" }.to_owned(),
            protocol.to_owned(),
        )
    })
}

pub(crate) fn destination() -> impl Strategy<Value = Destination> {
    let special = select(vec![
        "@dns",
        "@dns/tcp",
        "@raw",
        "@broker",
        "@desktop",
        "unix:/run/x.sock",
        "unix:/run/docker.sock",
        "unix:@x",
    ]);
    let usual = (host(), suffix()).prop_map(|(host, (ports, protocol))| {
        let brackets = host.contains(':') && !ports.is_empty();
        if brackets {
            format!("[{host}]{ports}{protocol}")
        } else {
            format!("{host}{ports}{protocol}")
        }
    });
    prop_oneof![9 => usual, 1 => special.prop_map(str::to_owned)].prop_map(|text| {
        match text.parse() {
            Ok(destination) => destination,
            Err(error) => panic!("{text}: {error}"),
        }
    })
}

/// Destinations of which many hold one flow, so that rules meet on one key.
fn crowded() -> impl Strategy<Value = Destination> {
    prop_oneof![
        1 => destination(),
        2 => select(vec![
            "10.0.0.1", "10.0.0.1:443", "10.0.0.0/24", "10.0.0.0/24:443", "10.0.0.1-10.0.0.6", "printer.lan", "printer.lan:80,443", "*.lan", "*.lan/tcp",
            "unix:/run/x.sock", "@lan", "@lan:443", "fd00::/16", "fd00::1",
        ]).prop_map(|text| text.parse().unwrap()),
    ]
}

fn app() -> impl Strategy<Value = Option<AppPattern>> {
    let known = select(vec![
        "script:/usr/bin/npm",
        "/usr/bin/node",
        "/usr/bin/curl",
        "package:npm:esbuild",
        "parent:bash",
        "parent:/usr/bin/bash",
        "npm",
        "curl",
        "user:alice",
    ]);
    proptest::option::of(known.prop_map(|text| text.parse().unwrap()))
}

pub(crate) const NOW: &str = "2026-06-01T00:00:00Z";

fn rule() -> impl Strategy<Value = Rule> {
    let until = select(vec![
        None,
        None,
        None,
        Some("2026-05-01T00:00:00Z"),
        Some("2026-07-01T00:00:00Z"),
        Some(NOW),
    ]);
    let note = proptest::option::of("[ -~]{0,3}");
    (
        select(Action::ALL.to_vec()),
        prop::collection::vec(crowded(), 1..4),
        app(),
        until,
        note,
    )
        .prop_map(|(action, to, app, until, note)| Rule {
            action,
            to,
            app,
            note,
            until: until.map(|text| text.parse().unwrap()),
        })
}

pub(crate) fn rules() -> impl Strategy<Value = Vec<Rule>> {
    prop::collection::vec(rule(), 0..8)
}

#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) subject: Subject,
    pub(crate) protocol: Protocol,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) unix: Option<&'static str>,
    pub(crate) names: Vec<String>,
}

pub(crate) fn flow() -> impl Strategy<Value = Flow> {
    let subject = (any::<bool>(), any::<bool>()).prop_map(|(is_script, is_build)| Subject {
        exe: if is_script {
            "/usr/bin/node"
        } else {
            "/usr/bin/curl"
        }
        .into(),
        script: is_script.then(|| "/usr/bin/npm".into()),
        name: if is_script { "npm" } else { "curl" }.into(),
        parents: vec![Parent {
            pid: 1,
            exe: "/usr/bin/bash".into(),
            script: None,
            name: "bash".into(),
        }],
        packages: if is_build {
            vec!["npm:esbuild".into()]
        } else {
            Vec::new()
        },
        user: is_build.then(|| "alice".into()),
    });
    let unix = select(vec![
        None,
        None,
        None,
        None,
        None,
        None,
        Some("/run/x.sock"),
        Some("/run/docker.sock"),
        Some("/tmp/.X11-unix/X0"),
    ]);
    let port = select(vec![0, 53, 80, 443, 500, 65535]);
    (
        subject,
        select(Protocol::ALL.to_vec()),
        prop_oneof![
            address(),
            select(vec!["10.0.0.1", "10.0.0.2", "fd00::1"]).prop_map(|text| text.parse().unwrap())
        ],
        port,
        unix,
        prop_oneof![
            prop::collection::vec(name(), 0..3),
            Just(vec!["printer.lan".to_owned()])
        ],
    )
        .prop_map(|(subject, protocol, address, port, unix, names)| Flow {
            subject,
            protocol,
            address,
            port,
            unix,
            names,
        })
}

impl Flow {
    pub(crate) fn with_query<T>(&self, run: impl FnOnce(&Query<'_>) -> T) -> T {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let endpoint = match self.unix {
            Some(path) => Endpoint::Unix { path },
            None => Endpoint::Ip {
                address: self.address,
                port: self.port,
            },
        };
        run(&Query {
            subject: &self.subject,
            protocol: self.protocol,
            endpoint,
            names: &names,
        })
    }
}

pub(crate) fn env() -> Environment {
    Environment {
        attached: vec![
            "203.0.113.0/24".parse().unwrap(),
            "2001:db8::/127".parse().unwrap(),
        ],
        nameservers: vec!["192.168.1.1".parse().unwrap(), "8.8.8.8".parse().unwrap()],
    }
}

pub(crate) fn layers() -> impl Strategy<Value = [Vec<Rule>; 4]> {
    [rules(), rules(), rules(), rules()]
}
