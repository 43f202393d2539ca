//! How a node logs in: whose certificates it trusts, and what it shows.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use async_nats::{ConnectError, ConnectErrorKind, ConnectOptions, ServerAddr};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::credential::{Credential, CredentialFile};
use super::error::{NatsError, Shown, Trusted};
use super::login::Login;
use super::options::NatsOptions;

/// What to name in errors, and what a node shows at each connection.
#[derive(Clone)]
pub(super) struct Access {
    /// The credential in a file; `None`: a user in the URL, or nothing.
    pub(super) login: Option<Arc<Login>>,
    user: Option<(String, String)>,
    shown: Shown,
    trusted: Trusted,
}

impl Access {
    /// Reads the files that `options` names.
    pub(super) fn prepare(options: &NatsOptions, servers: &[ServerAddr]) -> Result<Self, NatsError> {
        // A user and password in any URL are used for all servers.
        let user = servers.iter().find_map(user_in);
        let (mut login, mut shown) = (None, if user.is_some() { Shown::User } else { Shown::Nothing });
        if let Some(path) = &options.credentials {
            let failed = |source| NatsError::Credentials { path: path.clone(), source };
            login = Some(Login::open(CredentialFile::Credentials(path.clone())).map_err(failed)?);
            shown = Shown::Credentials(path.clone());
        }
        if let Some(path) = &options.nkey {
            let failed = |source| NatsError::Nkey { path: path.clone(), source };
            login = Some(Login::open(CredentialFile::Nkey(path.clone())).map_err(failed)?);
            shown = Shown::Nkey(path.clone());
        }
        let mut trusted = Trusted::System;
        if let Some(path) = &options.ca {
            // The client reads the file again whenever it connects; this check gives a better error.
            check_certificates(path).map_err(|source| NatsError::Ca { path: path.clone(), source })?;
            trusted = Trusted::File(path.clone());
        }
        Ok(Self { login: login.map(Arc::new), user, shown, trusted })
    }

    /// Options by which the node logs in with what its file holds whenever it connects.
    pub(super) fn options(&self) -> ConnectOptions {
        match &self.login {
            Some(login) => {
                let login = Arc::clone(login);
                self.showing(move || login.next())
            }
            None => self.trusting(match self.user.clone() {
                Some((user, password)) => ConnectOptions::with_user_and_password(user, password),
                None => ConnectOptions::new(),
            }),
        }
    }

    /// Options by which the node shows this credential.
    pub(super) fn options_with(&self, credential: Arc<Credential>) -> ConnectOptions {
        self.showing(move || Arc::clone(&credential))
    }

    fn showing(&self, credential: impl Fn() -> Arc<Credential> + Send + Sync + 'static) -> ConnectOptions {
        let sign = move |nonce: Vec<u8>| std::future::ready(credential().sign(&nonce));
        self.trusting(ConnectOptions::with_auth_callback(sign))
    }

    fn trusting(&self, connect: ConnectOptions) -> ConnectOptions {
        match &self.trusted {
            Trusted::System => connect,
            Trusted::File(path) => connect.add_root_certificates(path.clone()),
        }
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
    fn what_is_no_certificate_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\n§§\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, text).expect("write");
            assert!(check_certificates(&path).is_err(), "{text}");
        }
    }
}
