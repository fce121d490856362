//! What nothing works without, looked for before anything is made.

use nix::sys::resource::{Resource, getrlimit};
use std::path::Path;

/// Front and session have some twenty files open at the least.
const DESCRIPTORS: u64 = 32;

/// # Errors
/// What is missing, and what to do.
pub(super) fn check() -> Result<(), String> {
    if let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < DESCRIPTORS
    {
        return Err(format!(
            "only {soft} files may be open here, and hallpass itself needs {DESCRIPTORS}; write \
             `ulimit -n 256` before it"
        ));
    }
    if !Path::new("/proc/self/stat").exists() {
        return Err(
            "there is no /proc here, from which hallpass knows who connects; mount it (`mount -t \
             proc proc /proc`)"
                .to_owned(),
        );
    }
    Ok(())
}
