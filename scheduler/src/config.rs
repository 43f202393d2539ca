//! The settings of the scheduler.

use clap::Args;
use sending::mail::MailSettings;
use sending::mail_address::mail_address;

use crate::error::Error;

/// Settings of the scheduler.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub struct Config {
    /// Tell the operator here, by a POST, when Lubdub itself stands still for more than 60 s or cannot do its
    /// work
    #[arg(long, env = "LUBDUB_META_WEBHOOK", value_name = "URL", hide_env_values = true)]
    pub meta_webhook: Option<SecretUrl>,

    /// Tell the operator by e-mail to this address when Lubdub itself stands still for more than 60 s or
    /// cannot do its work; it needs --smtp-url and --mail-from
    #[arg(long, env = "LUBDUB_META_MAIL", value_name = "ADDRESS", value_parser = address)]
    pub meta_mail: Option<String>,

    /// Request this URL every 60 s while event time moves on and alerts go out, so that another monitor
    /// notices when they do not
    #[arg(long, env = "LUBDUB_BEAT_URL", value_name = "URL", hide_env_values = true)]
    pub beat_url: Option<SecretUrl>,

    /// How mail is sent. One set of flags serves every role of a process, so the code that starts the process
    /// reads them.
    #[arg(skip)]
    pub mail: Option<MailSettings>,
}

impl Config {
    /// Checks what clap cannot.
    ///
    /// # Errors
    /// [`Error::MetaMail`] if there is no way to send the operator's mail.
    pub const fn validate(&self) -> Result<(), Error> {
        match (&self.meta_mail, &self.mail) {
            (Some(_), None) => Err(Error::MetaMail),
            (Some(_), Some(_)) | (None, _) => Ok(()),
        }
    }
}

fn address(text: &str) -> Result<String, &'static str> {
    mail_address(text).ok_or("it must be one address such as ops@example.org, without a name")
}

/// A URL of the operator's. It may hold credentials, so its `Debug` shows nothing.
#[derive(Clone)]
pub struct SecretUrl(reqwest::Url);

impl SecretUrl {
    /// The URL.
    pub const fn url(&self) -> &reqwest::Url {
        &self.0
    }
}

impl std::str::FromStr for SecretUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: reqwest::Url = text.parse().map_err(|error| format!("not a URL: {error}"))?;
        match url.scheme() {
            "http" | "https" => Ok(Self(url)),
            other => Err(format!("the scheme must be http or https, not {other}")),
        }
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretUrl(…)")
    }
}
