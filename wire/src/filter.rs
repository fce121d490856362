//! What a seccomp filter (seccomp(2), a program of classic BPF) says to one system call: so that
//! the hook knows, before a program takes a filter, which calls of its own it must leave out.
//!
//! Nothing rests on it that a program could gain by: what it does not understand counts as not
//! let through.

/// One instruction (`struct sock_filter`).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// How many instructions are left out where a comparison holds.
    pub when_true: u8,
    /// How many where it does not.
    pub when_false: u8,
    /// A number, an offset, a place.
    pub k: u32,
}

/// What a filter sees of a call (`struct seccomp_data`, of a machine with the low byte first).
#[derive(Clone, Copy, Debug)]
pub struct Seen([u32; 16]);

impl Seen {
    /// `machine` is an AUDIT_ARCH number; the other arguments, and where the call is made, are 0.
    #[must_use]
    pub fn new(machine: u32, call: u32, arguments: [u64; 2]) -> Self {
        let mut words = [0; 16];
        let [first, second] = arguments;
        let known = [
            call,
            machine,
            0,
            0,
            first as u32,
            (first >> 32) as u32,
            second as u32,
            (second >> 32) as u32,
        ];
        for (word, known) in words.iter_mut().zip(known) {
            *word = known;
        }
        Self(words)
    }
}

/// Longest program that the kernel takes (BPF_MAXINSNS).
const MAX_LEN: usize = 4096;
/// Numbers that a program can put aside (BPF_MEMWORDS).
const PLACES: usize = 16;
/// `sizeof(struct seccomp_data)`
const SEEN_LEN: u32 = 64;
const RET_ALLOW: u32 = 0x7fff_0000;
const RET_LOG: u32 = 0x7ffc_0000;
/// SECCOMP_RET_ACTION_FULL
const ACTION: u32 = 0xffff_0000;

/// Whether a filter lets a call through. `at` gives the instruction at an index.
pub fn lets_through(seen: &Seen, mut at: impl FnMut(usize) -> Option<Instruction>) -> bool {
    let mut machine = Machine::default();
    let mut next = 0_usize;
    // Jumps go forward only, so each instruction runs once at most.
    while next < MAX_LEN {
        let Some(instruction) = at(next) else {
            return false;
        };
        match machine.step(instruction, seen) {
            Step::On(skipped) => next = next.saturating_add(1).saturating_add(skipped),
            Step::Ends(result) => return matches!(result & ACTION, RET_ALLOW | RET_LOG),
            Step::Unknown => return false,
        }
    }
    false
}

/// The two registers and the places.
#[derive(Default)]
struct Machine {
    a: u32,
    x: u32,
    places: [u32; PLACES],
}

enum Step {
    /// So many instructions are left out.
    On(usize),
    Ends(u32),
    Unknown,
}

impl Machine {
    /// The codes are those that the kernel takes for seccomp (`seccomp_check_filter`), by the
    /// numbers of linux/bpf_common.h.
    fn step(&mut self, instruction: Instruction, seen: &Seen) -> Step {
        let Instruction { code, k, .. } = instruction;
        let operand = if code & 0x08 == 0 { k } else { self.x };
        let place = usize::try_from(k).unwrap_or(usize::MAX);
        let loaded = match code {
            // BPF_LD: BPF_ABS, BPF_LEN, BPF_IMM, BPF_MEM
            0x20 if k % 4 == 0 => seen.0.get(place / 4).copied(),
            0x80 | 0x81 => Some(SEEN_LEN),
            0x00 | 0x01 => Some(k),
            0x60 | 0x61 => self.places.get(place).copied(),
            // BPF_MISC: BPF_TAX, BPF_TXA
            0x07 => Some(self.a),
            0x87 => Some(self.x),
            // BPF_ALU
            _ if code & 0x07 == 0x04 => calculated(code & 0xf0, self.a, operand),
            0x02 | 0x03 => {
                let value = if code == 0x02 { self.a } else { self.x };
                let Some(place) = self.places.get_mut(place) else {
                    return Step::Unknown;
                };
                *place = value;
                return Step::On(0);
            }
            // BPF_RET of a number, of A
            0x06 => return Step::Ends(k),
            0x16 => return Step::Ends(self.a),
            // BPF_JMP
            0x05 => return Step::On(place),
            _ if code & 0x07 == 0x05 => return self.compared(instruction, operand),
            _ => None,
        };
        let Some(loaded) = loaded else {
            return Step::Unknown;
        };
        // BPF_LDX, BPF_TAX
        if matches!(code & 0x07, 0x01) || code == 0x07 {
            self.x = loaded;
        } else {
            self.a = loaded;
        }
        Step::On(0)
    }

    fn compared(&self, instruction: Instruction, operand: u32) -> Step {
        let holds = match instruction.code & 0xf0 {
            0x10 => self.a == operand,
            0x20 => self.a > operand,
            0x30 => self.a >= operand,
            0x40 => self.a & operand != 0,
            _ => return Step::Unknown,
        };
        Step::On(usize::from(if holds {
            instruction.when_true
        } else {
            instruction.when_false
        }))
    }
}

fn calculated(operation: u16, a: u32, operand: u32) -> Option<u32> {
    match operation {
        0x00 => Some(a.wrapping_add(operand)),
        0x10 => Some(a.wrapping_sub(operand)),
        0x20 => Some(a.wrapping_mul(operand)),
        0x30 => a.checked_div(operand),
        0x40 => Some(a | operand),
        0x50 => Some(a & operand),
        0x60 => a.checked_shl(operand),
        0x70 => a.checked_shr(operand),
        0x80 => Some(a.wrapping_neg()),
        0xa0 => Some(a ^ operand),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Instruction, RET_ALLOW, RET_LOG, Seen, lets_through};

    const KILL: u32 = 0x8000_0000;
    const X86_64: u32 = 0xc000_003e;

    fn i(code: u16, when_true: u8, when_false: u8, k: u32) -> Instruction {
        Instruction {
            code,
            when_true,
            when_false,
            k,
        }
    }

    fn says(program: &[Instruction], call: u32, arguments: [u64; 2]) -> bool {
        let seen = Seen::new(X86_64, call, arguments);
        lets_through(&seen, |at| program.get(at).copied())
    }

    /// As sandboxes are written: the machine, then a list.
    #[test]
    fn a_list_of_calls() {
        let program = [
            i(0x20, 0, 0, 4),
            i(0x15, 1, 0, X86_64),
            i(0x06, 0, 0, KILL),
            i(0x20, 0, 0, 0),
            i(0x15, 1, 0, 46),
            i(0x15, 0, 1, 44),
            i(0x06, 0, 0, RET_ALLOW),
            i(0x06, 0, 0, KILL),
        ];
        assert!(says(&program, 46, [0; 2]) && says(&program, 44, [0; 2]));
        assert!(!says(&program, 45, [0; 2]));
        let elsewhere = Seen::new(0x4000_0003, 46, [0; 2]);
        assert!(!lets_through(&elsewhere, |at| program.get(at).copied()));
    }

    /// Both halves of an argument, a mask, a jump, numbers put aside.
    #[test]
    fn arguments() {
        let program = [
            i(0x20, 0, 0, 28),      // A = high half of the second
            i(0x02, 0, 0, 3),       // place 3 = A
            i(0x61, 0, 0, 3),       // X = place 3
            i(0x20, 0, 0, 24),      // A = its low half
            i(0x4c, 0, 0, 0),       // A |= X
            i(0x54, 0, 0, 0xff),    // A &= 0xff
            i(0x25, 1, 0, 7),       // > 7
            i(0x05, 0, 0, 1),       // skips one
            i(0x06, 0, 0, KILL),    //
            i(0x00, 0, 0, RET_LOG), // A = …
            i(0x16, 0, 0, 0),       // returns A
        ];
        assert!(says(&program, 1, [u64::MAX, 0x0500_0000_0102]));
        assert!(!says(&program, 1, [0, 0x0008_0000_0000]));
        assert!(!says(&program, 1, [0, 8]));
    }

    #[test]
    fn what_makes_no_sense_lets_nothing_through() {
        for program in [
            &[][..],
            &[i(0x20, 0, 0, 64), i(0x06, 0, 0, RET_ALLOW)],
            &[i(0x20, 0, 0, 2), i(0x06, 0, 0, RET_ALLOW)],
            &[i(0x60, 0, 0, 16), i(0x06, 0, 0, RET_ALLOW)],
            &[i(0x02, 0, 0, 16), i(0x06, 0, 0, RET_ALLOW)],
            &[i(0x34, 0, 0, 0), i(0x06, 0, 0, RET_ALLOW)],
            &[i(0x28, 0, 0, 0), i(0x06, 0, 0, RET_ALLOW)],
            &[i(0x05, 0, 0, u32::MAX), i(0x06, 0, 0, RET_ALLOW)],
            &[i(0x20, 0, 0, 0)],
        ] {
            assert!(!says(program, 0, [0; 2]), "{program:?}");
        }
    }
}
