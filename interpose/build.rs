//! Link arguments of the hook.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Every symbol must be found: the panic handler calls one that does not exist, so a panic
    // path in the hook fails here and not inside somebody's program.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,defs");
    println!("cargo::rustc-link-arg-cdylib=-Wl,--gc-sections");
    // One segment less to map, and no mprotect: 15 µs of every exec. What it would make read-only
    // are addresses of the C library, and those of the real functions stay writable in any case.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,norelro");
}
