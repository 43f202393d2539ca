//! Configuration of the role.

use std::net::SocketAddr;

use sending::address_guard::AddressGuard;
use serving::TrustedProxies;
use url::Url;

use crate::error::Error;
use crate::public_url::PublicUrl;

/// The console's settings.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Config {
    /// Address under which clients reach ingest: push URLs begin with it [default: where the request went
    /// that asks for one]
    #[arg(long, env = "LUBDUB_PUBLIC_URL", value_name = "URL", hide_env_values = true)]
    pub public_url: Option<String>,

    /// Private networks that webhooks may reach: CIDRs or addresses, comma-separated
    #[arg(
        long,
        env = "LUBDUB_ALLOW_PRIVATE",
        value_name = "CIDRS",
        default_value = "",
        hide_default_value = true
    )]
    pub allow_private: String,

    /// Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: CIDRs or addresses, comma-separated
    /// [default: none]
    #[arg(
        long,
        env = "LUBDUB_TRUSTED_PROXIES",
        value_name = "CIDRS",
        default_value = "",
        hide_default_value = true
    )]
    pub trusted_proxies: TrustedProxies,

    /// What a process listens on that takes pushes as well: channels that lead there are refused.
    #[arg(skip)]
    pub listener: Option<SocketAddr>,

    /// Whether the notifier of this process sends mail; `None` where notifiers run apart and are not known.
    #[arg(skip)]
    pub sends_mail: Option<bool>,
}

/// The configuration, checked.
pub(crate) struct Checked {
    pub(crate) public_url: PublicUrl,
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
        let guard = AddressGuard::parse(&self.allow_private).map_err(Error::AllowPrivate)?;
        let public_url = self.check_public_url()?;
        let guard = match &public_url {
            PublicUrl::Fixed(own) => guard.with_own(own),
            PublicUrl::AsAsked(_) => guard,
        };
        let guard = self.listener.into_iter().fold(guard, AddressGuard::with_listener);
        Ok(Checked { public_url, guard })
    }

    fn check_public_url(&self) -> Result<PublicUrl, Error> {
        let Some(given) = &self.public_url else {
            return Ok(PublicUrl::AsAsked(self.trusted_proxies.clone()));
        };
        let url: Url = given.parse().map_err(|source| Error::PublicUrl { source: Some(source) })?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(Error::PublicUrl { source: None });
        }
        Ok(PublicUrl::Fixed(url.as_str().trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_a_plain_http_url() {
        let check = |url: &str| {
            let config = Config { public_url: Some(url.to_owned()), ..Config::default() };
            config.check().map(|checked| checked.public_url)
        };
        let fixed = |url: &str| PublicUrl::Fixed(url.to_owned());
        assert_eq!(check("https://beats.example").expect("good"), fixed("https://beats.example"));
        assert_eq!(check("http://host:8080/lubdub/").expect("good"), fixed("http://host:8080/lubdub"));
        for bad in [
            "",
            "beats.example",
            "ftp://beats.example",
            "https://beats.example/?a=1",
            "https://beats.example/#a",
        ] {
            assert!(matches!(check(bad), Err(Error::PublicUrl { .. })), "{bad}");
        }
        assert_eq!(
            Config::default().check().map(|checked| checked.public_url).expect("good"),
            PublicUrl::AsAsked(TrustedProxies::default())
        );
    }

    #[test]
    fn a_bad_list_of_networks_is_refused() {
        let config = Config { allow_private: "10.0.0.0/8, office".to_owned(), ..Config::default() };
        assert!(matches!(config.validate(), Err(Error::AllowPrivate(_))));
    }
}
