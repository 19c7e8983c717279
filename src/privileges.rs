//! How does a process that began as root become somebody else?
//!
//! Ports below 1024 are for root alone; serving files is not. A process cannot change its user in all of its threads at once without
//! unsafe code. But it can start anew as somebody else: it opens the sockets, lets them survive, and executes itself with the
//! other user; the new program finds the sockets as it would find those of systemd (`sd_listen_fds(3)`).

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{geteuid, getpid};

/// The sockets get numbers from here on, above all that is open already: they must follow each other.
const FIRST_DESCRIPTOR: i32 = 64;

/// Somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The number of the user.
    pub uid: u32,
    /// The number of their group.
    pub gid: u32,
}

impl User {
    /// Finds a user of this system by name or number.
    pub fn of_system(name: &str) -> Option<User> {
        User::find(name, &std::fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    /// Finds a user by name or number in the text of `/etc/passwd`. A number that nobody has is its own group.
    // name:password:uid:gid:comment:home:shell (passwd(5))
    fn find(name: &str, passwd: &str) -> Option<User> {
        let entries = passwd.lines().filter_map(|line| {
            let mut words = line.split(':');
            let (name, _, uid, gid) = (words.next()?, words.next()?, words.next()?, words.next()?);
            Some((name, User { uid: uid.parse().ok()?, gid: gid.parse().ok()? }))
        });
        let number = name.parse().ok();
        let found = entries.into_iter().find(|(known, user)| *known == name || Some(user.uid) == number).map(|(_, user)| user);
        found.or(number.map(|number| User { uid: number, gid: number }))
    }
}

/// Whether we are root.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Whether we are that user already.
pub fn is(user: User) -> bool {
    geteuid().as_raw() == user.uid
}

/// Becomes that user, with the same command line and these sockets. Does not return but for an error.
pub fn become_user(user: User, sockets: &[impl AsFd]) -> io::Error {
    try_to_become(user, sockets).err().unwrap_or_else(|| io::ErrorKind::Other.into())
}

fn try_to_become(user: User, sockets: &[impl AsFd]) -> io::Result<()> {
    let mut handed_over = Vec::new();
    for (index, socket) in (FIRST_DESCRIPTOR..).zip(sockets) {
        let duplicate = fcntl_dupfd_cloexec(socket, FIRST_DESCRIPTOR)?;
        if duplicate.as_raw_fd() != index {
            return Err(io::Error::other(format!("descriptor {index} is in use")));
        }
        fcntl_setfd(&duplicate, FdFlags::empty())?;
        handed_over.push(duplicate);
    }
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    // `exec` replaces the program, not the process: the number stays, and the supplementary groups of root go.
    Err(Command::new(env::current_exe()?)
        .args(arguments)
        .env("LISTEN_PID", getpid().to_string())
        .env("LISTEN_FDS", handed_over.len().to_string())
        .env("LISTEN_FDS_FIRST_FD", FIRST_DESCRIPTOR.to_string())
        .uid(user.uid)
        .gid(user.gid)
        .exec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nwww-data:x:33:34:www:/var/www:/sbin/nologin\n77:x:5:6:::\n";
        for (name, want, why) in [
            ("root", Some((0, 0)), "the first line"),
            ("www-data", Some((33, 34)), "after a line that is none"),
            ("33", Some((33, 34)), "by number, with the group of that user"),
            ("4000", Some((4000, 4000)), "a number that nobody has"),
            ("77", Some((5, 6)), "a name of digits is a name"),
            ("nobody-here", None, "no such user"),
            ("-1", None, "no number"),
            ("", None, "nothing"),
        ] {
            assert_eq!(User::find(name, passwd).map(|user| (user.uid, user.gid)), want, "{name:?}: {why}");
        }
    }
}
