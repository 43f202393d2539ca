//! `lubdub channel edit`

use serde_json::{Map, Value, json};

use super::super::connection::Connection;
use super::super::lookup::{Kind, id_of};
use super::super::terminal::harmless;
use super::super::view::Channel;
use super::super::{BadUsage, Terminal};
use super::headers::{Header, object};

const EXAMPLES: &str = "\
Examples:
  lubdub channel edit ops --name 'on call' --default
  lubdub channel edit ops webhook --url https://hooks.example.com/new
  lubdub channel edit ops webhook --new-secret

The server, if not LUBDUB_URL, is named before the kind:
  lubdub channel edit ops --url http://127.0.0.1:8080 webhook --url https://…";

/// Changes a channel.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Edit {
    /// Name or id
    channel: String,
    /// New name
    #[arg(long, global = true)]
    name: Option<String>,
    /// Use it for monitors that name no channels
    #[arg(long, global = true, conflicts_with = "no_default")]
    default: bool,
    /// Use it only for monitors that name it
    #[arg(long, global = true)]
    no_default: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    kind: Option<ChangedKind>,
}

#[derive(Debug, clap::Subcommand)]
enum ChangedKind {
    /// Change what only webhooks have
    #[command(after_help = "\
Examples:
  lubdub channel edit ops webhook --url https://hooks.example.com/new
  lubdub channel edit ops webhook --header 'Authorization: Bearer abc'

--header replaces all headers that were there; the value *** keeps a header's value.")]
    Webhook {
        /// Where to post
        #[arg(long, id = "webhook_url", value_name = "URL")]
        url: Option<String>,
        /// Signing secret, whsec_ and base64
        #[arg(long, conflicts_with = "new_secret")]
        secret: Option<String>,
        /// Make a new signing secret and show it
        #[arg(long)]
        new_secret: bool,
        /// Header to send along, as in 'Name: value'; may be repeated
        #[arg(long = "header", value_name = "HEADER")]
        headers: Vec<Header>,
        /// Send no headers of one's own
        #[arg(long, conflicts_with = "headers")]
        no_headers: bool,
    },
    /// Change what only e-mail has
    #[command(after_help = "\
Examples:
  lubdub channel edit mail email --to ops@example.com")]
    Email {
        /// Address; may be repeated
        #[arg(long, required = true, value_name = "ADDRESS")]
        to: Vec<String>,
    },
}

impl Edit {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let body = self.body();
        if body.as_object().is_some_and(Map::is_empty) {
            return Err(BadUsage("there is nothing to change: see `lubdub channel edit --help`").into());
        }
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Channel, &self.channel).await?;
        let answer = api.patch(&["channels", &id], &body).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let channel: Channel = api.view(&answer)?;
        terminal.line(format_args!("changed {} ({})", harmless(&channel.name), channel.id))?;
        if let Some(secret) = &channel.secret {
            terminal.line(format_args!("its signing secret, which is not shown again: {secret}"))?;
        }
        Ok(())
    }

    fn body(&self) -> Value {
        let mut body = Map::new();
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), json!(name));
        }
        if self.default || self.no_default {
            body.insert("default".to_owned(), json!(self.default));
        }
        match &self.kind {
            Some(ChangedKind::Webhook { url, secret, new_secret, headers, no_headers }) => {
                if let Some(url) = url {
                    body.insert("url".to_owned(), json!(url));
                }
                if secret.is_some() || *new_secret {
                    body.insert("secret".to_owned(), json!(secret));
                }
                if !headers.is_empty() || *no_headers {
                    body.insert("headers".to_owned(), object(headers));
                }
            }
            Some(ChangedKind::Email { to }) => {
                body.insert("to".to_owned(), json!(to));
            }
            None => {}
        }
        Value::Object(body)
    }
}
