//! An authority of one's own, and what it certifies: the servers, by their names.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use model::time::EventTime;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SerialNumber, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use x509_cert::der::{Decode, Encode};

use super::change::is_pending;
use super::folders::Folders;

/// The validity of certificates, in years.
const YEARS: i32 = 10;
/// Certificates that end within this time are renewed.
const RENEWED_BEFORE: Duration = Duration::from_secs(90 * 24 * 3_600);
/// Names by which every server can be reached, besides its own.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The authority whose certificates the roles and the servers trust.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    trusted: String,
    now: EventTime,
}

/// The folder of authorities.
const FOLDER: &str = "authority";
/// Key and certificate of the present authority, and of the next one.
const PRESENT: (&str, &str) = ("ca-key.pem", "ca.pem");
const NEXT: (&str, &str) = ("next-ca-key.pem", "next-ca.pem");

/// Whether servers can be certified under this name.
///
/// # Errors
/// If the name is neither a host's name nor an IP address.
pub(super) fn check_host(host: &str) -> anyhow::Result<()> {
    let read = ServerName::try_from(host);
    read.map(drop).with_context(|| format!("{host:?} is neither a host's name nor an IP address"))
}

impl Authority {
    /// The authority in the folder; it is made if there is none. Its certificate is renewed in time and its
    /// key stays, so a client that trusts the old certificate also trusts what the authority certifies from
    /// now on.
    pub(super) fn ensure(folders: &mut Folders, now: EventTime) -> anyhow::Result<Self> {
        let (params, key, certificate) = one(folders, PRESENT, now)?;
        let mut trusted = certificate.clone();
        if is_next(folders)? {
            trusted.push_str(&one(folders, NEXT, now)?.2);
        }
        Ok(Self { issuer: Issuer::new(params, key), certificate, trusted, now })
    }

    /// Makes the authority that is to take the place of the present one. From now on both are trusted.
    ///
    /// # Errors
    /// If there is one already.
    pub(super) fn make_next(folders: &mut Folders, now: EventTime) -> anyhow::Result<()> {
        if is_next(folders)? {
            return Err(is_pending("authority"));
        }
        one(folders, NEXT, now).map(drop)
    }

    /// Lets the next authority, if there is one, take the place of the present one.
    pub(super) fn retire(folders: &mut Folders) -> anyhow::Result<()> {
        for (next, present) in [(NEXT.0, PRESENT.0), (NEXT.1, PRESENT.1)] {
            if let Some(text) = folders.read(FOLDER, next)? {
                folders.put(FOLDER, present, &text)?;
            }
        }
        // The key shows that there is one, so it goes last.
        folders.remove(FOLDER, NEXT.1)?;
        folders.remove(FOLDER, NEXT.0)
    }

    /// The certificates that are to be trusted, in PEM: its own, and the next one's.
    pub(super) fn trusted(&self) -> &str {
        &self.trusted
    }

    /// Sees to it that the server whose files are in `folder` can show that it is one of `hosts`.
    pub(super) fn certify(
        &self,
        folders: &mut Folders,
        folder: &str,
        hosts: &[String],
    ) -> anyhow::Result<()> {
        folders.put(folder, "ca.pem", &self.trusted)?;
        let key = key(folders, folder, "key.pem")?;
        let names: Vec<String> = hosts.iter().cloned().chain(LOCAL.map(str::to_owned)).collect();
        let found = folders.read(folder, "cert.pem")?;
        let certificate = match found.filter(|found| self.is_good(found, &key, &names)) {
            Some(found) => found,
            None => {
                let mut params = params(names, &format!("Lubdub {folder}"), self.now)?;
                params.use_authority_key_identifier_extension = true;
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
                // The servers of a cluster are each other's clients.
                params.extended_key_usages =
                    vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
                let signed = params.signed_by(&key, &self.issuer);
                signed.with_context(|| format!("sign the certificate of {folder}"))?.pem()
            }
        };
        folders.put(folder, "cert.pem", &certificate)
    }

    /// Whether clients will take it for some time yet, for the server with this key and each of these names.
    fn is_good(&self, certificate: &str, key: &KeyPair, names: &[String]) -> bool {
        let mut trusted = RootCertStore::empty();
        let Some(authority) = der(&self.certificate) else { return false };
        let Some(certificate) = der(certificate) else { return false };
        if trusted.add(authority).is_err() || !is_of(&certificate, key) {
            return false;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(trusted), provider).build();
        let Ok(verifier) = verifier else { return false };
        let then = UnixTime::since_unix_epoch(seconds(self.now) + RENEWED_BEFORE);
        names.iter().all(|name| {
            let Ok(name) = ServerName::try_from(name.as_str()) else { return false };
            verifier.verify_server_cert(&certificate, &[], &name, &[], then).is_ok()
        })
    }
}

/// Whether there is a next authority.
pub(super) fn is_next(folders: &Folders) -> anyhow::Result<bool> {
    Ok(folders.read(FOLDER, NEXT.0)?.is_some())
}

/// One authority: what it certifies by, its key, and its certificate.
fn one(
    folders: &mut Folders,
    (key_file, file): (&str, &str),
    now: EventTime,
) -> anyhow::Result<(CertificateParams, KeyPair, String)> {
    let key = key(folders, FOLDER, key_file)?;
    let mut params = params(Vec::new(), "Lubdub authority", now)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let found = folders.read(FOLDER, file)?;
    let certificate = match found.filter(|found| is_good_authority(found, &key, now)) {
        Some(found) => found,
        None => params.self_signed(&key).context("sign the authority's certificate")?.pem(),
    };
    folders.put(FOLDER, file, &certificate)?;
    Ok((params, key, certificate))
}

fn key(folders: &mut Folders, folder: &str, file: &str) -> anyhow::Result<KeyPair> {
    let made = || Ok(KeyPair::generate().context("make a key")?.serialize_pem());
    let text = folders.keep(folder, file, made)?;
    KeyPair::from_pem(&text).with_context(|| format!("read the key {folder}/{file}"))
}

fn params(names: Vec<String>, called: &str, now: EventTime) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names).context("write a certificate")?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, called);
    let today = Timestamp::from_microsecond(now.as_micros())?.to_zoned(TimeZone::UTC).date();
    let midnight = |date: Date| {
        let part = |number: i8| u8::try_from(number).unwrap_or(1);
        date_time_ymd(date.year().into(), part(date.month()), part(date.day()))
    };
    // A server whose clock is behind takes it too.
    params.not_before = midnight(today.saturating_sub(1.day()));
    params.not_after = midnight(today.saturating_add(YEARS.years()));
    let mut serial: [u8; 16] = rand::random();
    // The serial is a positive number whose first byte is not zero.
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn seconds(at: EventTime) -> Duration {
    Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0))
}

fn der(pem: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

/// Whether a certificate is about this key.
fn is_of(certificate: &CertificateDer<'_>, key: &KeyPair) -> bool {
    let Ok(certificate) = x509_cert::Certificate::from_der(certificate) else { return false };
    let found = certificate.tbs_certificate.subject_public_key_info.to_der();
    found.is_ok_and(|found| found == key.subject_public_key_info())
}

fn is_good_authority(certificate: &str, key: &KeyPair, now: EventTime) -> bool {
    let Some(certificate) = der(certificate).filter(|certificate| is_of(certificate, key)) else {
        return false;
    };
    let Ok(certificate) = x509_cert::Certificate::from_der(&certificate) else { return false };
    let ends = certificate.tbs_certificate.validity.not_after.to_unix_duration();
    ends > seconds(now) + RENEWED_BEFORE
}
