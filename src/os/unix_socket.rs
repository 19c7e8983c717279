//! Unix socket files: binding, replacing stale ones, removal at exit.
//!
//! A socket at a path is a file that outlives a process that was killed, and binding fails until it is removed. A socket that still has a
//! listener, and a file of another type, must not be removed.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};

use crate::net::socket::Listener;

/// Another process holds the lock for a few system calls.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(20);
const LOCK_TRIES_MAX: usize = 100;

/// The file of a socket that this process has bound. Dropping the value removes the file, unless another file has replaced it.
#[derive(Debug, PartialEq, Eq)]
pub struct UnixSocketFile {
    /// Its absolute path.
    pub path: PathBuf,
    identity: Identity,
}

/// Binds a socket at a path and listens. The umask decides who may connect.
///
/// # Errors
/// `AddrInUse` if a process listens there, `AlreadyExists` if there is a file of another type, or the error of the system.
pub fn open(path: &Path, backlog: i32) -> io::Result<(Listener, UnixSocketFile)> {
    let address = SocketAddrUnix::new(path)?;
    let socket = new_socket()?;
    // Held until this function returns: between bind and listen, a socket looks stale.
    let lock = lock_directory(path);
    match bind(&socket, &address) {
        Err(Errno::ADDRINUSE) if lock.is_some() => {
            remove_stale(path, &address)?;
            bind(&socket, &address)?;
        }
        result => result?,
    }
    let path = std::path::absolute(path)?;
    let file = UnixSocketFile { identity: identity(&path)?, path };
    listen(&socket, backlog)?;
    Ok((Listener::Unix(UnixListener::from(socket)), file))
}

/// Locks the directory of a socket, so that of several processes that start only one binds or removes sockets in it. It leaves no file
/// behind. `None` if the directory cannot be locked within two seconds: then no socket may be removed.
fn lock_directory(path: &Path) -> Option<OwnedFd> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = rustix::fs::open(parent, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    for _ in 0..LOCK_TRIES_MAX {
        match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(directory),
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(LOCK_RETRY_INTERVAL),
            Err(_) => return None,
        }
    }
    None
}

fn new_socket() -> rustix::io::Result<OwnedFd> {
    // Flags of socket(2) would be atomic, but macOS lacks them; no other thread runs yet that could start a program in between.
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Removes a socket file without a listener.
fn remove_stale(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        // Another process has just removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    match connect(&new_socket()?, address) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path),
        Err(Errno::NOENT) => Ok(()),
        // EAGAIN means that its queue is full, so it has a listener.
        Ok(()) | Err(Errno::AGAIN) => Err(io::ErrorKind::AddrInUse.into()),
        Err(errno) => Err(errno.into()),
    }
}

impl Drop for UnixSocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // If this fails, the next process that binds the path replaces the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Device, inode and time of creation, which identify a file. File systems reuse inode numbers soon, but not this time, which is `None`
/// where the file system does not record it.
type Identity = (u64, u64, Option<SystemTime>);

fn identity(path: &Path) -> io::Result<Identity> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    #[test]
    fn only_stale_sockets_are_replaced() {
        let place = std::env::temp_dir().join(format!("threadbare-unix-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let path = place.join("socket");
        let try_open = || open(&path, 1).map_err(|error| error.kind());

        let (listener, file) = try_open().unwrap();
        assert_eq!(try_open().unwrap_err(), io::ErrorKind::AddrInUse, "there is a listener");
        let clients: Vec<_> = (0..8).map(|_| new_socket().unwrap()).collect();
        let connections: Vec<_> = clients.iter().map(|client| connect(client, &SocketAddrUnix::new(&path).unwrap())).collect();
        assert!(connections.contains(&Err(Errno::AGAIN)), "the queue is full: {connections:?}");
        assert_eq!(try_open().unwrap_err(), io::ErrorKind::AddrInUse, "a full queue has a listener");
        drop(listener);
        assert!(path.exists(), "the file outlives its listener");

        let (listener, successor) = try_open().expect("a stale socket is replaced");
        drop(file);
        assert!(path.exists(), "the file belongs to the second listener");
        UnixStream::connect(&path).unwrap();
        drop(listener);
        drop(successor);
        assert!(!path.exists());

        let (_listener, removed) = try_open().expect("there is no file");
        fs::remove_file(&path).unwrap();

        fs::write(&path, "a file").unwrap();
        assert_eq!(try_open().unwrap_err(), io::ErrorKind::AlreadyExists, "a regular file");
        drop(removed);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(place.join("elsewhere"), &path).unwrap();
        assert_eq!(try_open().unwrap_err(), io::ErrorKind::AlreadyExists, "a dangling link");
        fs::remove_file(&path).unwrap();
        let _datagrams = UnixDatagram::bind(&path).unwrap();
        assert!(try_open().is_err(), "a datagram socket");
        assert!(path.exists());
        fs::remove_dir_all(&place).unwrap();
    }
    #[test]
    fn of_several_starts_at_once_one_gets_the_socket() {
        let place = std::env::temp_dir().join(format!("threadbare-unix-race-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let path = place.join("socket");
        for round in 0..20 {
            drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
            let barrier = std::sync::Barrier::new(4);
            let results = std::thread::scope(|scope| {
                let start = || {
                    barrier.wait();
                    open(&path, 16)
                };
                let starts: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
                starts.into_iter().map(|start| start.join().unwrap()).collect::<Vec<_>>()
            });
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "round {round}: {results:?}");
            UnixStream::connect(&path).expect("the socket is live");
            drop(results);
            assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "nothing is left");
        }
        fs::remove_dir_all(&place).unwrap();
    }
}
