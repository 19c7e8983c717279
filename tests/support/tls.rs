//! Certificates for tests, and clients that verify them.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A connection with TLS.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// A self-signed certificate for `localhost` and 127.0.0.1, and its key, in two files.
pub struct Pair {
    pub der: CertificateDer<'static>,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Pair {
    /// Writes `NAME.pem` and `NAME.key`. Negative days have passed.
    pub fn new(directory: &Path, name: &str, days: i64) -> Pair {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let now = std::time::SystemTime::now();
        let day = Duration::from_secs(86_400);
        params.not_before = (now - day * 300).into();
        params.not_after =
            if days < 0 { now - day * (-days).try_into().unwrap() } else { now + day * days.try_into().unwrap() }.into();
        let key = rcgen::KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().clone();
        let pair = Pair { der, certificate: directory.join(format!("{name}.pem")), key: directory.join(format!("{name}.key")) };
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

/// A session over a connection, whose server must have this certificate. No byte is sent yet.
pub fn over(stream: TcpStream, certificate: &CertificateDer<'static>) -> TlsStream {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    StreamOwned::new(client, stream)
}

/// Ends the direction to the server, as a client that half-closes.
pub fn end_writing(stream: &mut TlsStream) {
    stream.conn.send_close_notify();
    stream.flush().unwrap();
}
