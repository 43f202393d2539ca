//! `lubdub channel create`

use serde_json::{Map, Value, json};

use super::super::Terminal;
use super::super::connection::Connection;
use super::super::terminal::{harmless, quoted};
use super::super::view::Channel;
use super::headers::{Header, object};

const EXAMPLES: &str = "\
Examples:
  lubdub channel create ops webhook --url https://hooks.example.com/lubdub
  lubdub channel create pager --no-default webhook --url https://example.com/in --header 'X-Key: abc'
  lubdub channel create mail email --to ops@example.com

The server, if not LUBDUB_URL, is named before the kind:
  lubdub channel create ops --url http://127.0.0.1:8080 webhook --url https://…";

/// Creates a channel.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Create {
    /// Name, 1 to 100 characters
    name: String,
    /// Use it for monitors that name no channels [default: only the first channel made is]
    #[arg(long, global = true, conflicts_with = "no_default")]
    default: bool,
    /// Use it only for monitors that name it
    #[arg(long, global = true)]
    no_default: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    kind: NewKind,
}

#[derive(Debug, clap::Subcommand)]
enum NewKind {
    /// A signed HTTP POST (Standard Webhooks)
    #[command(after_help = "\
Examples:
  lubdub channel create ops webhook --url https://hooks.example.com/lubdub")]
    Webhook {
        /// Where to post
        #[arg(long, id = "webhook_url", value_name = "URL")]
        url: String,
        /// Signing secret, whsec_ and base64 [default: a new one, shown once]
        #[arg(long, hide_env_values = true)]
        secret: Option<String>,
        /// Header to send along, as in 'Name: value'; may be repeated
        #[arg(long = "header", value_name = "HEADER")]
        headers: Vec<Header>,
    },
    /// An e-mail
    #[command(after_help = "\
Examples:
  lubdub channel create mail email --to ops@example.com --to boss@example.com")]
    Email {
        /// Address; may be repeated
        #[arg(long, required = true, value_name = "ADDRESS")]
        to: Vec<String>,
    },
}

impl Create {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let answer = api.post(&["channels"], &self.body()).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let channel: Channel = api.view(&answer)?;
        terminal.print(&summary(&channel, terminal.program()))?;
        Ok(())
    }

    fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(self.name));
        if self.default || self.no_default {
            body.insert("default".to_owned(), json!(self.default));
        }
        match &self.kind {
            NewKind::Webhook { url, secret, headers } => {
                body.insert("kind".to_owned(), json!("webhook"));
                body.insert("url".to_owned(), json!(url));
                if let Some(secret) = secret {
                    body.insert("secret".to_owned(), json!(secret));
                }
                if !headers.is_empty() {
                    body.insert("headers".to_owned(), object(headers));
                }
            }
            NewKind::Email { to } => {
                body.insert("kind".to_owned(), json!("email"));
                body.insert("to".to_owned(), json!(to));
            }
        }
        Value::Object(body)
    }
}

fn summary(channel: &Channel, program: &str) -> String {
    let name = harmless(&channel.name);
    let used = if channel.default { "every monitor that names no channels" } else { "monitors that name it" };
    let mut text = format!("Created {name}\n  id       {}\n  used by  {used}\n", channel.id);
    if let Some(secret) = &channel.secret {
        text.push_str(&format!(
            "  secret   {secret}\n           (signs the requests; it is not shown again)\n"
        ));
    }
    text.push_str(&format!("\nTry it:\n  {program} channel test {}\n", quoted(&name)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_shown_and_the_next_step_named() {
        let channel = Channel {
            id: "1".to_owned(),
            name: "on call".to_owned(),
            default: true,
            secret: Some("whsec_abc".to_owned()),
            ..Channel::default()
        };
        assert_eq!(
            summary(&channel, "./lubdub"),
            "Created on call\n  \
             id       1\n  \
             used by  every monitor that names no channels\n  \
             secret   whsec_abc\n           \
             (signs the requests; it is not shown again)\n\n\
             Try it:\n  ./lubdub channel test 'on call'\n"
        );
    }
}
