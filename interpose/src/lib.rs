//! The preload hook: holds a program's outgoing calls until its session has decided them.
//!
//! It lives inside other people's programs, in their signal handlers, vfork children and threads
//! with tiny stacks. It must never allocate, take a lock, use stdio, panic (a link error, see
//! [`panic`]), leave a descriptor behind, or let a call through because something of ours failed.
//! Which call needs a decision is sorted by `hallpass_wire`, where it can be tested.
#![no_std]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "the hook is written for Linux; macOS needs an `__interpose` section in hook! and a `sys` of its own"
);

#[macro_use]
mod hook;

mod arena;
mod ask;
mod calls;
mod cancel;
mod channel;
mod dumpable;
mod environment;
mod errno;
mod filters;
mod forks;
mod gate;
mod kept;
mod lookups;
mod memory;
mod messages;
mod notes;
mod patience;
mod privileges;
mod programs;
mod settings;
mod shells;
mod signals;
mod strings;
mod sys;
mod titles;
mod variadic;

/// Runs before main, after the constructors of most other libraries; nothing depends on that.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = start;

/// Does now what may not be done in a signal handler: dlsym takes a lock. Functions that may not
/// be called there either (signal-safety(7)) are looked up when they are first used: each costs
/// half a microsecond in every program that is started. And reads the variable while it is still
/// as the launcher wrote it.
extern "C" fn start() {
    settings::session();
    calls::resolve();
    dumpable::resolve();
    messages::resolve();
    programs::resolve();
    variadic::resolve();
    // With a guard no call is held here, and nobody has a descriptor of ours.
    if !settings::is_guarded() {
        forks::resolve();
    }
    if titles::are_likely() {
        ask::tell_started();
    }
}

/// A panic path is a link error: this function exists nowhere, and the link uses `-z defs`.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn hallpass_hook_has_a_panic_path() -> !;
    }
    // SAFETY: never linked, so never called.
    unsafe { hallpass_hook_has_a_panic_path() }
}
