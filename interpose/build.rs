//! Link arguments of the hook. What they are after is told by docs/performance.md: each page that
//! the loader touches and each segment that it maps is paid for by every program that is started.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Every symbol must be found: the panic handler calls one that does not exist, so a panic
    // path in the hook fails here and not inside somebody's program.
    link("-Wl,-z,defs");
    link("-Wl,--gc-sections");
    // One segment less to map, and no mprotect: 15 µs of every exec. What it would make read-only
    // are addresses of the C library, and those of the real functions stay writable in any case.
    link("-Wl,-z,norelro");
    // A hook that calls another one means ours, also in a program that has a function of that
    // name; and the loader need not look for it.
    link("-Wl,-Bsymbolic-functions");
    // The C compiler's start files serve destructors and transactional memory, of which there are
    // none here, and bring four more symbols to look for.
    link("-nostartfiles");
    // Constants in the segment of the code, as in every library until 2018: one segment less.
    link("-Wl,-z,noseparate-code");
    if linker_takes("-Wl,--no-rosegment") {
        link("-Wl,--no-rosegment");
        // What is written to (less than 2 KiB) begins with a page, so that it lies in one: as
        // laid out otherwise it mostly lies in two, which the loader reads before it writes, three
        // page faults for one. GNU ld looks after that by itself; where pages may be larger the
        // file would grow by as much.
        if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|name| name == "x86_64") {
            link("-Wl,-z,separate-loadable-segments");
        }
    }
}

fn link(argument: &str) {
    println!("cargo::rustc-link-arg-cdylib={argument}");
}

/// Whether the linker that links the hook knows an argument, found out by linking: which one it is
/// (LLD or GNU ld) hangs on the compiler's version and on who has built it.
fn linker_takes(argument: &str) -> bool {
    const SOURCE: &str = "#![no_std]\n#[panic_handler]\n\
         fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }\n";
    let (Ok(rustc), Ok(target), Ok(out)) =
        (env::var("RUSTC"), env::var("TARGET"), env::var("OUT_DIR"))
    else {
        return false;
    };
    let source = Path::new(&out).join("probe.rs");
    if std::fs::write(&source, SOURCE).is_err() {
        return false;
    }
    let mut command = Command::new(rustc);
    command
        .args(["--edition=2024", "--crate-type=cdylib", "-Cpanic=abort"])
        .args(["--target", &target, "-C"])
        .arg(format!("link-arg={argument}"))
        .arg("--out-dir")
        .arg(&out)
        .arg(&source)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        command.arg(format!("-Clinker={linker}"));
    }
    command.status().is_ok_and(|status| status.success())
}
