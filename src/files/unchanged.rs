//! Does a path still lead to the file that it led to?
//!
//! A file that is kept in memory is sent only if it still is what lies at its path, and only if its path still stays beneath the root.
//! The second is not asked for free: `stat` follows links in the directories on the way, wherever they lead. So each of these is
//! looked at as well. They are few, each look is a fraction of a microsecond, and most files of a site lie in its root or one below.

use cap_std::fs::Dir;

use crate::config::Symlinks;
use crate::files::version::FileVersion;

/// Whether `path`, from `root` on, leads to the version of a regular file that the stamp was taken of. Where links may not leave the
/// root, none may be on the way: a path with links is opened each time, for only opening can tell where they lead.
#[cfg(unix)]
#[inline]
pub fn is_unchanged(root: &Dir, path: &[u8], symlinks: Symlinks, stamp: &FileVersion) -> bool {
    use rustix::fs::FileType;
    if symlinks == Symlinks::Within {
        for (slash, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            let directory = path.get(..slash).unwrap_or_default();
            let is_directory = |stat: &rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode).is_dir();
            if !at(root, directory, symlinks, &is_directory) {
                return false;
            }
        }
    }
    at(root, path, symlinks, &|stat| FileVersion::of_regular(stat).is_some_and(|now| now == *stamp))
}

/// Whether what lies at that path is as it should be.
#[cfg(unix)]
fn at(root: &Dir, path: &[u8], symlinks: Symlinks, should: &dyn Fn(&rustix::fs::Stat) -> bool) -> bool {
    use rustix::fs::{AtFlags, statat};
    let flags = match symlinks {
        Symlinks::Within => AtFlags::SYMLINK_NOFOLLOW,
        Symlinks::Followed => AtFlags::empty(),
    };
    statat(root, path, flags).as_ref().is_ok_and(should)
}

/// Elsewhere a file cannot be told from another so surely that its content could be sent unread.
#[cfg(not(unix))]
pub fn is_unchanged(_: &Dir, _: &[u8], _: Symlinks, _: &FileVersion) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::files::root::{Opened, Root};
    use crate::files::scratch::Scratch;

    #[test]
    fn what_has_changed_or_lies_behind_a_link_is_not_the_same() {
        type Change = fn(&std::path::Path);
        let cases: [(&str, Change, bool, &str); 9] = [
            ("d/x", |_| {}, true, "nothing happened"),
            ("d/x", |at| fs::write(at.join("root/d/y"), "y").unwrap(), true, "something else did"),
            ("d/x", |at| fs::write(at.join("root/d/x"), "d/X").unwrap(), false, "written"),
            ("d/x", |at| fs::remove_file(at.join("root/d/x")).unwrap(), false, "removed"),
            ("d/x", |at| fs::rename(at.join("root/a"), at.join("root/d/x")).unwrap(), false, "replaced"),
            (
                "d/x",
                |at| {
                    fs::rename(at.join("root/d"), at.join("d")).unwrap();
                    symlink(at.join("d"), at.join("root/d")).unwrap();
                },
                false,
                "the same file, but its directory is a link out of the root now",
            ),
            (
                "d/x",
                |at| {
                    fs::rename(at.join("root/d"), at.join("root/e")).unwrap();
                    symlink("e", at.join("root/d")).unwrap();
                },
                false,
                "a link that stays inside: opening must tell",
            ),
            (
                "d/x",
                |at| fs::hard_link(at.join("root/d/x"), at.join("root/d/z")).unwrap(),
                false,
                "a link more: better read again",
            ),
            (
                "a",
                |at| {
                    fs::rename(at.join("root/a"), at.join("a")).unwrap();
                    symlink("../a", at.join("root/a")).unwrap();
                },
                false,
                "the file itself is a link now",
            ),
        ];
        for (path, change, want, why) in cases {
            let scratch = Scratch::with(&["root/d/x", "root/a"]);
            let root = Root::open(&scratch.path().join("root"), Symlinks::Within).unwrap();
            let Ok(Opened::File(_, stamp)) = root.open_beneath(path.as_bytes()) else { panic!("no file") };
            change(scratch.path());
            assert_eq!(root.is_unchanged(path.as_bytes(), &stamp), want, "{why}");
        }
    }
}
