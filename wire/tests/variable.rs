//! The variable and the socket names, case by case.

use hallpass_wire::{
    GuardMode, MAX_DIR, MAX_VARIABLE, SUN_PATH_LEN, SessionName, Variable, VariableError,
    path_ask_name,
};

const SESSION: SessionName = SessionName {
    pid: 4711,
    nonce: 0x0bad_cafe,
};

#[test]
fn what_the_launcher_writes() {
    let plain = Variable {
        session: SESSION,
        guard: GuardMode::Off,
        dir: None,
    };
    assert_eq!(
        plain.encode().unwrap().as_bytes(),
        b"4711-0badcafe;guard=off"
    );
    let full = Variable {
        session: SESSION,
        guard: GuardMode::On,
        dir: Some(b"/run/a;b"),
    };
    assert_eq!(
        full.encode().unwrap().as_bytes(),
        b"4711-0badcafe;guard=on;dir=/run/a;b"
    );
    assert_eq!(
        Variable::parse(b"4711-0badcafe;guard=on;dir=/run/a;b"),
        Ok(full)
    );
}

#[test]
fn what_is_refused() {
    use VariableError::{Dir, Guard, Session, TooLong};
    let cases: [(&[u8], VariableError); 17] = [
        (b"", Session),
        (b";guard=off", Session),
        (b"4711;guard=off", Session),
        (b"0-0badcafe;guard=off", Session),
        (b"04711-0badcafe;guard=off", Session),
        (b"2147483648-0badcafe;guard=off", Session),
        (b"99999999999-0badcafe;guard=off", Session),
        (b"4711-0BADCAFE;guard=off", Session),
        (b"4711-badcafe;guard=off", Session),
        (b"4711-0badcafe", Guard),
        (b"4711-0badcafe;", Guard),
        (b"4711-0badcafe;guard=no", Guard),
        (b"4711-0badcafe;guard=off,dumpable", Guard),
        (b"4711-0badcafe;guard=off;", Dir),
        (b"4711-0badcafe;guard=off;dir=", Dir),
        (b"4711-0badcafe;guard=off;dir=run", Dir),
        (b"4711-0badcafe;guard=off;dir=/a\nb", Dir),
    ];
    for (value, error) in cases {
        assert_eq!(
            Variable::parse(value),
            Err(error),
            "{}",
            value.escape_ascii()
        );
    }
    assert_eq!(Variable::parse(&[b'1'; MAX_VARIABLE + 1]), Err(TooLong));
}

#[test]
fn the_longest_directory_fits_a_sun_path() {
    let mut dir = [b'd'; MAX_DIR + 1];
    dir[0] = b'/';
    let mut sun_path = [0xff; SUN_PATH_LEN];
    assert_eq!(
        path_ask_name(&dir[..MAX_DIR], &mut sun_path),
        Some(SUN_PATH_LEN - 1)
    );
    assert_eq!(&sun_path[MAX_DIR..], b"/ask\0");
    assert_eq!(path_ask_name(&dir, &mut sun_path), None);
    let variable = Variable {
        session: SESSION,
        guard: GuardMode::Off,
        dir: Some(&dir),
    };
    assert_eq!(variable.encode(), Err(VariableError::Dir));
    // The longest of everything is MAX_VARIABLE.
    let session = SessionName {
        pid: i32::MAX as u32,
        nonce: u32::MAX,
    };
    let longest = Variable {
        session,
        guard: GuardMode::OnDumpable,
        dir: Some(&dir[..MAX_DIR]),
    };
    assert_eq!(longest.encode().unwrap().as_bytes().len(), MAX_VARIABLE);
}
