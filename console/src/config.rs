//! Configuration of the role.

use common::address_guard::AddressGuard;
use url::Url;

use crate::error::Error;

/// What the operator sets.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Config {
    /// The address under which clients reach Lubdub: push URLs begin with it. Default: the listen address.
    #[arg(long, env = "LUBDUB_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,

    /// Networks (CIDRs, comma-separated) whose private or loopback addresses webhooks may lead to.
    ///
    /// Set by whoever composes the roles: in one process the notifier has the same flag.
    #[arg(skip)]
    pub allow_private: String,
}

/// The configuration, checked.
pub(crate) struct Checked {
    /// Without a slash at its end.
    pub(crate) public_url: String,
    pub(crate) guard: AddressGuard,
}

impl Config {
    /// Checks what clap cannot.
    ///
    /// # Errors
    /// [`Error::PublicUrl`], [`Error::AllowPrivate`].
    pub fn validate(&self) -> Result<(), Error> {
        self.check().map(|_| ())
    }

    pub(crate) fn check(&self) -> Result<Checked, Error> {
        let given = self.public_url.as_deref().unwrap_or("http://127.0.0.1:8080");
        let url: Url = given.parse().map_err(|source| Error::PublicUrl { source: Some(source) })?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(Error::PublicUrl { source: None });
        }
        let guard = AddressGuard::parse(&self.allow_private).map_err(Error::AllowPrivate)?;
        Ok(Checked { public_url: url.as_str().trim_end_matches('/').to_owned(), guard })
    }
}
