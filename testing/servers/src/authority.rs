//! Certificates of a test's own.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// The host names in the certificates of servers.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// An authority of a test's own. No other program trusts it.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

#[expect(clippy::missing_panics_doc, clippy::new_without_default, reason = "for tests")]
impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, "an authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Its certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Writes `ca.pem`, and `cert.pem` and `key.pem` for a server on this host.
    pub fn certify(&self, folder: &Path) {
        let params = CertificateParams::new(NAMES.map(str::to_owned)).expect("names");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        for (file, text) in
            [("ca.pem", &self.certificate), ("cert.pem", &certificate), ("key.pem", &key.serialize_pem())]
        {
            fs::write(folder.join(file), text).expect("write a certificate");
        }
    }
}
