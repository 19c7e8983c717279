//! How does a socket come into the file system, and out of it again?
//!
//! A socket at a path is a file that outlives the program: one that was killed leaves it behind, and nobody can listen there until it is
//! removed. What must not be removed is the socket of somebody who still listens, or a file that is none.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};

use crate::net::socket::Listener;

/// Whether this system has Unix sockets.
pub const SUPPORTED: bool = true;

/// The file of a socket that this process has bound. It is removed with this value, unless another has taken its place.
#[derive(Debug, PartialEq, Eq)]
pub struct UnixSocketFile {
    /// Where it is.
    pub path: PathBuf,
    device: u64,
    inode: u64,
    /// The number of a removed file is soon another's, and this is not. Where the file system does not tell, it counts on.
    created: Option<SystemTime>,
}

/// Listens at a path, for those who may write to the file: as the umask decides.
///
/// # Errors
/// `AddrInUse` where somebody listens already, `AlreadyExists` where there is something else than a socket, and what the system says.
pub fn open(path: &Path, backlog: i32) -> io::Result<(Listener, UnixSocketFile)> {
    let address = SocketAddrUnix::new(path)?;
    let socket = new_socket()?;
    match bind(&socket, &address) {
        Err(Errno::ADDRINUSE) => {
            remove_stale(path, &address)?;
            bind(&socket, &address)?;
        }
        result => result?,
    }
    let file = UnixSocketFile::at(path)?;
    listen(&socket, backlog)?;
    Ok((Listener::Unix(UnixListener::from(socket)), file))
}

fn new_socket() -> rustix::io::Result<rustix::fd::OwnedFd> {
    // Not by flags, which macOS does not have; there is no other thread yet that could start a program in between.
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Removes a socket at which nobody listens.
fn remove_stale(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        // Somebody else has just removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    match connect(&new_socket()?, address) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path),
        Err(Errno::NOENT) => Ok(()),
        // Whoever has no room for us in his queue listens all the same.
        Ok(()) | Err(Errno::AGAIN) => Err(io::ErrorKind::AddrInUse.into()),
        Err(errno) => Err(errno.into()),
    }
}

impl UnixSocketFile {
    fn at(path: &Path) -> io::Result<UnixSocketFile> {
        let path = std::path::absolute(path)?;
        let (device, inode, created) = identity(&path)?;
        Ok(UnixSocketFile { path, device, inode, created })
    }
}

impl Drop for UnixSocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == (self.device, self.inode, self.created)) {
            // A file that cannot be removed is replaced by the next process that listens there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Returns what tells the file at a path apart from all others: device, inode and time of creation.
fn identity(path: &Path) -> io::Result<(u64, u64, Option<SystemTime>)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    #[test]
    fn a_stale_socket_is_replaced_and_nothing_else() {
        let place = std::env::temp_dir().join(format!("threadbare-unix-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let path = place.join("socket");
        let try_open = || open(&path, 1).map_err(|error| error.kind());

        let (listener, file) = try_open().unwrap();
        assert_eq!(try_open().unwrap_err(), io::ErrorKind::AddrInUse, "we listen");
        let clients: Vec<_> = (0..8).map(|_| new_socket().unwrap()).collect();
        let connections: Vec<_> = clients.iter().map(|client| connect(client, &SocketAddrUnix::new(&path).unwrap())).collect();
        assert!(connections.contains(&Err(Errno::AGAIN)), "the queue is full: {connections:?}");
        assert_eq!(try_open().unwrap_err(), io::ErrorKind::AddrInUse, "and still we listen");
        drop(listener);
        assert!(path.exists(), "it outlives us");

        let (listener, successor) = try_open().expect("nobody listens any more");
        drop(file);
        assert!(path.exists(), "it is another's now");
        UnixStream::connect(&path).unwrap();
        drop(listener);
        drop(successor);
        assert!(!path.exists());

        let (_listener, removed) = try_open().expect("nothing is there");
        fs::remove_file(&path).unwrap();

        fs::write(&path, "a file").unwrap();
        assert_eq!(try_open().unwrap_err(), io::ErrorKind::AlreadyExists, "no socket");
        drop(removed);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(place.join("elsewhere"), &path).unwrap();
        assert_eq!(try_open().unwrap_err(), io::ErrorKind::AlreadyExists, "a link to nowhere");
        fs::remove_file(&path).unwrap();
        let _datagrams = UnixDatagram::bind(&path).unwrap();
        assert!(try_open().is_err(), "somebody's socket of another kind");
        assert!(path.exists());
        fs::remove_dir_all(&place).unwrap();
    }
}
