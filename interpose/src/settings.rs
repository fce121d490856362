//! Which session we belong to: read once from the environment, kept for good.

use crate::environment;
use crate::sys::PATH_LEN;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use hallpass_wire::{
    GuardMode, MAX_DIR, MAX_VARIABLE, SUN_PATH_LEN, SessionName, VARIABLE, Variable, VariableText,
};

/// Not looked at yet.
const UNREAD: u8 = 0;
/// There is a session, and the hook asks it.
const ASK: u8 = 1;
/// There is a session, and it has named a directory.
const ASK_WITH_DIR: u8 = 2;
/// No usable variable: everything that would be asked about is refused.
const NONE: u8 = 3;
/// There is a session with a guard, which sees every call by itself.
const GUARDED: u8 = 4;
/// The same, and the session has named a directory.
const GUARDED_WITH_DIR: u8 = 5;

const DIR_WORDS: usize = MAX_DIR.div_ceil(8);

// The program may write over its environment later (setproctitle does), so this is a copy, in
// atomics: whoever comes first fills it in, several at once fill in the same, nobody waits.
static STATE: AtomicU8 = AtomicU8::new(UNREAD);
static PID: AtomicU32 = AtomicU32::new(0);
static NONCE: AtomicU32 = AtomicU32::new(0);
static KEEPS_DUMPABLE: AtomicBool = AtomicBool::new(false);
static DIR_LEN: AtomicU8 = AtomicU8::new(0);
static DIR: [AtomicU64; DIR_WORDS] = [const { AtomicU64::new(0) }; DIR_WORDS];

/// The session this program belongs to; None if the variable is missing or is not of our making.
pub(crate) fn session() -> Option<SessionName> {
    match state() {
        ASK | ASK_WITH_DIR | GUARDED | GUARDED_WITH_DIR => Some(SessionName {
            pid: PID.load(Ordering::Relaxed),
            nonce: NONCE.load(Ordering::Relaxed),
        }),
        _ => None,
    }
}

/// Whether the session has a guard: it decides each call in the kernel, so the hook asks nothing.
pub(crate) fn is_guarded() -> bool {
    matches!(state(), GUARDED | GUARDED_WITH_DIR)
}

/// Whether a process that changes its user is to stay dumpable: its session could not look at its
/// calls otherwise.
pub(crate) fn keeps_dumpable() -> bool {
    is_guarded() && KEEPS_DUMPABLE.load(Ordering::Relaxed)
}

fn state() -> u8 {
    if STATE.load(Ordering::Acquire) == UNREAD {
        read();
    }
    STATE.load(Ordering::Acquire)
}

/// The variable's value, for a program that we start; None where we know no session.
pub(crate) fn variable_text() -> Option<VariableText> {
    let session = session()?;
    let mut dir = [0; DIR_WORDS * 8];
    let dir = directory(&mut dir);
    let variable = Variable {
        session,
        guard: match is_guarded() {
            false => GuardMode::Off,
            true if keeps_dumpable() => GuardMode::OnDumpable,
            true => GuardMode::On,
        },
        dir,
    };
    variable.encode().ok()
}

/// The path of the session's ask socket and its length, where the session has named a directory.
pub(crate) fn ask_path(sun_path: &mut [u8; SUN_PATH_LEN]) -> Option<usize> {
    let mut dir = [0; DIR_WORDS * 8];
    hallpass_wire::path_ask_name(directory(&mut dir)?, sun_path)
}

/// The path of the session's shared page, ended by a zero.
pub(crate) fn page_path(path: &mut [u8; PATH_LEN]) -> Option<()> {
    let mut dir = [0; DIR_WORDS * 8];
    let dir = directory(&mut dir)?;
    let whole = dir.iter().chain(b"/page\0");
    if path.len() < dir.len().saturating_add(6) {
        return None;
    }
    for (to, from) in path.iter_mut().zip(whole) {
        *to = *from;
    }
    Some(())
}

/// A number that is another after each exec: of the bytes that the kernel gives each new image
/// for seeds (AT_RANDOM, getauxval(3)).
pub(crate) fn image() -> u64 {
    // SAFETY: no memory is touched.
    let random = unsafe { libc::getauxval(libc::AT_RANDOM) } as *const [u64; 2];
    if random.is_null() {
        return 0;
    }
    // SAFETY: the kernel puts 16 bytes there, on the stack's far end; nobody moves them.
    let [one, other] = unsafe { random.read_unaligned() };
    // They also seed stack canaries: what leaves the process must not tell them.
    (one ^ other.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16
}

/// The directory that the session has named, if it has.
fn directory(dir: &mut [u8; DIR_WORDS * 8]) -> Option<&[u8]> {
    if !matches!(
        STATE.load(Ordering::Acquire),
        ASK_WITH_DIR | GUARDED_WITH_DIR
    ) {
        return None;
    }
    for (bytes, word) in dir.chunks_exact_mut(8).zip(&DIR) {
        for (to, from) in bytes
            .iter_mut()
            .zip(word.load(Ordering::Relaxed).to_ne_bytes())
        {
            *to = from;
        }
    }
    dir.get(..usize::from(DIR_LEN.load(Ordering::Relaxed)))
}

fn read() {
    let environment = environment::current();
    // An executable's .preinit_array runs before the C library has set it up: nothing to remember.
    if environment.is_null() {
        return;
    }
    // One byte more than the longest is enough for `parse` to say no.
    let value = environment::variable(environment, VARIABLE.as_bytes())
        .and_then(|value| value.get(..value.len().min(MAX_VARIABLE + 1)));
    let state = match value.and_then(|value| Variable::parse(value).ok()) {
        None => NONE,
        Some(Variable {
            session,
            dir,
            guard,
        }) => {
            PID.store(session.pid, Ordering::Relaxed);
            NONCE.store(session.nonce, Ordering::Relaxed);
            if let Some(dir) = dir {
                store_dir(dir);
            }
            KEEPS_DUMPABLE.store(guard == GuardMode::OnDumpable, Ordering::Relaxed);
            match (guard.is_on(), dir) {
                (false, None) => ASK,
                (false, Some(_)) => ASK_WITH_DIR,
                (true, None) => GUARDED,
                (true, Some(_)) => GUARDED_WITH_DIR,
            }
        }
    };
    STATE.store(state, Ordering::Release);
}

fn store_dir(dir: &[u8]) {
    for (word, bytes) in DIR.iter().zip(dir.chunks(8)) {
        let mut whole = [0_u8; 8];
        for (to, from) in whole.iter_mut().zip(bytes) {
            *to = *from;
        }
        word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
    }
    DIR_LEN.store(u8::try_from(dir.len()).unwrap_or(0), Ordering::Relaxed);
}
