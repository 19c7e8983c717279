//! TLS 1.2 and 1.3, by rustls.
//!
//! A [`TlsSocket`] is a [`Transport`] like the socket below it. Its handshake happens within the first reads, so that their deadline applies
//! to it. A call of [`Transport::read`] reads from the socket once: if that yields no plaintext, it returns `Interrupted`, and the caller
//! tries again with the time that is left.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, ServerConfig, ServerConnection, SignatureScheme,
};

use crate::net::socket::{SocketTransport, timed_out};
use crate::net::{TlsState, Transport};

/// The first byte of a TLS connection: a record with a handshake message. No request begins with it.
const HANDSHAKE_RECORD: u8 = 0x16;
/// The only protocol, by its name in ALPN.
const PROTOCOL: &[u8] = b"http/1.1";
/// Plaintext that is encrypted before it is sent: two records.
const PLAINTEXT_BYTES_MAX: usize = 32 * 1024;
/// What an idle connection keeps for encrypted bytes.
const KEPT_BYTES_MAX: usize = 1024;

/// The configuration that all TLS connections of a server share. Its certificate can be replaced. The lock is held only to clone or replace
/// the configuration.
#[derive(Clone, Debug)]
pub struct Tls(Arc<RwLock<Arc<ServerConfig>>>);

impl Tls {
    /// Creates the configuration: TLS 1.2 and 1.3, `http/1.1` alone, session tickets, no early data.
    ///
    /// # Errors
    /// The random generator of the system fails.
    pub fn new(certificate: CertifiedKey) -> Result<Tls, rustls::Error> {
        let resolver = Arc::new(SingleCertAndKey::from(certificate));
        let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.ticketer = ring::Ticketer::new()?;
        Ok(Tls(Arc::new(RwLock::new(Arc::new(config)))))
    }

    /// Replaces the certificate. Connections that exist keep theirs.
    pub fn replace(&self, certificate: CertifiedKey) {
        let mut config = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut config).cert_resolver = Arc::new(SingleCertAndKey::from(certificate));
    }

    /// Returns the transport for a connection that was accepted. It moves bytes as they are until [`Transport::start_tls`].
    pub fn accept<'a>(&'a self, socket: SocketTransport<'a>) -> TlsSocket<'a> {
        TlsSocket { socket, server: Some(self), session: Session::Off }
    }
}

/// Starts TLS as a client that accepts any certificate: for asking a server on this machine whether it responds.
///
/// # Errors
/// The random generator of the system fails.
pub fn connect(socket: SocketTransport<'_>) -> io::Result<TlsSocket<'_>> {
    let verified = ClientConfig::builder().dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate));
    let mut config = verified.with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let client = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(TlsSocket { socket, server: None, session: Session::Encrypted(Encryption::new(client.into(), &[])) })
}

/// A connection with TLS: one that was accepted, or one to a server.
pub struct TlsSocket<'a> {
    socket: SocketTransport<'a>,
    /// `None` for a connection to a server.
    server: Option<&'a Tls>,
    session: Session,
}

#[derive(Debug)]
enum Session {
    /// Bytes pass as they are: before TLS starts, or after its end.
    Off,
    /// The first byte will tell whether the client speaks TLS.
    Undecided,
    /// The client does not speak TLS.
    Cleartext,
    /// The client speaks TLS.
    Encrypted(Box<Encryption>),
}

#[derive(Debug)]
struct Encryption {
    connection: Connection,
    /// The first bytes, which were read before the session began.
    early: VecDeque<u8>,
    /// Encrypted bytes that the kernel has not taken yet.
    encrypted: Vec<u8>,
    /// Plaintext bytes that rustls has taken, and no write has reported as written.
    unreported: usize,
}

impl Encryption {
    fn new(connection: Connection, early: &[u8]) -> Box<Encryption> {
        Box::new(Encryption { connection, early: early.to_vec().into(), encrypted: Vec::new(), unreported: 0 })
    }

    /// Returns plaintext that has been decrypted, or the end; `None` if more must be read from the socket. An end without `close_notify` is
    /// accepted, since HTTP itself shows whether a message is complete.
    fn plaintext(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        match self.connection.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Some(Ok(0)),
            result => Some(result),
        }
    }

    /// Writes what rustls has encrypted, and returns whether that was all.
    fn flush(&mut self, socket: &mut SocketTransport<'_>) -> io::Result<bool> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.encrypted)?;
        }
        if self.encrypted.is_empty() {
            return Ok(true);
        }
        match socket.write(&self.encrypted) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(count) if count == self.encrypted.len() => {
                self.encrypted.clear();
                self.encrypted.shrink_to(KEPT_BYTES_MAX);
                Ok(true)
            }
            Ok(count) => {
                self.encrypted.drain(..count);
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Transport for TlsSocket<'_> {
    /// Reads plaintext, if necessary by one read from the socket.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if matches!(self.session, Session::Undecided) {
            let count = self.socket.read(buffer)?;
            let received = buffer.split_at(count).0;
            if received.is_empty() || !self.start_tls(received)? {
                return Ok(count);
            }
        }
        let Session::Encrypted(session) = &mut self.session else { return self.socket.read(buffer) };
        if let Some(result) = session.plaintext(buffer) {
            return result;
        }
        session.connection.read_tls(&mut (&mut session.early).chain(self.socket.socket)).map_err(timed_out)?;
        session.early.shrink_to_fit();
        let processed = session.connection.process_new_packets();
        // The next message of the handshake, or the alert that reports an error.
        let is_sent = session.flush(&mut self.socket)?;
        processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        match session.plaintext(buffer) {
            Some(result) => result,
            None if is_sent => Err(io::ErrorKind::Interrupted.into()),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn has_unread(&mut self) -> bool {
        let plaintext = if let Session::Encrypted(session) = &mut self.session { session.plaintext(&mut [0]) } else { None };
        plaintext.map_or_else(|| self.socket.has_unread(), |result| matches!(result, Ok(1..)))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(bytes, &[])
    }

    /// After `TimedOut`, rustls may hold bytes that were not reported: the next call must begin with the same bytes.
    fn write_vectored(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        let Session::Encrypted(session) = &mut self.session else { return self.socket.write_vectored(first, second) };
        let mut slices = [IoSlice::new(first), IoSlice::new(second)];
        let mut rest = slices.as_mut_slice();
        let mut total = 0;
        while !rest.is_empty() {
            if session.unreported == 0 {
                session.unreported = session.connection.writer().write_vectored(rest)?;
            }
            let is_sent = session.flush(&mut self.socket)?;
            // Each byte of plaintext becomes at least one encrypted byte, so at least this many have been sent.
            let count = session.unreported.saturating_sub(session.encrypted.len());
            session.unreported -= count;
            total += count;
            IoSlice::advance_slices(&mut rest, count);
            if !is_sent {
                return if total == 0 { Err(io::ErrorKind::TimedOut.into()) } else { Ok(total) };
            }
        }
        Ok(total)
    }

    fn set_read_timeout(&mut self, limit: Duration) -> io::Result<()> {
        if !matches!(self.tls_state(), TlsState::Established | TlsState::Cleartext) {
            // The handshake writes too.
            self.set_write_timeout(limit)?;
        }
        self.socket.set_read_timeout(limit)
    }

    fn set_write_timeout(&mut self, limit: Duration) -> io::Result<()> {
        self.socket.set_write_timeout(limit)
    }

    fn shutdown_write(&mut self) {
        self.socket.shutdown_write();
    }

    fn reset_on_close(&mut self) {
        self.socket.reset_on_close();
    }

    fn set_send_buffer_size(&mut self, bytes: usize) {
        self.socket.set_send_buffer_size(bytes);
    }

    fn set_waiting_since(&mut self, since: Option<Instant>) -> io::Result<()> {
        self.socket.set_waiting_since(since)
    }

    fn start_tls(&mut self, received: &[u8]) -> io::Result<bool> {
        self.session = match (received.first(), self.server) {
            (None, _) => Session::Undecided,
            (Some(&HANDSHAKE_RECORD), Some(Tls(config))) => {
                let config = Arc::clone(&config.read().unwrap_or_else(PoisonError::into_inner));
                let mut server = ServerConnection::new(config).map_err(io::Error::other)?;
                server.set_buffer_limit(Some(PLAINTEXT_BYTES_MAX));
                Session::Encrypted(Encryption::new(server.into(), received))
            }
            (Some(_), _) => Session::Cleartext,
        };
        Ok(matches!(self.session, Session::Encrypted(_)))
    }

    fn tls_state(&self) -> TlsState {
        match &self.session {
            Session::Off | Session::Undecided => TlsState::Off,
            Session::Cleartext => TlsState::Cleartext,
            Session::Encrypted(session) if session.connection.is_handshaking() => TlsState::Handshake,
            Session::Encrypted(_) => TlsState::Established,
        }
    }

    fn end_tls(&mut self) {
        if let Session::Encrypted(session) = &mut self.session {
            session.connection.send_close_notify();
            // The client may be gone.
            let _ = session.flush(&mut self.socket);
            self.session = Session::Off;
        }
    }
}

/// Accepts every certificate.
#[derive(Debug)]
struct AnyCertificate;

type SignatureVerdict = Result<HandshakeSignatureValid, rustls::Error>;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> SignatureVerdict {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> SignatureVerdict {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::channel;
    use std::thread;

    use rustls::pki_types::PrivateKeyDer;

    use super::*;

    fn tls() -> Tls {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
        Tls::new(CertifiedKey::from_der(vec![pair.cert.der().clone()], key, &ring::default_provider()).unwrap()).unwrap()
    }

    fn transport(socket: &TcpStream) -> SocketTransport<'_> {
        SocketTransport { socket, on_wait: &|_| Ok(()) }
    }

    /// Reads as `DeadlineStream` does.
    fn read(stream: &mut TlsSocket<'_>, buffer: &mut [u8]) -> usize {
        loop {
            match stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.unwrap(),
            }
        }
    }

    #[test]
    fn bytes_that_the_client_does_not_take_are_sent_by_later_calls() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        let content: Vec<u8> = (0..16_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24).try_into().unwrap()).collect();
        let (blocked, is_blocked) = channel();
        let length = content.len();
        let client = thread::spawn(move || {
            let mut stream = connect(transport(&near)).unwrap();
            stream.write(b"go").unwrap();
            let (mut buffer, mut received) = (vec![0; 50_000], Vec::new());
            // The handshake needs reads; the first byte of content ends them.
            let count = read(&mut stream, &mut buffer[..1]);
            received.extend_from_slice(&buffer[..count]);
            is_blocked.recv().unwrap();
            while received.len() < length {
                let count = read(&mut stream, &mut buffer);
                assert_ne!(count, 0, "after {} bytes", received.len());
                received.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(read(&mut stream, &mut buffer), 0, "close_notify");
            received
        });
        let tls = tls();
        let mut stream = tls.accept(transport(&far));
        assert!(!stream.start_tls(&[]).unwrap());
        assert_eq!(stream.tls_state(), TlsState::Off);
        let mut buffer = [0; 100];
        assert_eq!(read(&mut stream, &mut buffer), 2);
        assert_eq!((stream.tls_state(), stream.has_unread()), (TlsState::Established, false));
        stream.set_write_timeout(Duration::from_millis(5)).unwrap();
        let (mut written, mut timeouts) = (0, 0);
        while written < content.len() {
            let (first, second) = content[written..].split_at((content.len() - written).min(1000));
            match stream.write_vectored(first, second) {
                Ok(count) => written += count,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    timeouts += 1;
                    let _ = blocked.send(());
                }
            }
        }
        stream.end_tls();
        assert!(timeouts > 0, "the client did not make it wait");
        assert!(client.join().unwrap() == content, "the content differs");
    }
}
