//! Certificates for tests, and clients that verify them.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine;
use rcgen::PublicKeyData;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sha2::Digest;

/// A TLS connection.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// A self-signed certificate for `localhost` and 127.0.0.1, and its key, in two files.
pub struct Pair {
    pub der: CertificateDer<'static>,
    /// The SHA-256 hash of the public key in base64, by which Chromium can be told to trust it.
    pub key_hash: String,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Pair {
    /// Writes `NAME.pem` and `NAME.key`. With negative days it has expired.
    pub fn new(directory: &Path, name: &str, days: i64) -> Pair {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let now = std::time::SystemTime::now();
        let day = Duration::from_secs(86_400);
        params.not_before = (now - day * 300).into();
        params.not_after =
            if days < 0 { now - day * (-days).try_into().unwrap() } else { now + day * days.try_into().unwrap() }.into();
        let key = rcgen::KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().clone();
        let key_hash = base64::prelude::BASE64_STANDARD.encode(sha2::Sha256::digest(key.subject_public_key_info()));
        let pair = Pair {
            der,
            key_hash,
            certificate: directory.join(format!("{name}.pem")),
            key: directory.join(format!("{name}.key")),
        };
        fs::write(&pair.certificate, pem("CERTIFICATE", &pair.der)).unwrap();
        fs::write(&pair.key, pem("PRIVATE KEY", key.serialized_der())).unwrap();
        pair
    }

    /// The options that name the files.
    pub fn options(&self) -> [String; 4] {
        ["--tls-cert".into(), self.certificate.display().to_string(), "--tls-key".into(), self.key.display().to_string()]
    }
}

pub fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64::prelude::BASE64_STANDARD.encode(der))
}

/// A session over a connection, whose server must have this certificate. No bytes are sent yet.
pub fn over(stream: TcpStream, certificate: &CertificateDer<'static>) -> TlsStream {
    over_any(stream, std::slice::from_ref(certificate))
}

/// The same, with one of several certificates.
pub fn over_any(stream: TcpStream, certificates: &[CertificateDer<'static>]) -> TlsStream {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    StreamOwned::new(client, stream)
}

/// Closes the direction to the server, like a client that half-closes. Later reads return what the server has sent.
pub fn end_writing(stream: &mut TlsStream) {
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream.conn.send_close_notify();
    stream.conn.write_tls(&mut stream.sock).unwrap();
}

/// Connects, and returns a socket through which plaintext is sent and received: two threads encrypt and decrypt it.
pub fn tunnel(address: &str, certificate: &CertificateDer<'static>) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let server = TcpStream::connect(address).unwrap();
    for socket in [&near, &far, &server] {
        socket.set_nodelay(true).unwrap();
    }
    let mut stream = over(server.try_clone().unwrap(), certificate);
    // A server at its limit closes the connection.
    let is_open = stream.conn.complete_io(&mut stream.sock).is_ok();
    let session = Arc::new(Mutex::new(stream.conn));
    let encrypt = (Arc::clone(&session), far.try_clone().unwrap(), server.try_clone().unwrap());
    if is_open {
        thread::spawn(move || encrypt_all(&encrypt.0, encrypt.1, encrypt.2));
        thread::spawn(move || decrypt_all(&session, far, server));
    }
    near
}

fn encrypt_all(session: &Mutex<ClientConnection>, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let mut encrypted = Vec::new();
        {
            let mut session = session.lock().unwrap();
            match count {
                0 => session.send_close_notify(),
                count => session.writer().write_all(&buffer[..count]).unwrap(),
            }
            while session.wants_write() {
                session.write_tls(&mut encrypted).unwrap();
            }
        }
        let is_written = to.write_all(&encrypted).is_ok();
        if count == 0 || !is_written {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
    }
}

fn decrypt_all(session: &Mutex<ClientConnection>, mut to: TcpStream, mut from: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let (mut encrypted, mut plain) = (&buffer[..count], Vec::new());
        let mut is_valid = true;
        while is_valid && !encrypted.is_empty() {
            let mut session = session.lock().unwrap();
            session.read_tls(&mut encrypted).unwrap();
            is_valid = session.process_new_packets().is_ok();
            let _ = session.reader().read_to_end(&mut plain);
        }
        if to.write_all(&plain).is_err() || count == 0 || !is_valid {
            let _ = to.shutdown(Shutdown::Write);
            let _ = from.shutdown(Shutdown::Read);
            return;
        }
    }
}
