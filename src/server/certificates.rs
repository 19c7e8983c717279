//! Certificates from files, which are read again when they change.
//!
//! After start-up a thread of its own reads the files. The sandbox lets it read their directories and nothing else, while the threads that
//! serve clients cannot read the key.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Builder;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::{info, warn};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use webpki::{EndEntityCert, KeyUsage};

use crate::config::Sandbox;
use crate::http::date::HttpDate;
use crate::net::tls::Tls;
use crate::os::sandbox::{self, FileAccess};
use crate::server::{ServerTls, self_signed};
use crate::telemetry::printable_path;

/// How often the files are checked for changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Reads a certificate chain and its key, and starts the thread that reads them again. Must be called before the sandbox.
///
/// # Errors
/// Why they cannot be used.
pub fn from_files(certificate: &Path, key: &Path, sandbox: Sandbox) -> Result<ServerTls, String> {
    let files = CertificateFiles { certificate: certificate.to_owned(), key: key.to_owned() };
    let (stamp, directories) = (files.stamp(), files.directories());
    let tls = Tls::new(files.load()?).map_err(|error| error.to_string())?;
    let (request, requests) = channel();
    let (sender, confined) = channel();
    let shared = tls.clone();
    let watch = move || {
        let result = sandbox::allow(sandbox, &directories, FileAccess::Read);
        let is_ready = result.is_ok();
        if sender.send(result).is_ok() && is_ready {
            files.watch(stamp, &shared, &requests);
        }
    };
    let spawned = Builder::new().name("certificate".into()).stack_size(256 * 1024).spawn(watch);
    spawned.map_err(|error| format!("cannot start the thread that reads certificates: {error}"))?;
    confined.recv().map_err(|error| error.to_string())??;
    let reload = move || {
        let (done, is_done) = channel();
        // The thread never ends before the process.
        let _ = request.send(done);
        let _ = is_done.recv();
    };
    Ok(ServerTls { tls, fingerprint: None, warning: None, reload: Some(Arc::new(reload)) })
}

/// Uses a self-signed certificate for these names: the stored one, or a new one.
///
/// # Errors
/// Why none can be created.
pub fn self_signed(names: &[String]) -> Result<ServerTls, String> {
    let (pair, warning) = self_signed::load_or_create(names)?;
    let fingerprint = pair.cert.first().map(|certificate| self_signed::fingerprint(certificate));
    let tls = Tls::new(pair).map_err(|error| error.to_string())?;
    Ok(ServerTls { tls, fingerprint, warning, reload: None })
}

/// The files of a certificate chain and its key.
#[derive(Debug)]
struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
}

/// Time of the last change and length of both files.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl CertificateFiles {
    fn load(&self) -> Result<CertifiedKey, String> {
        let read = |option: &str, path: &Path| fs::read(path).map_err(|error| unusable(option, path, &error.to_string()));
        let chain = parse_chain(&read("--tls-cert", &self.certificate)?);
        let chain = chain.map_err(|reason| unusable("--tls-cert", &self.certificate, &reason))?;
        let key = parse_key(&read("--tls-key", &self.key)?).map_err(|reason| unusable("--tls-key", &self.key, &reason))?;
        let pair = pair(chain, key).map_err(|reason| unusable("--tls-key", &self.key, &reason))?;
        check_validity(&pair, SystemTime::now()).map_err(|reason| unusable("--tls-cert", &self.certificate, &reason))?;
        Ok(pair)
    }

    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }

    /// Returns the directories of both files, and of the files that they link to, as certbot's do.
    fn directories(&self) -> Vec<PathBuf> {
        let targets = [&self.certificate, &self.key].into_iter().filter_map(|path| fs::canonicalize(path).ok());
        let paths = targets.chain([self.certificate.clone(), self.key.clone()]);
        let parent =
            |path: PathBuf| path.parent().map(|parent| if parent == "" { PathBuf::from(".") } else { parent.to_owned() });
        paths.filter_map(parent).collect()
    }

    /// Reads the files again on request, and when they have changed, until the server ends. What cannot be used changes nothing. A request
    /// is a sender, which is dropped when the files have been read.
    fn watch(&self, mut stamp: Stamp, tls: &Tls, requests: &Receiver<Sender<()>>) {
        loop {
            let request = requests.recv_timeout(CHECK_INTERVAL);
            if request.as_ref().is_err_and(|error| *error == RecvTimeoutError::Disconnected) {
                return;
            }
            let found = self.stamp();
            if request.is_err() && found == stamp {
                continue;
            }
            stamp = found;
            match self.load() {
                Ok(pair) => {
                    tls.replace(pair);
                    info!("certificate reloaded");
                }
                Err(reason) => warn!("{reason}; keeping the previous certificate"),
            }
        }
    }
}

fn unusable(option: &str, path: &Path, reason: &str) -> String {
    format!("cannot use {option} '{}': {reason}", printable_path(path))
}

/// Returns the certificates of a PEM file.
///
/// # Errors
/// What is wrong.
pub(super) fn parse_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err("no certificate in it (-----BEGIN CERTIFICATE-----)".to_owned()),
        result => result.map_err(|error| format!("invalid PEM: {error}")),
    }
}

/// Returns the first private key of a PEM file.
///
/// # Errors
/// What is wrong.
pub(super) fn parse_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    use rustls::pki_types::pem::Error;
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        Error::NoItemsFound => {
            "no private key in it (PKCS#8, PKCS#1 or SEC1); decrypt an encrypted one with openssl pkey".to_owned()
        }
        error => format!("invalid PEM: {error}"),
    })
}

/// Returns a chain with its key.
///
/// # Errors
/// The key is unusable, or that of another certificate.
pub(super) fn pair(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<CertifiedKey, String> {
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "not the key of the certificate; give the two files that belong together".to_owned()
        }
        error => error.to_string(),
    })
}

/// Checks that a certificate has not expired at a time.
///
/// # Errors
/// When it did.
pub(super) fn check_validity(pair: &CertifiedKey, at: SystemTime) -> Result<(), String> {
    let certificate = pair.cert.first().and_then(|certificate| EndEntityCert::try_from(certificate).ok());
    let certificate = certificate.ok_or("not an X.509 certificate of version 3")?;
    let at = UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH).unwrap_or_default());
    // Without a trust anchor nothing is verified but the dates, which are the first thing that is checked.
    match certificate.verify_for_usage(&[], &[], &[], at, KeyUsage::server_auth(), None, None) {
        Err(webpki::Error::CertExpired { not_after, .. }) => {
            let date = HttpDate::new(UNIX_EPOCH + Duration::from_secs(not_after.as_secs()));
            Err(format!("the certificate expired on {}; renew it", date.text))
        }
        _ => Ok(()),
    }
}
