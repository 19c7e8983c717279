//! How is a file read at any place, without moving the place where somebody else reads on?

use std::fs::File;
use std::io;

/// Reads some bytes from that place on: one system call. 0 is the end.
///
/// # Errors
/// What the system says.
#[cfg(unix)]
#[inline]
pub fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

/// The same. Windows does move the place, but nobody here reads from where it is.
///
/// # Errors
/// What the system says.
#[cfg(windows)]
#[inline]
pub fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// Fills the buffer from that place on.
///
/// # Errors
/// What the system says, or `UnexpectedEof` if there are not so many bytes.
pub fn read_exact_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match read_at(file, buffer, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer = buffer.get_mut(count..).unwrap_or_default();
                at += u64::try_from(count).map_err(io::Error::other)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_a_place_to_the_end_and_not_beyond() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/site/ten.txt");
        let file = File::open(path).unwrap();
        for (length, at, want, why) in [
            (10, 0, Some(&b"0123456789"[..]), "all of it"),
            (3, 7, Some(b"789"), "the last three"),
            (0, 10, Some(b""), "nothing, at the end"),
            (3, 8, None, "one more than there is"),
            (1, 10, None, "the first behind the end"),
            (3, 7, Some(b"789"), "the place has not moved"),
        ] {
            let mut buffer = vec![0; length];
            let read = read_exact_at(&file, &mut buffer, at);
            assert_eq!(read.is_ok().then_some(&*buffer), want, "{why}");
        }
    }
}
