//! How much of a file is in memory at once?
//!
//! A large file passes through a buffer, piece by piece. Large pieces are fast; but a client that stops reading holds its piece for as
//! long as it is waited for, and five hundred such clients would hold five hundred pieces, and the system up to 4 MiB for each of them
//! besides. So only so many are large at any time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Measured over loopback, this moved more than any other size, and twice as much as `sendfile`.
pub const LARGE_BYTES: usize = 256 * 1024;
/// What the others get. With a short queue behind it, 256 downloads at once moved as much with this as with twice as much.
pub const SMALL_BYTES: usize = 16 * 1024;
/// Large pieces at the same time, 8 MiB of them: more downloads than that have no core of their own anyway.
const LARGE_MAX: usize = 32;

/// What the system holds for each of the others; it would grow to 4 MiB. Enough for 10 MB/s at 25 ms. What is short stays in the
/// processor's cache: 256 downloads over loopback moved 2.7 GB/s, and 1.6 with the system's own queues.
const SEND_QUEUE_BYTES: usize = 256 * 1024;

static LARGE_TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Large buffers that are not in use, at most [`LARGE_MAX`]. A new one costs more than the reading: the system hands its pages out one by
/// one, and each is cleared twice. Guards the list, for a push or a pop.
static FREE_BUFFERS: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// The right to hold a piece of a certain size, given back when it is dropped.
#[derive(Debug)]
pub struct FileBuffer {
    /// Room for a large piece.
    buffer: Option<Box<[u8]>>,
    /// It would have been large if there were not so many.
    throttled: bool,
}

impl FileBuffer {
    /// A piece for a content of that length in bytes.
    pub fn of(length: u64) -> FileBuffer {
        if usize::try_from(length).is_ok_and(|length| length <= SMALL_BYTES) {
            return FileBuffer { buffer: None, throttled: false };
        }
        let one_more = |taken| (taken < LARGE_MAX).then_some(taken + 1);
        if LARGE_TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            return FileBuffer { buffer: None, throttled: true };
        }
        let spare = spare().pop();
        FileBuffer { buffer: Some(spare.unwrap_or_else(|| vec![0; LARGE_BYTES].into())), throttled: false }
    }

    /// How much the system may hold of what has been written and not been taken, where that should be limited.
    pub fn send_queue_bytes_max(&self) -> Option<usize> {
        self.throttled.then_some(SEND_QUEUE_BYTES)
    }

    /// Room for a large piece; `None` where it is to be small, and the outbox is room enough.
    pub fn large(&mut self) -> Option<&mut [u8]> {
        self.buffer.as_deref_mut()
    }
}

impl Drop for FileBuffer {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            spare().push(buffer);
            LARGE_TAKEN.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn spare() -> MutexGuard<'static, Vec<Box<[u8]>>> {
    FREE_BUFFERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pieces_are_few_and_come_back() {
        let large = |pieces: &[FileBuffer]| pieces.iter().filter(|piece| piece.buffer.is_some()).count();
        let small_length = u64::try_from(SMALL_BYTES).unwrap();
        for round in 0..2 {
            let small: Vec<FileBuffer> = (0..200).map(|_| FileBuffer::of(small_length)).collect();
            assert_eq!(large(&small), 0, "a short content needs no large piece");
            let pieces: Vec<FileBuffer> = (0..200).map(|_| FileBuffer::of(small_length + 1)).collect();
            // Other tests of this process may hold some.
            assert!((LARGE_MAX / 2..=LARGE_MAX).contains(&large(&pieces)), "round {round}: {}", large(&pieces));
        }
    }
}
