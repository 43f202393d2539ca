//! The connection: which server, and with which key.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};
use reqwest::Url;

use super::api::Api;
use super::data_dir::data_dir;
use super::discreet;

/// Where a server on this machine listens by default.
const LOCAL: &str = "http://127.0.0.1:8080";

/// The server's address.
#[derive(Debug, clap::Args)]
pub(super) struct Server {
    /// Address of the server
    #[arg(
        long,
        env = "LUBDUB_URL",
        value_name = "URL",
        default_value = LOCAL,
        value_parser = discreet::by(server_url),
        hide_env_values = true,
        help_heading = "Connection"
    )]
    url: Url,
}

/// The key and the form of the answer: of every command that uses the management API.
#[derive(Debug, clap::Args)]
pub(super) struct Access {
    /// API key; without one, the admin.key of --data-dir is read
    #[arg(
        long,
        env = "LUBDUB_API_KEY",
        value_name = "KEY",
        hide_env_values = true,
        global = true,
        help_heading = "Connection"
    )]
    api_key: Option<ApiKey>,
    /// Data directory of a server on this machine [default: ~/.local/share/lubdub, /var/lib/lubdub for root]
    #[arg(long, env = "LUBDUB_DATA_DIR", value_name = "DIR", global = true, help_heading = "Connection")]
    data_dir: Option<PathBuf>,
    /// Print the API's JSON
    #[arg(long, global = true, display_order = 903)]
    pub(super) json: bool,
}

/// Server and key.
#[derive(Debug, clap::Args)]
pub(super) struct Connection {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    access: Access,
}

/// An API key. Its `Debug` shows nothing.
#[derive(Clone)]
pub(super) struct ApiKey(String);

impl ApiKey {
    /// The secret itself.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for ApiKey {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

impl Server {
    /// Whether it is the address that a server on this machine listens on by default.
    pub(super) fn is_default(&self) -> bool {
        self.url.as_str().trim_end_matches('/') == LOCAL
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }
}

impl Connection {
    /// Whether the answer is printed as JSON.
    pub(super) const fn json(&self) -> bool {
        self.access.json
    }

    /// The server's address.
    pub(super) const fn url(&self) -> &Url {
        &self.server.url
    }

    /// The key.
    ///
    /// # Errors
    /// None was given and none was found.
    pub(super) fn key(&self) -> anyhow::Result<String> {
        self.access.key()
    }

    /// A client of the management API.
    ///
    /// # Errors
    /// No key was given and none was found.
    pub(super) fn open(&self) -> anyhow::Result<Api> {
        Ok(Api::new(&self.server.url, self.access.key()?)?.in_json(self.json()))
    }
}

impl Access {
    fn key(&self) -> anyhow::Result<String> {
        // An empty variable counts as not set.
        if let Some(ApiKey(key)) = &self.api_key
            && !key.is_empty()
        {
            return Ok(key.clone());
        }
        let path = data_dir(self.data_dir.as_deref()).join("admin.key");
        let key = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("failed to read the API key in {}", path.display()));
            }
        };
        if key.is_empty() {
            bail!(
                "this needs an API key: give it with --api-key, set LUBDUB_API_KEY, or name with --data-dir the data \
                 directory of a server on this machine (there is no key in {})",
                path.display()
            );
        }
        Ok(key)
    }
}

/// Reads the address of a server; `http://` may be left out.
pub(super) fn server_url(text: &str) -> Result<Url, String> {
    let text = text.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&whole).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("write it like https://lubdub.example.com".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("leave the name and password out: a request has room for one authorization, the API key"
            .to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(api_key: Option<&str>, data_dir: PathBuf) -> Access {
        Access { api_key: api_key.map(|key| ApiKey(key.to_owned())), data_dir: Some(data_dir), json: false }
    }

    #[test]
    fn the_key_is_the_given_one_or_the_data_directorys() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = access(None, dir.path().to_owned()).key().expect_err("there is none").to_string();
        for way in ["--api-key", "LUBDUB_API_KEY", "--data-dir", "admin.key"] {
            assert!(missing.contains(way), "{missing}");
        }
        std::fs::write(dir.path().join("admin.key"), "from-file\n").expect("written");
        let key = |given| access(given, dir.path().to_owned()).key().expect("a key");
        assert_eq!(key(None), "from-file");
        assert_eq!(key(Some("")), "from-file");
        assert_eq!(key(Some("given")), "given");
    }

    #[test]
    fn an_address_needs_no_scheme() {
        let parsed = |text| server_url(text).map(|url| url.to_string());
        assert_eq!(parsed("localhost:8080").as_deref(), Ok("http://localhost:8080/"));
        assert_eq!(parsed("https://x.example/lubdub").as_deref(), Ok("https://x.example/lubdub"));
        assert!(parsed("ftp://x.example").is_err());
        assert!(parsed("http://").is_err());
    }

    #[test]
    fn an_address_with_a_password_is_refused_without_showing_it() {
        for text in ["http://user:secret@x.example", "user@x.example", "https://:secret@x.example/"] {
            let refused = server_url(text).expect_err("refused");
            assert!(refused.contains("API key") && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn a_key_is_not_shown_by_accident() {
        assert!(!format!("{:?}", access(Some("secret"), PathBuf::new())).contains("secret"));
    }
}
