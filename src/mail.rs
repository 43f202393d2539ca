//! How mail is sent: one set of flags for every role that sends some.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use sending::mail::MailSettings;

/// The mail server and the sender.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Smtp {
    /// Send mail by this server: smtp://user:password@host:587 (STARTTLS when it is offered; no password
    /// without TLS) or smtps://user:password@host:465; special characters of the user and the password as %XX
    #[arg(long, env = "LUBDUB_SMTP_URL", value_name = "URL", hide_env_values = true)]
    smtp_url: Option<SmtpUrl>,

    /// Mail comes from this address: lubdub@example.org or "Lubdub <lubdub@example.org>"
    #[arg(long, env = "LUBDUB_MAIL_FROM", value_name = "ADDRESS")]
    mail_from: Option<String>,

    /// Trust the certificates in this file (PEM), and no others, where the mail server speaks TLS [default:
    /// those that the system trusts]
    #[arg(long, env = "LUBDUB_SMTP_CA", value_name = "FILE")]
    smtp_ca: Option<PathBuf>,
}

/// The URL as it was given. Its errors are reported later and do not repeat it, because it may hold a
/// password.
#[derive(Clone)]
struct SmtpUrl(String);

impl FromStr for SmtpUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmtpUrl(…)")
    }
}

impl Smtp {
    /// Whether a mail server is named.
    pub(crate) const fn is_given(&self) -> bool {
        self.smtp_url.is_some()
    }

    /// The given value, or `None` if it is empty.
    ///
    /// # Errors
    /// The flag, and what is wrong with it.
    pub(crate) fn settings(&self) -> anyhow::Result<Option<MailSettings>> {
        let url = self.smtp_url.as_ref().map(|url| url.0.as_str());
        Ok(MailSettings::given(url, self.mail_from.as_deref(), self.smtp_ca.as_deref())?)
    }
}
