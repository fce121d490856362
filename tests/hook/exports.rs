//! What the hook's file is: its symbols, what it needs, its size.

use crate::fixture::HOOK;
use object::{Object, ObjectSymbol};

/// Every function the hook stands in front of, and nothing else.
const HOOKS: [&str; 26] = [
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
    "prctl",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "socket",
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

/// The loader reads and writes it in every program that is started: a second page is three page
/// faults for one (docs/performance.md).
#[test]
fn what_it_writes_to_is_one_page_without_code() {
    use object::elf::{FileHeader64, PF_W, PF_X, PT_LOAD, ProgramHeader64};
    use object::read::elf::{ElfFile, ProgramHeader};
    let bytes = bytes();
    let file = ElfFile::<FileHeader64<object::Endianness>>::parse(&*bytes).unwrap();
    let endian = file.endian();
    let has = |part: &ProgramHeader64<_>, flag| part.p_flags(endian) & flag == flag;
    let writable: Vec<_> = file
        .elf_program_headers()
        .iter()
        .filter(|part| part.p_type(endian) == PT_LOAD && has(part, PF_W))
        .collect();
    let [part] = writable[..] else {
        panic!("{} writable segments", writable.len());
    };
    assert!(!has(part, PF_X));
    let (first, len) = (part.p_vaddr(endian), part.p_memsz(endian));
    if cfg!(target_arch = "x86_64") {
        let page = |address| address / 4096;
        assert_eq!(page(first), page(first + len - 1), "{first:#x}, {len:#x}");
    }
}
