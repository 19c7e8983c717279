//! What may a client know of why something could not be opened?

use std::io;

/// An error of opening or reading, as far as a client may know it: `NotFound` also for what leads out of the root.
pub fn sanitize_error(error: io::Error) -> io::Error {
    use io::ErrorKind as K;
    match error.kind() {
        // No system call said this: it is how an attempt to leave the root is reported.
        K::PermissionDenied if error.raw_os_error().is_none() => K::NotFound.into(),
        // Another way to say so; a file where a directory should be; a name that is too long; a NUL.
        K::CrossesDevices | K::NotADirectory | K::InvalidFilename | K::InvalidInput => K::NotFound.into(),
        _ => map_errno(error),
    }
}

/// The same for errors that have a number but no kind.
#[cfg(unix)]
fn map_errno(error: io::Error) -> io::Error {
    use rustix::io::Errno;
    match Errno::from_io_error(&error) {
        // Links in a circle; a socket, or a device that is not there.
        Some(Errno::LOOP | Errno::NXIO | Errno::NODEV) => io::ErrorKind::NotFound.into(),
        // Too many open files, ours or the system's: it will pass.
        Some(Errno::MFILE | Errno::NFILE) => io::Error::new(io::ErrorKind::ResourceBusy, error),
        _ => error,
    }
}

/// The same for errors that have a number but no kind: none that we know of.
#[cfg(not(unix))]
fn map_errno(error: io::Error) -> io::Error {
    error
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn errors_as_seen_outside() {
        use io::ErrorKind as K;
        use rustix::io::Errno as E;
        for (error, want, why) in [
            (E::NOENT.into(), K::NotFound, "there is none"),
            (E::ACCESS.into(), K::PermissionDenied, "we may not read it"),
            (E::PERM.into(), K::PermissionDenied, "we may not read it"),
            (io::Error::new(K::PermissionDenied, "outside"), K::NotFound, "an escape"),
            (E::XDEV.into(), K::NotFound, "an escape"),
            (E::LOOP.into(), K::NotFound, "links in a circle"),
            (E::NOTDIR.into(), K::NotFound, "a file where a directory should be"),
            (E::NAMETOOLONG.into(), K::NotFound, "a long name"),
            (E::INVAL.into(), K::NotFound, "NUL"),
            (E::NXIO.into(), K::NotFound, "a socket"),
            (E::MFILE.into(), K::ResourceBusy, "our limit of open files"),
            (E::NFILE.into(), K::ResourceBusy, "the system's"),
            (E::NOMEM.into(), K::OutOfMemory, "no memory"),
        ] {
            assert_eq!(sanitize_error(error).kind(), want, "{why}");
        }
        let error = rustix::io::Errno::IO.into();
        assert_eq!(sanitize_error(error).raw_os_error(), Some(E::IO.raw_os_error()), "anything else stays");
    }
}
