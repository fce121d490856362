//! What the hook's file is: its symbols, what it needs, its size.

use crate::fixture::HOOK;
use object::{Object, ObjectSymbol};

/// Every function the hook stands in front of, and nothing else.
const HOOKS: [&str; 24] = [
    "__connect",
    "connect",
    "execl",
    "execle",
    "execlp",
    "execv",
    "execve",
    "execveat",
    "execvp",
    "execvpe",
    "fexecve",
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname2",
    "gethostbyname2_r",
    "gethostbyname_r",
    "popen",
    "posix_spawn",
    "posix_spawnp",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "syscall",
    "system",
];

fn bytes() -> Vec<u8> {
    std::fs::read(HOOK).unwrap()
}

#[test]
fn exported_symbols_are_the_hooks() {
    let bytes = bytes();
    let file = object::File::parse(&*bytes).unwrap();
    let mut exported: Vec<&str> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition())
        .map(|symbol| symbol.name().unwrap())
        .collect();
    exported.sort_unstable();
    assert_eq!(exported, HOOKS);
}

#[test]
fn it_needs_the_c_library_alone_and_is_small() {
    use object::elf::{DT_NEEDED, FileHeader64};
    use object::read::elf::{Dyn, ElfFile};
    let bytes = bytes();
    assert!(bytes.len() < 64 * 1024, "{} bytes", bytes.len());
    let file = ElfFile::<FileHeader64<object::Endianness>>::parse(&*bytes).unwrap();
    let endian = file.endian();
    let sections = file.elf_section_table();
    let (dynamic, link) = sections
        .dynamic(endian, &*bytes)
        .unwrap()
        .expect("a dynamic section");
    let strings = sections.strings(endian, &*bytes, link).unwrap();
    let needed: Vec<&[u8]> = dynamic
        .iter()
        .filter(|entry| entry.tag(endian) == DT_NEEDED)
        .map(|entry| entry.string(endian, strings).unwrap())
        .collect();
    assert_eq!(needed, [b"libc.so.6"]);
}
