//! Whether a process is still the program that it was, told by three cheap looks.

use super::procfs::by_any_thread;
use hallpass_look as look;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstat, fstatat};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// A process, and the program that it ran when this was made. Two descriptors.
pub(super) struct Image {
    /// Its first thread, or another where that has ended.
    task: u32,
    /// `/proc/TASK`: nothing is found in it any more once the process is gone, whoever has its
    /// number by then.
    process: File,
    /// `pagemap` there, or `mem` where the kernel has no such: it stays the memory of
    /// the program that ran when it was opened; after an exec that memory is gone, and reading
    /// gives nothing at all (proc_pid_mem(5); `pagemap_read` in fs/proc/task_mmu.c, `mem_rw` in
    /// fs/proc/base.c).
    memory: File,
    /// Device and inode. Also for a child of vfork(2), which has its parent's memory.
    program: (u64, u64),
    /// The effective user id, as the owner of `/proc/TASK` (proc_pid(5)).
    user: u32,
}

impl Image {
    /// None where the process is gone or may not be looked into.
    pub(super) fn open(pid: u32) -> Option<Self> {
        by_any_thread(pid, Self::of)
    }

    fn of(task: u32) -> Option<Self> {
        let process = File::open(format!("/proc/{task}")).ok()?;
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let open = |name: &str| openat(&process, name, flags, Mode::empty()).ok();
        let memory = look::into(task, || open("pagemap").or_else(|| open("mem")));
        let image = Self {
            task,
            program: program(task, &process)?,
            user: fstat(&process).ok()?.st_uid,
            memory: File::from(memory?),
            process,
        };
        image.is_there().then_some(image)
    }

    /// Whether the process still is this program, of this user.
    pub(super) fn is_there(&self) -> bool {
        self.has_memory()
            && program(self.task, &self.process) == Some(self.program)
            && fstat(&self.process).is_ok_and(|it| it.st_uid == self.user)
    }

    /// The one is read in words only, and in the other nothing is ever mapped at the lowest
    /// addresses: so memory that is there gives an error, and memory that is gone no bytes. (The
    /// first says so without a look at what is mapped.)
    fn has_memory(&self) -> bool {
        !matches!(self.memory.read_at(&mut [0], 1), Ok(0))
    }
}

fn program(task: u32, process: &File) -> Option<(u64, u64)> {
    let status = look::into(task, || fstatat(process, "exe", AtFlags::empty())).ok()?;
    Some((status.st_dev, status.st_ino))
}

#[cfg(test)]
mod tests {
    use super::Image;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    #[test]
    fn an_exec_is_seen_and_so_is_the_end() {
        // The same program again: only its memory is another.
        let mut child = Command::new("sh")
            .args(["-c", "read x; exec sh -c 'echo again; read y; read z'"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let first = Image::open(child.id()).unwrap();
        assert!(first.is_there());
        let stdin = child.stdin.as_mut().unwrap();
        std::io::Write::write_all(stdin, b"\n").unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while first.is_there() {
            assert!(Instant::now() < deadline, "the exec is not seen");
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut line = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        let second = Image::open(child.id()).unwrap();
        assert!(second.is_there());
        assert!(!first.is_there());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!second.is_there());
        assert!(Image::open(child.id()).is_none());
    }
}
