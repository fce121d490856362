//! system(3) and popen(3). Both start a shell with the program's own environment, in ways that
//! cannot be written again from outside (pclose waits for the child that popen keeps). Where that
//! environment lacks something of ours, the command is replaced by one that exports it and then
//! becomes the shell that was asked for.

use crate::arena::{self, Text};
use crate::environment::{self, Found};
use crate::memory::Reader;
use crate::sys::Errno;
use crate::{errno, gate};
use core::ffi::{c_char, c_int};
use core::mem::size_of;
use core::ptr;
use libc::FILE;

hook! {
    /// system(3)
    unsafe fn system(command: *const c_char) -> c_int, absent -1 => {
        // SAFETY: the program's command, or one that outlives the call.
        let run = &mut |command| unsafe { real!(system)(command) };
        complete(command, run).unwrap_or_else(gate::fail)
    }
}

hook! {
    /// popen(3)
    unsafe fn popen(
        command: *const c_char,
        mode: *const c_char,
    ) -> *mut FILE, absent ptr::null_mut() => {
        let mut stream = ptr::null_mut();
        let started = complete(command, &mut |command| {
            // SAFETY: the program's command, or one that outlives the call.
            stream = unsafe { real!(popen)(command, mode) };
            0
        });
        if let Err(number) = started {
            errno::set(number);
        }
        stream
    }
}

/// Calls `run` with `command`, or with one that gives its shell what is missing.
fn complete(
    command: *const c_char,
    run: &mut dyn FnMut(*const c_char) -> c_int,
) -> Result<c_int, Errno> {
    // system(NULL) asks whether there is a shell.
    if command.is_null() {
        return Ok(run(command));
    }
    let Some(missing) = environment::missing()? else {
        return Ok(run(command));
    };
    let command = Reader::new().text(command as usize)?;
    let words = size(&missing, command).div_ceil(size_of::<usize>());
    arena::lend(words, &mut |memory| {
        let mut text = Text::new(memory);
        let whole = text.begin() as *const c_char;
        write(&mut text, &missing, command);
        text.end()?;
        Ok(run(whole))
    })
}

fn write(text: &mut Text<'_>, missing: &Found, command: &[u8]) {
    text.add(b"export LD_PRELOAD=");
    quote(text, &missing.preload);
    if let Some(variable) = &missing.variable {
        text.add(b" HALLPASS=");
        quote(text, &[variable.as_bytes()]);
    }
    // `sh` is what $0 is in a shell that the C library starts.
    text.add(b"; exec /bin/sh -c -- ");
    quote(text, &[command]);
    text.add(b" sh");
}

/// In single quotes everything stands for itself, save the single quote.
fn quote(text: &mut Text<'_>, parts: &[&[u8]]) {
    text.add(b"'");
    for byte in parts.iter().copied().flatten() {
        match byte {
            b'\'' => text.add(b"'\\''"),
            byte => text.add(core::slice::from_ref(byte)),
        }
    }
    text.add(b"'");
}

/// Bytes that are enough for all of it: each byte of a value takes four at most.
fn size(missing: &Found, command: &[u8]) -> usize {
    const FIXED: usize = 128 + hallpass_wire::MAX_VARIABLE * 4;
    let values = missing
        .preload
        .iter()
        .fold(command.len(), |sum, part| sum.saturating_add(part.len()));
    values.saturating_mul(4).saturating_add(FIXED)
}
