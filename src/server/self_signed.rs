//! The self-signed certificate of `--tls`.
//!
//! It is stored, so that an exception that a browser remembers survives a restart. It is replaced at start if it lacks a name, or expires
//! soon.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use webpki::EndEntityCert;

use crate::os;
use crate::server::certificates::{check_validity, pair, parse_chain, parse_key};
use crate::telemetry::printable_path;

/// The certificate and its key, in one file, which is replaced as a whole.
pub const FILE: &str = "self-signed.pem";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The lifetime in days: browsers accept 398 at most.
const LIFETIME_DAYS: u32 = 397;
/// With fewer days left the certificate is replaced.
const DAYS_LEFT_MIN: u32 = 30;

/// Returns the stored certificate, or a new one that has been stored; and why it could not be stored, if so.
///
/// # Errors
/// No certificate can be created.
pub(super) fn load_or_create(names: &[String]) -> Result<(CertifiedKey, Option<String>), String> {
    let path = os::state_file(FILE);
    let stored = path.as_ref().and_then(|path| fs::read(path).ok()).and_then(|pem| parse(&pem).ok());
    if let Some(pair) = stored.filter(|pair| is_usable(pair, names)) {
        return Ok((pair, None));
    }
    let pem = create(names).map_err(|error| format!("cannot create a certificate: {error}"))?;
    let problem = match &path {
        Some(path) => {
            store(path, &pem).err().map(|error| format!("cannot store the certificate in '{}': {error}", printable_path(path)))
        }
        None => Some("cannot store the certificate: neither XDG_STATE_HOME nor HOME is set".to_owned()),
    };
    let warning = problem.map(|problem| format!("{problem}; browsers will ask again after a restart"));
    Ok((parse(pem.as_bytes())?, warning))
}

fn parse(pem: &[u8]) -> Result<CertifiedKey, String> {
    pair(parse_chain(pem)?, parse_key(pem)?)
}

/// Whether a certificate has all names and expires late enough.
fn is_usable(pair: &CertifiedKey, names: &[String]) -> bool {
    let Some(certificate) = pair.cert.first().and_then(|certificate| EndEntityCert::try_from(certificate).ok()) else {
        return false;
    };
    let has_name = |name: &String| {
        ServerName::try_from(name.as_str()).is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    };
    names.iter().all(has_name) && check_validity(pair, SystemTime::now() + DAY * DAYS_LEFT_MIN).is_ok()
}

/// Creates a key and a certificate, in PEM.
fn create(names: &[String]) -> Result<String, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "threadbare, self-signed");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // The clock of a client may be behind.
    let begin = SystemTime::now() - DAY;
    (params.not_before, params.not_after) = (begin.into(), (begin + DAY * LIFETIME_DAYS).into());
    let certificate = params.self_signed(&key)?;
    Ok(encode("CERTIFICATE", certificate.der()) + &encode("PRIVATE KEY", key.serialized_der()))
}

/// Encodes in PEM.
fn encode(label: &str, der: &[u8]) -> String {
    let lines: String = der.chunks(48).map(|chunk| BASE64_STANDARD.encode(chunk) + "\n").collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

/// Writes the file, readable by its owner alone, and replaces the present one.
fn store(path: &Path, pem: &str) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::NotFound)?;
    fs::create_dir_all(directory)?;
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let stored =
        os::create_private_file(&new).and_then(|mut file| file.write_all(pem.as_bytes())).and_then(|()| fs::rename(&new, path));
    if stored.is_err() {
        // It may not exist.
        let _ = fs::remove_file(&new);
    }
    stored
}

/// Returns the SHA-256 fingerprint of a certificate, as browsers show it.
pub(super) fn fingerprint(der: &[u8]) -> String {
    let bytes: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}
