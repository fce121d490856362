//! From rules to instructions.

use super::Options;
use super::table::X32_BIT;

/// A machine's native calls, and those of its 32-bit convention.
pub(crate) struct Machine {
    /// AUDIT_ARCH_* of the native convention.
    pub(crate) arch: u32,
    /// Calls of the native convention.
    pub(crate) native: &'static [Entry],
    /// Calls that are closed only where no Landlock domain stands in.
    pub(crate) foreign_processes: &'static [Entry],
    /// Calls that stand before the native ones where the supervisor makes the sockets.
    pub(crate) made_sockets: &'static [Entry],
    /// AUDIT_ARCH_* of the 32-bit convention.
    pub(crate) compat_arch: u32,
    /// Its calls.
    pub(crate) compat: &'static [Entry],
    /// Whether numbers from [`X32_BIT`] up are a third convention.
    pub(crate) has_x32: bool,
}

/// What happens to one call. Calls without an entry are let through.
pub(crate) struct Entry {
    pub(crate) number: u32,
    pub(crate) rule: Rule,
    /// Why it is so.
    #[allow(
        dead_code,
        reason = "read by people and by the test that wants one for each"
    )]
    pub(crate) why: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// The supervisor is told.
    Notify,
    /// The supervisor is told where one of the groups holds; a group holds where all of its
    /// conditions do. Let through otherwise.
    NotifyWhere(&'static [&'static [Condition]]),
    /// Fails with this errno.
    Refuse(i32),
    /// Fails with this errno where one of the groups holds.
    RefuseWhere(i32, &'static [&'static [Condition]]),
}

/// A condition on one argument. All but `Pointer` look at its lower 32 bits, as the kernel does
/// with arguments that are ints.
#[derive(Clone, Copy)]
pub(crate) enum Condition {
    /// Not NULL.
    Pointer(usize),
    Is(usize, u32),
    IsNot(usize, u32),
    /// `argument & mask == value`.
    Masked(usize, u32, u32),
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const NOTIFY: u32 = libc::SECCOMP_RET_USER_NOTIF;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;
/// Of a 64-bit argument's lower and upper half.
const LOW: u32 = if cfg!(target_endian = "little") { 0 } else { 4 };
const HIGH: u32 = 4 - LOW;

pub(super) fn program(machine: &Machine, options: Options) -> Vec<libc::sock_filter> {
    let mut compat = vec![
        jump(IF_EQUAL, machine.compat_arch, 1, 0),
        // No convention we know: nothing may be made under it.
        result(refuse(libc::ENOSYS)),
        statement(LOAD, NUMBER),
    ];
    entries(&mut compat, machine.compat);
    compat.push(result(ALLOW));

    let mut program = vec![
        statement(LOAD, ARCH),
        // Native calls skip the section that follows; it may be longer than a short jump.
        jump(IF_EQUAL, machine.arch, 0, 1),
        jump_always(compat.len()),
    ];
    program.extend(compat);
    program.push(statement(LOAD, NUMBER));
    if machine.has_x32 {
        program.extend([
            jump(IF_AT_LEAST, X32_BIT, 0, 3),
            // A tracer has cancelled the call (-1): there is nothing to make.
            jump(IF_EQUAL, u32::MAX, 0, 1),
            result(ALLOW),
            result(NOTIFY),
        ]);
    }
    if options.make_sockets {
        entries(&mut program, machine.made_sockets);
    }
    entries(&mut program, machine.native);
    if options.close_foreign_processes {
        entries(&mut program, machine.foreign_processes);
    }
    program.push(result(ALLOW));
    program
}

fn entries(program: &mut Vec<libc::sock_filter>, entries: &[Entry]) {
    for entry in entries {
        let block = block(entry.rule);
        program.push(jump(IF_EQUAL, entry.number, 0, block.len()));
        program.extend(block);
    }
}

/// The instructions for a call whose number has matched; ends in a result on every path.
fn block(rule: Rule) -> Vec<libc::sock_filter> {
    match rule {
        Rule::Notify => vec![result(NOTIFY)],
        Rule::Refuse(errno) => vec![result(refuse(errno))],
        Rule::NotifyWhere(groups) => alternatives(groups, NOTIFY),
        Rule::RefuseWhere(errno, groups) => alternatives(groups, refuse(errno)),
    }
}

fn alternatives(groups: &[&[Condition]], action: u32) -> Vec<libc::sock_filter> {
    let mut block = Vec::new();
    for group in groups {
        let lengths: Vec<usize> = group.iter().map(|it| condition(*it, 0).len()).collect();
        // Past the rest of the group and its result.
        let mut left: usize = lengths.iter().sum::<usize>() + 1;
        for (it, length) in group.iter().zip(lengths) {
            left -= length;
            block.extend(condition(*it, left));
        }
        block.push(result(action));
    }
    block.push(result(ALLOW));
    block
}

/// Goes on with the next instruction where the condition holds, else skips `past` more.
fn condition(condition: Condition, past: usize) -> Vec<libc::sock_filter> {
    match condition {
        Condition::Pointer(index) => vec![
            statement(LOAD, argument(index) + HIGH),
            jump(IF_EQUAL, 0, 0, 2),
            statement(LOAD, argument(index) + LOW),
            jump(IF_EQUAL, 0, past, 0),
        ],
        Condition::Is(index, value) => vec![
            statement(LOAD, argument(index) + LOW),
            jump(IF_EQUAL, value, 0, past),
        ],
        Condition::IsNot(index, value) => vec![
            statement(LOAD, argument(index) + LOW),
            jump(IF_EQUAL, value, past, 0),
        ],
        Condition::Masked(index, mask, value) => vec![
            statement(LOAD, argument(index) + LOW),
            statement(AND, mask),
            jump(IF_EQUAL, value, 0, past),
        ],
    }
}

fn argument(index: usize) -> u32 {
    ARGUMENTS + 8 * index as u32
}

fn refuse(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | (errno.cast_unsigned() & libc::SECCOMP_RET_DATA)
}

fn statement(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

fn result(action: u32) -> libc::sock_filter {
    statement(RETURN, action)
}

fn jump_always(past: usize) -> libc::sock_filter {
    statement((libc::BPF_JMP | libc::BPF_JA) as u16, past as u32)
}

/// A jump further than an instruction can say would go somewhere else: such a program must not be
/// made at all. The table is a constant, and a test assembles it.
fn jump(code: u16, k: u32, past_if: usize, past_else: usize) -> libc::sock_filter {
    let short = |past: usize| {
        assert!(
            past < 256,
            "a block of the table is too long to be jumped over"
        );
        past as u8
    };
    libc::sock_filter {
        code,
        jt: short(past_if),
        jf: short(past_else),
        k,
    }
}
