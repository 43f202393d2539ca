//! The mail server and the sender, as the operator gives them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::{Host, Url};

use crate::mail_address::mail_address;
use model::channel::Secret;

/// For submission, with STARTTLS (RFC 6409).
const SUBMISSION_PORT: u16 = 587;

/// For submission over TLS (RFC 8314).
const SUBMISSIONS_PORT: u16 = 465;

/// Longest name of a sender, characters.
const LONGEST_NAME: usize = 100;

/// How mail is sent. Its `Debug` shows neither the user nor the password.
#[derive(Clone)]
pub struct MailSettings {
    host: String,
    port: u16,
    security: Security,
    login: Option<Login>,
    from: Mailbox,
    tls: TlsParameters,
}

/// How the connection is kept from being read by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// TLS from the first byte.
    Implicit,
    /// TLS by STARTTLS, if the server offers it.
    IfOffered,
}

#[derive(Clone)]
struct Login {
    user: String,
    password: Secret,
}

/// The error in the settings. It holds nothing of the URL, which may hold the password.
#[derive(Debug, thiserror::Error)]
pub enum MailSettingsError {
    /// The URL alone.
    #[error("--smtp-url needs --mail-from: say from which address mail comes")]
    NoSender,
    /// The sender alone.
    #[error(
        "--mail-from needs --smtp-url: say which server takes mail, such as smtp://user:password@mail.example.org:587"
    )]
    NoServer,
    /// The certificates alone.
    #[error("--smtp-ca needs --smtp-url and --mail-from")]
    OnlyCa,
    /// The URL cannot be read.
    #[error(
        "--smtp-url is not a URL such as smtp://user:password@host:587; in the user and the password write / as %2F, @ as %40, : as %3A and % as %25"
    )]
    Url(#[source] url::ParseError),
    /// Another scheme.
    #[error(
        "--smtp-url must begin with smtp:// (STARTTLS when it is offered) or smtps:// (TLS from the start)"
    )]
    Scheme,
    /// No host.
    #[error("--smtp-url must name a host")]
    Host,
    /// More than a server.
    #[error("--smtp-url must end after the host and the port")]
    Rest,
    /// A user without a password, a password without a user, or bytes that are not text.
    #[error(
        "--smtp-url must hold both a user and a password, as text in which special characters are written as %XX, or neither"
    )]
    Login,
    /// The sender.
    #[error(
        "--mail-from must be an address such as lubdub@example.org or \"Lubdub <lubdub@example.org>\", with a name of at most {LONGEST_NAME} characters"
    )]
    From,
    /// The file of certificates.
    #[error("read --smtp-ca {path}")]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The certificates are of no use.
    #[error("use the certificates of --smtp-ca")]
    Tls(#[source] smtp::Error),
}

impl MailSettings {
    /// The given settings, or `None` if there are none. Reads the file of certificates at once.
    ///
    /// # Errors
    /// The flag, and what is wrong with it.
    pub fn given(
        url: Option<&str>,
        from: Option<&str>,
        ca: Option<&Path>,
    ) -> Result<Option<Self>, MailSettingsError> {
        match (url, from) {
            (Some(url), Some(from)) => Self::new(url, from, ca).map(Some),
            (Some(_), None) => Err(MailSettingsError::NoSender),
            (None, Some(_)) => Err(MailSettingsError::NoServer),
            (None, None) if ca.is_some() => Err(MailSettingsError::OnlyCa),
            (None, None) => Ok(None),
        }
    }

    /// Reads them. `ca` is a file with the certificates that are trusted, and no others; `None` = those of
    /// the system.
    ///
    /// # Errors
    /// The flag, and what is wrong with it.
    pub fn new(url: &str, from: &str, ca: Option<&Path>) -> Result<Self, MailSettingsError> {
        let url: Url = url.trim().parse().map_err(MailSettingsError::Url)?;
        let (security, usual_port) = match url.scheme() {
            "smtp" => (Security::IfOffered, SUBMISSION_PORT),
            "smtps" => (Security::Implicit, SUBMISSIONS_PORT),
            _ => return Err(MailSettingsError::Scheme),
        };
        if !["", "/"].contains(&url.path()) || url.query().is_some() || url.fragment().is_some() {
            return Err(MailSettingsError::Rest);
        }
        let host = host_of(&url)?;
        let login = login_of(&url)?;
        let from = sender(from).ok_or(MailSettingsError::From)?;
        let tls = tls(&host, ca)?;
        Ok(Self { port: url.port().unwrap_or(usual_port), host, security, login, from, tls })
    }

    pub(super) const fn sender(&self) -> &Mailbox {
        &self.from
    }

    pub(super) fn server(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub(super) const fn security(&self) -> Security {
        self.security
    }

    pub(super) const fn tls(&self) -> &TlsParameters {
        &self.tls
    }

    /// The name in the greeting: the sender's domain, because other hosts may not know this host's own name.
    pub(super) fn hello(&self) -> ClientId {
        ClientId::Domain(self.from.email.domain().to_owned())
    }

    pub(super) fn credentials(&self) -> Option<Credentials> {
        let Login { user, password } = self.login.as_ref()?;
        Some(Credentials::new(user.clone(), password.expose().to_owned()))
    }

    /// Every form in which the password goes over the wire, and itself.
    pub(super) fn secrets(&self) -> Vec<String> {
        use base64::prelude::{BASE64_STANDARD, Engine};
        let Some(Login { user, password }) = &self.login else { return Vec::new() };
        let password = password.expose();
        let plain = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
        vec![plain, BASE64_STANDARD.encode(password), password.to_owned()]
    }
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .field("login", &self.login.as_ref().map(|_| "…"))
            .field("from", &self.from.to_string())
            .finish_non_exhaustive()
    }
}

/// The host as resolvers and certificates name it: without the brackets of IPv6.
fn host_of(url: &Url) -> Result<String, MailSettingsError> {
    // The parser leaves names as they are for a scheme that the URL standard does not know.
    let host = match url.host() {
        Some(Host::Domain(name)) => Host::parse(name).map_err(|_| MailSettingsError::Host)?,
        Some(Host::Ipv4(address)) => Host::Ipv4(address),
        Some(Host::Ipv6(address)) => Host::Ipv6(address),
        None => return Err(MailSettingsError::Host),
    };
    Ok(match host {
        Host::Domain(name) => name,
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    })
}

fn login_of(url: &Url) -> Result<Option<Login>, MailSettingsError> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
    let user = decoded(url.username()).map_err(|_| MailSettingsError::Login)?;
    let password = decoded(url.password().unwrap_or_default()).map_err(|_| MailSettingsError::Login)?;
    match (user.as_str(), password.as_str()) {
        ("", "") => Ok(None),
        ("", _) | (_, "") => Err(MailSettingsError::Login),
        // PLAIN separates the two by this character.
        _ if user.contains('\0') || password.contains('\0') => Err(MailSettingsError::Login),
        _ => Ok(Some(Login { user, password: Secret::new(password) })),
    }
}

/// `address` or `Name <address>`.
fn sender(text: &str) -> Option<Mailbox> {
    let text = text.trim();
    let (name, address) = match text.strip_suffix('>') {
        Some(text) => text.rsplit_once('<')?,
        None => ("", text),
    };
    let name = name.trim();
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) || name.contains("=?") {
        return None;
    }
    let address = mail_address(address)?.parse().ok()?;
    Some(Mailbox::new((!name.is_empty()).then(|| name.to_owned()), address))
}

fn tls(host: &str, ca: Option<&Path>) -> Result<TlsParameters, MailSettingsError> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca {
        let failed = |source| MailSettingsError::Ca { path: path.to_owned(), source };
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(certificates(path).map_err(failed)?);
    }
    builder.build().map_err(MailSettingsError::Tls)
}

fn certificates(path: &Path) -> io::Result<Certificate> {
    let no_certificate = || io::Error::new(io::ErrorKind::InvalidData, "it is not a certificate in PEM");
    let text = std::fs::read(path)?;
    // The library takes a file without any as well.
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    if !found.is_ok_and(|found| !found.is_empty()) {
        return Err(no_certificate());
    }
    Certificate::from_pem(&text).map_err(|_| no_certificate())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FROM: &str = "lubdub@example.org";

    fn refusal(url: &str, from: &str) -> String {
        MailSettings::new(url, from, None).expect_err(url).to_string()
    }

    #[test]
    fn a_server_is_read_with_its_usual_port() {
        for (url, server, security) in [
            ("smtp://mail.example.org", ("mail.example.org", 587), Security::IfOffered),
            ("smtps://mail.example.org/", ("mail.example.org", 465), Security::Implicit),
            ("smtp://127.0.0.1:2525", ("127.0.0.1", 2_525), Security::IfOffered),
            ("smtps://[::1]:25", ("::1", 25), Security::Implicit),
            (" SMTP://Mail.Example.org:25\n", ("mail.example.org", 25), Security::IfOffered),
        ] {
            let settings = MailSettings::new(url, FROM, None).expect(url);
            assert_eq!((settings.server(), settings.security()), (server, security));
            assert!(settings.credentials().is_none());
        }
    }

    #[test]
    fn user_and_password_are_decoded_and_never_shown() {
        let url = "smtp://me%40example.org:p%2Fss%20w%C3%B6rd%25@mail.example.org:587";
        let settings = MailSettings::new(url, FROM, None).expect(url);
        let login = settings.login.as_ref().expect("there is one");
        assert_eq!((login.user.as_str(), login.password.expose()), ("me@example.org", "p/ss wörd%"));
        let shown = format!("{settings:?}");
        assert!(!shown.contains("me@example") && !shown.contains("ss w"), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        for (url, about) in [
            ("mail.hush.example", "is not a URL"),
            ("smtp://user:hu/sh@mail.example.org", "is not a URL"),
            ("smtp://user:hush@mail.example.org:99999", "is not a URL"),
            ("smtp:hush", "must end after the host"),
            ("smtp://user:hush@", "is not a URL"),
            ("http://user:hush@mail.example.org", "must begin with smtp://"),
            ("smtp://user:hush@mail.example.org/hush", "must end after the host"),
            ("smtp://user:hush@mail.example.org?tls=hush", "must end after the host"),
            ("smtp://user:hush@mail.example.org#hush", "must end after the host"),
            ("smtp://hush@mail.example.org", "both a user and a password"),
            ("smtp://:hush@mail.example.org", "both a user and a password"),
            ("smtp://user:hush%FF@mail.example.org", "both a user and a password"),
            ("smtp://user:hush%00@mail.example.org", "both a user and a password"),
            ("smtp://user:hush@ma%0ail.example.org", "must name a host"),
        ] {
            let said = refusal(url, FROM);
            assert!(said.contains(about) && said.starts_with("--smtp-url "), "{url}: {said}");
            assert!(!said.contains("hush"), "{said}");
        }
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (from, name, address) in [
            ("lubdub@example.org", None, "lubdub@example.org"),
            ("<lubdub@example.org>", None, "lubdub@example.org"),
            ("Lubdub <lubdub@Example.org>", Some("Lubdub"), "lubdub@example.org"),
            ("\"Lub, dub\" <lubdub@example.org>", Some("Lub, dub"), "lubdub@example.org"),
        ] {
            let settings = MailSettings::new("smtp://mail.example.org", from, None).expect(from);
            let sender = settings.sender();
            assert_eq!((sender.name.as_deref(), sender.email.as_ref()), (name, address));
        }
        let long = format!("{} <lubdub@example.org>", "x".repeat(101));
        for from in
            ["", "Lubdub", "Lubdub <>", "a@example.org, b@example.org", "x\r\nBcc: y <a@example.org>", &long]
        {
            let said = refusal("smtp://mail.example.org", from);
            assert!(said.starts_with("--mail-from must be an address"), "{from}: {said}");
        }
    }

    #[test]
    fn one_without_the_other_is_refused() {
        let given = |url, from, ca: Option<&str>| MailSettings::given(url, from, ca.map(Path::new));
        let said = |url, from, ca| given(url, from, ca).expect_err("it is half").to_string();
        assert!(given(None, None, None).expect("nothing is nothing").is_none());
        assert!(said(Some("smtp://x"), None, None).starts_with("--smtp-url needs --mail-from"));
        assert!(said(None, Some(FROM), None).starts_with("--mail-from needs --smtp-url"));
        assert!(said(None, None, Some("ca.pem")).starts_with("--smtp-ca needs"));
        let folder = tempfile::tempdir().expect("a folder");
        let empty = folder.path().join("ca.pem");
        std::fs::write(&empty, "hello").expect("write");
        for path in [folder.path().join("missing"), empty] {
            let error = given(Some("smtp://x"), Some(FROM), path.to_str()).expect_err("no certificates");
            assert!(error.to_string().starts_with("read --smtp-ca "), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_counts_as_an_address_can_be_sent_to(
            text in "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~@ü -]{0,20}@[a-z0-9.ü-]{1,20}",
        ) {
            if let Some(address) = mail_address(&text) {
                prop_assert!(address.is_ascii());
                prop_assert_eq!(mail_address(&address), Some(address.clone()));
                prop_assert!(address.parse::<lettre::Address>().is_ok(), "{}", address);
            }
        }
    }

    proptest! {
        // Each one that is good reads the system's certificates.
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_setting_panics(url in "(smtps?://)?\\PC{0,40}", from in "\\PC{0,40}") {
            let _ = MailSettings::new(&url, &from, None);
        }
    }
}
