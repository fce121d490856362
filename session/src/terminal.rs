//! Which terminal a session was started in, so that a person knows which of many it is.

use crate::identity;

/// Major numbers of the devices (Documentation/admin-guide/devices.txt of the kernel).
const CONSOLES: u32 = 4;
const PSEUDO_TERMINALS: std::ops::RangeInclusive<u32> = 136..=143;
/// Minor numbers of [`CONSOLES`] from here on are serial lines.
const FIRST_SERIAL: u32 = 64;

/// The controlling terminal of this process, as `ps` names it: `pts/3`, `tty1`. None where there
/// is none, or one that has no such name.
#[must_use]
pub fn name() -> Option<String> {
    of_device(identity::terminal(std::process::id())?)
}

/// `tty_nr` of proc_pid_stat(5): minor numbers in bits 31 to 20 and 7 to 0, major in 15 to 8.
fn of_device(number: u32) -> Option<String> {
    let major = (number >> 8) & 0xff;
    let minor = (number & 0xff) | ((number >> 12) & 0xf_ff00);
    match major {
        CONSOLES if minor < FIRST_SERIAL => Some(format!("tty{minor}")),
        CONSOLES => Some(format!("ttyS{}", minor - FIRST_SERIAL)),
        _ if PSEUDO_TERMINALS.contains(&major) => {
            let first = (major - PSEUDO_TERMINALS.start()) << 8;
            Some(format!("pts/{}", first + minor))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::of_device;

    #[test]
    fn devices_have_the_names_that_people_know() {
        let named = |number| of_device(number);
        assert_eq!(named(34816 + 3), Some("pts/3".to_owned()));
        assert_eq!(named(0x8900), Some("pts/256".to_owned()));
        // Minor 300 of major 136, as the kernel writes it since 2.6.
        assert_eq!(named(0x0010_882c), Some("pts/300".to_owned()));
        assert_eq!(named(0x0401), Some("tty1".to_owned()));
        assert_eq!(named(0x0440), Some("ttyS0".to_owned()));
        assert_eq!(named(0), None);
    }
}
