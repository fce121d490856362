//! `--user`: CMD is started as somebody else, by root.

use hallpass_session::escape::escape;
use nix::errno::Errno;
use nix::unistd::{self, Gid, Uid};
use std::ffi::{CString, OsString};

/// Characters of what was written that are shown.
const SHOWN: usize = 200;

/// Somebody CMD can be started as.
#[derive(Clone, Debug)]
pub(super) struct User {
    name: OsString,
    home: OsString,
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
}

impl User {
    /// The user with this name or number.
    ///
    /// # Errors
    /// There is none, or this process may not start anything as another user.
    pub(super) fn find(text: &str) -> Result<Self, String> {
        let shown = escape(text, SHOWN);
        if !Uid::effective().is_root() {
            return Err(format!(
                "--user {shown}: only root may start a program as another user; write `sudo \
                 hallpass run --user …`, or leave --user out"
            ));
        }
        let by_number = || {
            text.parse()
                .ok()
                .map(Uid::from_raw)
                .map(unistd::User::from_uid)
        };
        let found = match unistd::User::from_name(text) {
            Ok(None) => by_number().unwrap_or(Ok(None)),
            found => found,
        };
        let found = found.map_err(|errno| format!("--user {shown}: {}", errno.desc()))?;
        let Some(found) = found else {
            return Err(format!(
                "--user {shown}: there is no such user; write a name or number that `getent \
                 passwd` knows"
            ));
        };
        let groups = CString::new(found.name.as_str())
            .map_err(|_| Errno::EINVAL)
            .and_then(|name| unistd::getgrouplist(&name, found.gid))
            .map_err(|errno| format!("--user {shown}: cannot read its groups: {}", errno.desc()))?;
        Ok(Self {
            name: found.name.into(),
            home: found.dir.into_os_string(),
            user: found.uid,
            group: found.gid,
            groups,
        })
    }

    /// What a program finds its user by.
    pub(super) fn variables(&self) -> [(&'static str, OsString); 3] {
        [
            ("HOME", self.home.clone()),
            ("USER", self.name.clone()),
            ("LOGNAME", self.name.clone()),
        ]
    }

    /// Makes the calling process, which has one thread, this user's, for good.
    pub(super) fn become_it(&self) -> Result<(), Errno> {
        unistd::setgroups(&self.groups)?;
        unistd::setresgid(self.group, self.group, self.group)?;
        unistd::setresuid(self.user, self.user, self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::User;
    use nix::unistd::{Gid, Uid};

    #[test]
    fn users_are_found_by_name_and_number() {
        if !Uid::effective().is_root() {
            let why = User::find("nobody").unwrap_err();
            assert!(why.contains("only root"), "{why}");
            return;
        }
        for text in ["root", "0"] {
            let user = User::find(text).unwrap();
            assert_eq!(
                (user.user, user.group),
                (Uid::from_raw(0), Gid::from_raw(0))
            );
            assert_eq!(user.variables()[1].1, "root");
            assert!(user.groups.contains(&Gid::from_raw(0)));
        }
        for text in ["", "no such user", "4294967000", "-1", "a\0b"] {
            let why = User::find(text).unwrap_err();
            assert!(why.contains("--user"), "{why}");
        }
    }
}
