//! How a node logs in: whose certificates it trusts, and what it shows.

use std::error::Error;
use std::io;
use std::path::Path;

use async_nats::{ConnectError, ConnectErrorKind, ConnectOptions, ServerAddr};
use nkeys::{KeyPair, KeyPairType};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::error::{NatsError, Shown, Trusted};
use super::options::NatsOptions;

/// Prepared connect options, with what to name in errors.
pub(super) struct Access {
    pub(super) connect: ConnectOptions,
    shown: Shown,
    trusted: Trusted,
}

impl Access {
    /// Reads the files that `options` names.
    pub(super) async fn prepare(
        mut connect: ConnectOptions,
        options: &NatsOptions,
        servers: &[ServerAddr],
    ) -> Result<Self, NatsError> {
        let mut shown = Shown::Nothing;
        // A user and password in any URL are used for all servers.
        if let Some((user, password)) = servers.iter().find_map(user_in) {
            connect = connect.user_and_password(user, password);
            shown = Shown::User;
        }
        if let Some(path) = &options.credentials {
            let failed = |source| NatsError::Credentials { path: path.clone(), source };
            connect = connect.credentials_file(path).await.map_err(failed)?;
            shown = Shown::Credentials(path.clone());
        }
        if let Some(path) = &options.nkey {
            let seed = seed_in(path).map_err(|source| NatsError::Nkey { path: path.clone(), source })?;
            connect = connect.nkey(seed);
            shown = Shown::Nkey(path.clone());
        }
        let mut trusted = Trusted::System;
        if let Some(path) = &options.ca {
            // The client reads the file again whenever it connects; this check gives a better error.
            check_certificates(path).map_err(|source| NatsError::Ca { path: path.clone(), source })?;
            connect = connect.add_root_certificates(path.clone());
            trusted = Trusted::File(path.clone());
        }
        Ok(Self { connect, shown, trusted })
    }

    /// Translates a failure to connect.
    pub(super) fn failed(&self, source: ConnectError) -> NatsError {
        match source.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                NatsError::Refused { shown: self.shown.clone() }
            }
            ConnectErrorKind::Tls => NatsError::Untrusted { trusted: self.trusted.clone(), source },
            ConnectErrorKind::Io if is_of_tls(&source) => {
                NatsError::Untrusted { trusted: self.trusted.clone(), source }
            }
            ConnectErrorKind::Io
            | ConnectErrorKind::Dns
            | ConnectErrorKind::TimedOut
            | ConnectErrorKind::ServerParse
            | ConnectErrorKind::MaxReconnects => NatsError::Connect(source),
        }
    }
}

fn user_in(server: &ServerAddr) -> Option<(String, String)> {
    server.has_user_pass().then(|| {
        (server.username().unwrap_or_default().to_owned(), server.password().unwrap_or_default().to_owned())
    })
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn seed_in(path: &Path) -> io::Result<String> {
    let text = std::fs::read_to_string(path)?;
    let seed = text.trim();
    let user = KeyPair::from_seed(seed).is_ok_and(|key| key.key_pair_type() == KeyPairType::User);
    if user { Ok(seed.to_owned()) } else { Err(wrong("it is not the seed of a user, which begins with SU")) }
}

fn check_certificates(path: &Path) -> io::Result<()> {
    let text = std::fs::read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(()),
        Ok(_) | Err(_) => Err(wrong("it is not a certificate in PEM")),
    }
}

/// Whether the cause is a TLS handshake: it fails like any connection.
fn is_of_tls(error: &ConnectError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_seeds_of_users_are_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nats.nk");
        let user = KeyPair::new_user().seed().expect("a seed");
        let account = KeyPair::new_account().seed().expect("a seed");
        for (text, taken) in [
            (format!("{user}\n"), true),
            (user.clone(), true),
            (account, false),
            (user[..20].to_owned(), false),
            (String::new(), false),
        ] {
            std::fs::write(&path, &text).expect("write");
            assert_eq!(seed_in(&path).ok(), taken.then(|| user.clone()), "{}", text.len());
        }
        let missing = seed_in(&folder.path().join("missing")).expect_err("it is not there");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\n§§\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, text).expect("write");
            assert!(check_certificates(&path).is_err(), "{text}");
        }
    }
}
