//! The settings of the scheduler.

use std::ffi::OsStr;

use clap::Args;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use sending::mail::MailSettings;
use sending::mail_address::mail_address;
use sending::target;

use crate::error::Error;

/// Settings of the scheduler.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub struct Config {
    /// Tell the operator here, by a POST, when Lubdub itself stands still for more than 60 s or cannot do its
    /// work
    #[arg(long, env = "LUBDUB_META_WEBHOOK", value_name = "URL", hide_env_values = true, value_parser = ReadSecretUrl)]
    pub meta_webhook: Option<SecretUrl>,

    /// Tell the operator by e-mail to this address when Lubdub itself stands still for more than 60 s or
    /// cannot do its work; it needs --smtp-url and --mail-from
    #[arg(long, env = "LUBDUB_META_MAIL", value_name = "ADDRESS", value_parser = address)]
    pub meta_mail: Option<String>,

    /// Request this URL every 60 s while event time moves on and alerts go out, so that another monitor
    /// notices when they do not
    #[arg(long, env = "LUBDUB_BEAT_URL", value_name = "URL", hide_env_values = true, value_parser = ReadSecretUrl)]
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

/// A URL of the operator's. It may hold a secret, so its `Debug` shows nothing.
#[derive(Clone)]
pub struct SecretUrl {
    /// Without a user and a password: what logs a URL must not log them.
    url: reqwest::Url,
    authorization: Option<HeaderValue>,
}

impl SecretUrl {
    /// A request there. The user and the password of the URL are sent as a header.
    pub(crate) fn request(&self, client: &Client, method: Method) -> RequestBuilder {
        let request = client.request(method, self.url.clone());
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value.clone()),
            None => request,
        }
    }
}

impl std::str::FromStr for SecretUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut url = target::parse(text)?;
        let authorization = target::take_credentials(&mut url).map(|basic| {
            let mut value = HeaderValue::from_str(&basic).map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            Ok::<_, String>(value)
        });
        Ok(Self { url, authorization: authorization.transpose()? })
    }
}

/// Reads a [`SecretUrl`]. Its errors do not repeat what was given, as those of clap do.
#[derive(Clone)]
struct ReadSecretUrl;

impl TypedValueParser for ReadSecretUrl {
    type Value = SecretUrl;

    fn parse_ref(
        &self,
        command: &clap::Command,
        flag: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<SecretUrl, clap::Error> {
        let read = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned()).and_then(str::parse);
        read.map_err(|why| {
            let flag = flag.map(ToString::to_string).unwrap_or_default();
            let text = format!("invalid value for '{flag}': {why}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretUrl(…)")
    }
}
