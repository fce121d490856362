//! Whose rights a call is made with. The supervisor has its own process's; a target may have given
//! up some of them. Where that matters the call is made with the target's: a thread takes them on
//! for the length of the call, and nothing else.
//!
//! Only the effective ids, the groups and the effective capabilities are taken on: they are what
//! the kernel looks at for files and peers. Real and saved ids stay, so that nobody who may signal
//! or trace the target may do so to this thread, and so to this process.

use crate::sys::credentials::{self as sys, Capabilities};
use crate::target::status_of;
use hallpass_look as look;
use nix::errno::Errno;
use nix::sys::prctl;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// CAP_SETUID
const SET_USER: u64 = 1 << 7;
/// CAP_SETGID
const SET_GROUP: u64 = 1 << 6;

/// What a thread may do, as this process's user namespace sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) real_user: u32,
    pub(crate) real_group: u32,
    user: u32,
    group: u32,
    saved_user: u32,
    saved_group: u32,
    file_user: u32,
    file_group: u32,
    groups: Vec<u32>,
    /// Effective ones.
    capabilities: u64,
}

/// How the rights of a calling thread compare to this process's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// They are the same, or this process has none to lend.
    Own,
    /// Calls are made with these.
    Other(Box<Credentials>),
    /// They cannot be taken on.
    Unknown,
}

/// This process's own.
#[derive(Debug)]
pub(crate) struct Own {
    credentials: Option<Credentials>,
    namespace: Option<(u64, u64)>,
    /// What a security module calls it (AppArmor, SELinux).
    label: Option<Vec<u8>>,
}

impl Own {
    pub(crate) fn look() -> Self {
        let own = "self";
        let credentials = Credentials::read(own);
        // Without privileges no target can have less than we.
        let lends = |it: &Credentials| it.user == 0 || it.capabilities != 0;
        Self {
            credentials: credentials.filter(lends),
            namespace: namespace(own),
            label: label(own),
        }
    }

    /// Those of a thread that waits for us, and so cannot change them meanwhile.
    pub(crate) fn compare(&self, tid: u32) -> Rights {
        let task = tid.to_string();
        if self.label.is_some() && !may_act_for(self.label.as_deref(), label(&task).as_deref()) {
            return Rights::Unknown;
        }
        let Some(own) = &self.credentials else {
            return Rights::Own;
        };
        let Some(mut theirs) = Credentials::read(&task) else {
            return Rights::Unknown;
        };
        let theirs_in = look::into(tid, || namespace(&task));
        if self.namespace.is_none() || theirs_in != self.namespace {
            // Theirs are capabilities over what belongs to that namespace only.
            theirs.capabilities = 0;
        }
        if theirs == *own {
            Rights::Own
        } else {
            Rights::Other(Box::new(theirs))
        }
    }
}

impl Credentials {
    fn read(task: &str) -> Option<Self> {
        Self::parse(&status_of(task).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The program's name comes first and is its own word, but escapes line ends.
        let field = |key: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(name, _)| *name == key).map(|(_, value)| value)
        };
        let numbers = |key: &str| -> Option<Vec<u32>> {
            let words = field(key)?.split_ascii_whitespace();
            words.map(|word| word.parse().ok()).collect()
        };
        // Real, effective, saved, of files.
        let [real_user, user, saved_user, file_user] = numbers("Uid")?.try_into().ok()?;
        let [real_group, group, saved_group, file_group] = numbers("Gid")?.try_into().ok()?;
        Some(Self {
            real_user,
            real_group,
            user,
            group,
            saved_user,
            saved_group,
            file_user,
            file_group,
            groups: numbers("Groups")?,
            capabilities: u64::from_str_radix(field("CapEff")?.trim(), 16).ok()?,
        })
    }

    /// Whether it may say in SCM_CREDENTIALS that it is this user and group.
    pub(crate) fn may_name(&self, user: u32, group: u32) -> bool {
        let has = |capability: u64| self.capabilities & capability != 0;
        ([self.real_user, self.user, self.saved_user].contains(&user) || has(SET_USER))
            && ([self.real_group, self.group, self.saved_group].contains(&group) || has(SET_GROUP))
    }

    /// Does `act` with these rights. `Err`: they could not be taken on, and nothing was done.
    pub(crate) fn act<T>(&self, act: impl FnOnce() -> T) -> Result<T, Errno> {
        let borrowed = Borrowed::take(self)?;
        let result = act();
        drop(borrowed);
        Ok(result)
    }
}

/// This thread has a target's rights until this is dropped.
struct Borrowed {
    own: Credentials,
    capabilities: Capabilities,
    dumpable: bool,
}

impl Borrowed {
    fn take(other: &Credentials) -> Result<Self, Errno> {
        let capabilities = Capabilities::own()?;
        let own = Credentials::read("thread-self").ok_or(Errno::EIO)?;
        let dumpable = prctl::get_dumpable()?;
        // From here on whatever was changed is put back when this is dropped.
        let borrowed = Self {
            own,
            capabilities,
            dumpable,
        };
        if other.groups != borrowed.own.groups {
            sys::set_groups(&other.groups)?;
        }
        sys::set_group(other.group)?;
        sys::set_user(other.user)?;
        if (other.file_user, other.file_group) != (other.user, other.group) {
            // Changing the user has taken these away.
            capabilities.with_effective(SET_USER | SET_GROUP).take()?;
            sys::set_file_group(other.file_group)?;
            sys::set_file_user(other.file_user)?;
        }
        capabilities.with_effective(other.capabilities).take()?;
        // The kernel resets it with each change of ids, to whatever fs.suid_dumpable says.
        prctl::set_dumpable(dumpable)?;
        Ok(borrowed)
    }

    fn give_back(&self) -> Result<(), Errno> {
        let own = &self.own;
        sys::set_user(own.user)?;
        self.capabilities.take()?;
        sys::set_group(own.group)?;
        let now = Credentials::read("thread-self").ok_or(Errno::EIO)?;
        if now.groups != own.groups {
            sys::set_groups(&own.groups)?;
        }
        prctl::set_dumpable(self.dumpable)?;
        Ok(())
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if self.give_back().is_err() {
            // A supervisor without its rights refuses for no reason that anybody would find. It
            // ends closed instead.
            std::process::abort();
        }
    }
}

fn namespace(task: &str) -> Option<(u64, u64)> {
    let namespace = fs::metadata(format!("/proc/{task}/ns/user")).ok()?;
    Some((namespace.dev(), namespace.ino()))
}

fn label(task: &str) -> Option<Vec<u8>> {
    let label = fs::read(format!("/proc/{task}/attr/current")).ok()?;
    let end = label.iter().position(|byte| *byte == 0 || *byte == b'\n');
    let label = label.get(..end.unwrap_or(label.len()))?.to_vec();
    (!label.is_empty()).then_some(label)
}

/// Whether what is called `own` may act for what is called `other`: the same, or something that
/// nothing is forbidden to (AppArmor: `unconfined`, `chromium (unconfined)`, `x (complain)`).
fn may_act_for(own: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    own == other
        || other.is_some_and(|label| {
            label == b"unconfined"
                || label.ends_with(b" (unconfined)")
                || label.ends_with(b" (complain)")
        })
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Own, Rights, may_act_for};
    use crate::sys::credentials::Capabilities;
    use nix::errno::Errno;
    use std::os::unix::fs::PermissionsExt;

    fn status(uid: &str, rest: &str) -> String {
        format!("Name:\tUid:\\n\nUid:\t{uid}\nGid:\t5\t6\t7\t8\n{rest}")
    }

    #[test]
    fn a_status_says_what_a_thread_may_do() {
        let text = status(
            "1\t2\t3\t4",
            "Groups:\t4 24 65534 \nCapEff:\t0000000000000401\n",
        );
        let it = Credentials::parse(&text).unwrap();
        let ids = [it.real_user, it.user, it.file_user];
        assert_eq!(
            (ids, it.groups, it.capabilities),
            ([1, 2, 4], vec![4, 24, 65534], 0x401)
        );
        let groups = [it.real_group, it.group, it.file_group];
        assert_eq!(groups, [5, 6, 8]);
        for wrong in [
            status("1\t2\t3", "Groups:\t\nCapEff:\t0\n"),
            status("1\t2\t3\t4", "CapEff:\t0\n"),
            status("1\t2\t3\t4", "Groups:\t1 x\nCapEff:\t0\n"),
            // Cut off.
            status("1\t2\t3\t4", "Groups:\t1 2"),
        ] {
            assert_eq!(Credentials::parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn this_process_has_its_own() {
        let own = Own::look();
        assert_eq!(own.compare(std::process::id()), Rights::Own);
        assert_eq!(
            own.compare(u32::MAX),
            match own.credentials {
                Some(_) => Rights::Unknown,
                None => Rights::Own,
            }
        );
    }

    #[test]
    fn labels() {
        let own: &[u8] = b"unconfined";
        assert!(may_act_for(None, None));
        assert!(may_act_for(Some(own), Some(own)));
        assert!(may_act_for(Some(own), Some(b"chromium (unconfined)")));
        assert!(may_act_for(Some(own), Some(b"evince (complain)")));
        assert!(!may_act_for(Some(own), Some(b"evince (enforce)")));
        assert!(!may_act_for(Some(own), None), "it cannot be read");
        assert!(may_act_for(Some(b"a (enforce)"), Some(b"a (enforce)")));
    }

    /// In a thread of its own, which ends with whatever is left of it.
    #[test]
    fn rights_are_borrowed_and_given_back() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let file = |name: &str, user: u32, group: u32, mode: u32| {
            let path = dir.path().join(name);
            std::fs::write(&path, name).unwrap();
            std::os::unix::fs::chown(&path, Some(user), Some(group)).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (roots, groups, users) = (
            file("roots", 0, 0, 0o600),
            file("groups", 0, 4711, 0o040),
            file("users", 65534, 0, 0o400),
        );
        let read = |path: &std::path::Path| {
            std::fs::read(path).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap()))
        };
        let credentials = |user: u32, groups: &[u32], capabilities: u64| Credentials {
            real_user: user,
            real_group: user,
            user,
            group: user,
            saved_user: user,
            saved_group: user,
            file_user: user,
            file_group: user,
            groups: groups.to_vec(),
            capabilities,
        };
        std::thread::spawn(move || {
            let before = (
                Credentials::read("thread-self"),
                Capabilities::own().unwrap(),
            );
            let nobody = credentials(65534, &[4711], 0);
            let said = nobody.act(|| (read(&roots), read(&groups), read(&users)));
            let (all, none) = (Ok(b"groups".to_vec()), Err(Errno::EACCES));
            assert_eq!(said, Ok((none.clone(), all, Ok(b"users".to_vec()))));
            let other = credentials(65533, &[], 0).act(|| (read(&groups), read(&users)));
            assert_eq!(other, Ok((none.clone(), none.clone())));
            // Root without capabilities; nobody with CAP_DAC_OVERRIDE; files as somebody else.
            let powerless = credentials(0, &[], 0).act(|| (read(&roots), read(&users)));
            assert_eq!(powerless, Ok((Ok(b"roots".to_vec()), none.clone())));
            let powerful = credentials(65534, &[], 2).act(|| read(&roots));
            assert_eq!(powerful, Ok(Ok(b"roots".to_vec())));
            let files = Credentials {
                file_user: 65534,
                ..credentials(65533, &[], 0)
            };
            assert_eq!(files.act(|| read(&users)), Ok(Ok(b"users".to_vec())));
            assert_eq!(nobody.act(|| Capabilities::own().unwrap().effective), Ok(0));
            let after = (
                Credentials::read("thread-self"),
                Capabilities::own().unwrap(),
            );
            assert_eq!(before, after);
            assert_eq!(read(&roots), Ok(b"roots".to_vec()));
        })
        .join()
        .unwrap();
    }
}
