//! `lubdub replay copy`

use std::path::PathBuf;
use std::process::ExitCode;

use reqwest::Url;

use super::super::api::Api;
use super::super::connection::{ApiKey, Connection, server_url};
use super::export::What;
use super::import::{How, Source, To};
use super::input::Input;
use super::lines::Lines;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub replay copy --since 1d --to https://staging.example.com --to-key KEY --speed 60x --create-missing
  lubdub replay copy --from old:8080 --from-key OLD --to new:8080 --to-key NEW --since 7d --keep-times --create-missing

It is an export straight into an import, without a file between. With --progress FILE a killed copy goes on when the same command is
given again, if --since and --until are times.";

/// Sends heartbeats from one server to another.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Copy {
    /// Address of the server that has them [default: --url]
    #[arg(long, value_name = "URL", value_parser = server_url)]
    from: Option<Url>,
    /// Its key; an admin key's copy keeps push tokens [default: --api-key]
    #[arg(long, value_name = "KEY", env = "LUBDUB_FROM_KEY", hide_env_values = true)]
    from_key: Option<ApiKey>,
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    connection: Connection,
}

impl Copy {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let (from_url, from_key) = (self.from.as_ref(), self.from_key.as_ref());
        let key = match from_key {
            Some(key) => key.expose().to_owned(),
            None => self.connection.key()?,
        };
        let from = Api::new(from_url.unwrap_or_else(|| self.connection.url()), key)?;
        let to = self.to.open(&self.connection)?;
        let asked = self.what.ask(&from).await?;
        let mut name = from.address();
        for (field, value) in &asked.query {
            name.push_str(&format!(" {field}={value}"));
        }
        let input = Input::Once(Lines::of_server(asked.open(&from).await?));
        let notes: Option<PathBuf> = self.how.notes();
        self.how.run(input, to, Source { name, notes }, self.connection.json(), terminal).await
    }
}
