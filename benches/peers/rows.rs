//! The workloads, which are the rows of the report.

use crate::servers::Purpose;

/// The behaviour of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Requests one file repeatedly.
    File,
    /// Requests one file, sixteen requests per write.
    Pipelined,
    /// Requests one of ten thousand files at random.
    Many,
    /// Opens a new connection for each request.
    Close,
    /// Requests a name that does not exist.
    Missing,
    /// Uploads a file with PUT, under one of a hundred names.
    Put,
    /// Sends the `ETag` of the same server in `If-None-Match`.
    NotModified,
    /// Requests a range of a large file.
    Range,
    /// Requests a directory listing.
    Listing,
    /// Waits a millisecond after each response.
    Think,
    /// Requests a file while another program keeps every core busy.
    Busy,
}

/// The compared figure. A larger ratio is always better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// Requests per second.
    Rate,
    /// The latency that 99 % do not exceed: nginx's, divided by a server's.
    P99,
    /// CPU time per request: nginx's, divided by a server's.
    Processor,
}

/// One workload.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name for `--only`.
    pub name: &'static str,
    /// The text in the table.
    pub says: &'static str,
    /// The request target.
    pub target: &'static str,
    /// Number of concurrent connections.
    pub connections: usize,
    pub kind: Kind,
    pub judge: Judge,
    /// How the servers are started.
    pub purpose: Purpose,
    /// The expected length of the body, if it is known.
    pub length: Option<u64>,
    /// Whether slow servers run in every round, because they are not slow here.
    pub is_for_all: bool,
    /// Whether `--quick` runs it.
    pub is_quick: bool,
}

/// The first byte of the range.
pub const RANGE_START: u64 = 128 * 1024 * 1024;
/// The length of the range.
pub const RANGE_LENGTH: u64 = 64 * 1024;
/// Requests per write.
pub const PIPELINE: usize = 16;

const fn file(name: &'static str, says: &'static str, target: &'static str, connections: usize, length: u64) -> Row {
    let (kind, judge, purpose) = (Kind::File, Judge::Rate, Purpose::Usual);
    Row { name, says, target, connections, kind, judge, purpose, length: Some(length), is_for_all: false, is_quick: false }
}

const fn small(name: &'static str, says: &'static str, connections: usize, kind: Kind) -> Row {
    Row { kind, ..file(name, says, "/1k.bin", connections, 1024) }
}

const fn quick(row: Row) -> Row {
    Row { is_quick: true, ..row }
}

const fn for_all(row: Row) -> Row {
    Row { is_for_all: true, ..row }
}

#[cfg(feature = "tls")]
const fn tls(row: Row) -> Row {
    Row { purpose: Purpose::Tls, ..row }
}

/// Number of names that uploads use in turn.
pub const UPLOADS: usize = 100;
/// The length of an upload.
pub const UPLOAD_LENGTH: u64 = 1024 * 1024;

/// All workloads. With the feature `tls` of this package there are more.
pub const ROWS: &[Row] = &[
    file("1k-1", "1 KiB, 1 connection", "/1k.bin", 1, 1024),
    file("1k-16", "1 KiB, 16 connections", "/1k.bin", 16, 1024),
    quick(file("1k-64", "1 KiB, 64 connections", "/1k.bin", 64, 1024)),
    quick(file("1k-256", "1 KiB, 256 connections", "/1k.bin", 256, 1024)),
    file("1k-1024", "1 KiB, 1,024 connections", "/1k.bin", 1024, 1024),
    Row {
        purpose: Purpose::Pipelined,
        ..small("pipelined", "1 KiB, 16 requests per write, 16 connections", 16, Kind::Pipelined)
    },
    file("10k", "10 KiB, 64 connections", "/10k.bin", 64, 10 * 1024),
    quick(file("100k", "100 KiB, 16 connections", "/100k.bin", 16, 100 * 1024)),
    quick(for_all(file("1m", "1 MiB, 16 connections", "/1m.bin", 16, 1024 * 1024))),
    for_all(file("256m", "256 MiB, 2 connections", "/256m.bin", 2, 256 * 1024 * 1024)),
    quick(small("close", "new connection per request, 64 at a time", 64, Kind::Close)),
    quick(Row {
        kind: Kind::Many,
        ..file("many", "4 KiB, random choice of 10,000 files, 64 connections", "/many/00000.bin", 64, 4096)
    }),
    Row { kind: Kind::Missing, length: None, ..file("404", "404, 64 connections", "/no-such-file.bin", 64, 0) },
    Row { kind: Kind::NotModified, ..file("304", "304 by ETag, 64 connections", "/1k.bin", 64, 0) },
    Row { kind: Kind::Range, ..file("range", "64 KiB range of 256 MiB, 16 connections", "/256m.bin", 16, RANGE_LENGTH) },
    Row { kind: Kind::Listing, length: None, ..file("listing", "listing of 1,000 entries, 16 connections", "/folder/", 16, 0) },
    Row { judge: Judge::Processor, ..small("think", "1 KiB, 16 clients that pause 1 ms: CPU time per request", 16, Kind::Think) },
    Row {
        judge: Judge::P99,
        ..small("busy", "1 KiB, 16 connections, all cores kept busy by another program: p99", 16, Kind::Busy)
    },
    Row { purpose: Purpose::Logged, ..file("logged", "1 KiB, 64 connections, access log to a file", "/1k.bin", 64, 1024) },
    Row {
        kind: Kind::Put,
        purpose: Purpose::Uploads,
        length: None,
        ..file("put", "upload of 1 MiB, 4 connections", "/put/00000.bin", 4, 0)
    },
    #[cfg(feature = "tls")]
    tls(file("tls-1k", "1 KiB over TLS, 64 connections", "/1k.bin", 64, 1024)),
    #[cfg(feature = "tls")]
    tls(file("tls-1m", "1 MiB over TLS, 16 connections", "/1m.bin", 16, 1024 * 1024)),
    #[cfg(feature = "tls")]
    tls(small("tls-close", "new TLS connection per request, 16 at a time", 16, Kind::Close)),
];

impl Row {
    /// The status of a correct response.
    pub fn status(&self) -> u16 {
        match self.kind {
            Kind::Missing => 404,
            Kind::NotModified => 304,
            Kind::Range => 206,
            Kind::Put => 204,
            Kind::File | Kind::Pipelined | Kind::Many | Kind::Close | Kind::Listing | Kind::Think | Kind::Busy => 200,
        }
    }

    /// The offset in the file at which the body of a correct response begins; `None` if it is not from a file.
    pub fn offset(&self) -> Option<u64> {
        match self.kind {
            Kind::Range => Some(RANGE_START),
            Kind::Missing | Kind::NotModified | Kind::Listing | Kind::Put => None,
            Kind::File | Kind::Pipelined | Kind::Many | Kind::Close | Kind::Think | Kind::Busy => Some(0),
        }
    }
}
