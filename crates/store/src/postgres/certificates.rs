//! Certificates of PostgreSQL servers: who may sign them, what they must say, why they are refused.

use std::io;
use std::path::Path;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// Verifies what its mode asks for. That the server has the certificate's key is always verified.
#[derive(Debug)]
pub(super) struct Verifier {
    /// Who may sign; `None`: anybody.
    pub(super) roots: Option<RootCertStore>,
    /// Whether the certificate must name the host.
    pub(super) names: bool,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let parsed = ParsedCertificate::try_from(certificate)?;
            let all = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, between, now, all)?;
            if self.names {
                verify_server_name(&parsed, host)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The certificates of a file.
pub(super) fn of_a_file(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path)
        .map_err(|error| unreadable("sslrootcert", path, &error))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| unreadable("sslrootcert", path, &error))?;
        roots.add(certificate).map_err(|error| unreadable("sslrootcert", path, &error))?;
    }
    if roots.is_empty() {
        return Err(unreadable("sslrootcert", path, &"it holds no certificate in PEM"));
    }
    Ok(roots)
}

/// The certificates that the system trusts.
pub(super) fn of_the_system() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system's list may hold some that nobody understands any more.
    let _ = roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(format!(
            "sslrootcert=system: this system has no certificates (Debian: apt-get install \
             ca-certificates) {}",
            why.join(", ")
        ));
    }
    Ok(roots)
}

/// A file of a parameter that cannot be used.
pub(super) fn unreadable(name: &str, path: &Path, why: &dyn std::fmt::Display) -> String {
    format!("{name} {} cannot be used: {why}", path.display())
}

/// A key that nobody else can read.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    use std::os::unix::fs::MetadataExt as _;
    let about = std::fs::metadata(path).map_err(|error| unreadable("sslkey", path, &error))?;
    // libpq's rule: a key of root may be read by a group, any other by its owner only.
    let others = if about.uid() == 0 { 0o037 } else { 0o077 };
    if about.mode() & others != 0 {
        let path = path.display();
        return Err(format!("sslkey {path} can be read by others: chmod 600 {path}"));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| unreadable("sslkey", path, &error))
}

/// Why a connection with TLS failed, and what mends it.
pub(super) fn explain(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => refused(why),
        Some(rustls::Error::AlertReceived(alert)) => alerted(*alert),
        Some(other) => other.to_string(),
        None => error.to_string(),
    }
}

fn refused(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "nobody in sslrootcert has signed its certificate: name the file of its CA".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired: renew it there (and check the clock here)".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: check the clock here".to_owned()
        }
        CertificateError::NotValidForName => {
            "its certificate is for another name; use a name that is in its subjectAltName".into()
        }
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "its certificate is for other names ({}): connect by one of the names in its \
             subjectAltName, or let sslmode=verify-ca check no names",
            if presented.is_empty() { "none".to_owned() } else { presented.join(", ") }
        ),
        // The library knows further reasons by text alone.
        other => match other.to_string() {
            text if text.contains("CaUsedAsEndEntity") => {
                "its certificate is one of a CA (basicConstraints CA:TRUE): give the server one \
                 with CA:FALSE, signed by that CA"
                    .to_owned()
            }
            text if text.contains("UnsupportedCertVersion") => {
                "its certificate is of X.509 version 1, which says nothing of names or use: give \
                 the server one of version 3 with a subjectAltName"
                    .to_owned()
            }
            text => format!("its certificate is refused: {text}"),
        },
    }
}

/// What the server complains about: in a handshake, nearly always our certificate.
fn alerted(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::DecryptError
        | AlertDescription::UnsupportedCertificate => {
            format!("it refuses the certificate of sslcert ({alert:?})")
        }
        other => format!("it ended the handshake ({other:?})"),
    }
}

/// The hash of a server's certificate that binds a sign-in to the connection (RFC 5929,
/// `tls-server-end-point`); `None` where the certificate's signature names no hash.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    // 1.2.840.113549.1.1 (RSA) and 1.2.840.10045.4 (ECDSA).
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    let (_, outer, _) = element(certificate)?;
    let (_, _, after_content) = element(outer)?;
    let (_, algorithm, _) = element(after_content)?;
    let (_, oid, _) = element(algorithm)?;
    let name = oid.strip_prefix(RSA).or_else(|| oid.strip_prefix(ECDSA))?;
    match name {
        // MD5 and SHA-1 are to be replaced by SHA-256.
        [4] | [5] | [11] | [1] | [3, 2] => Some(Sha256::digest(certificate).to_vec()),
        [12] | [3, 3] => Some(Sha384::digest(certificate).to_vec()),
        [13] | [3, 4] => Some(Sha512::digest(certificate).to_vec()),
        _ => None,
    }
}

/// The first element of DER: tag, content, what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..0x80 => (usize::from(short), rest),
        _ => {
            let (long, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            let length = long.iter().try_fold(0usize, |length, byte| {
                Some(length.checked_mul(256)? + usize::from(*byte))
            })?;
            (length, rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate as far as it is looked at: nothing, signed with an algorithm.
    fn certificate(oid: &[u8]) -> Vec<u8> {
        let algorithm = [&[6, u8::try_from(oid.len()).expect("short")], oid].concat();
        let length = u8::try_from(algorithm.len()).expect("short");
        let outer = [&[0x30, 0x81, 0, 0x30, length], algorithm.as_slice()].concat();
        [&[0x30, 0x82, 0, u8::try_from(outer.len()).expect("short")], outer.as_slice()].concat()
    }

    #[test]
    fn the_hash_of_the_end_point_is_that_of_the_signature() {
        let length = |oid: &[u8]| end_point(&certificate(oid)).map(|hash| hash.len());
        let rsa = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
        let with = |last: u8| [rsa.as_slice(), &[last]].concat();
        assert_eq!(length(&with(5)), Some(32), "SHA-1 is replaced");
        assert_eq!(length(&with(11)), Some(32));
        assert_eq!(length(&with(13)), Some(64));
        assert_eq!(length(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03]), Some(48));
        assert_eq!(length(&[0x2b, 0x65, 0x70]), None, "Ed25519 has no hash of its own");
        for end in 0..12 {
            assert_eq!(end_point(&certificate(&with(11))[..end]), None);
        }
    }
}
