//! `lubdub channel create`

use clap::{ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::super::changes::{Names, OF_A_CHANNEL};
use super::super::connection::Connection;
use super::super::cron::zone;
use super::super::lookup::Kind;
use super::super::names::warning;
use super::super::same_name::{SameName, is_taken};
use super::super::shell::quoted;
use super::super::view::Channel;
use super::edit::other_kind;
use super::headers::{Header, object};
use super::presets::{self, Given};
use super::template::Template;
use crate::harmless::harmless;
use crate::terminal::Terminal;
use crate::usage::KINDS;

const EXAMPLES: &str = "\
Examples:
  lubdub channel create ops webhook --url https://hooks.example.com/lubdub
  lubdub channel create pager --no-default webhook --url https://example.com/in --header 'X-Key: abc'
  lubdub channel create mail email --to ops@example.com
  lubdub channel create team slack --url https://hooks.slack.com/services/…
  lubdub channel create team slack --help

A name that a channel has already is refused. --if-missing leaves that channel as it is and says what differs,
--or-update gives it these settings.

Monitors that name no channels alert every channel, but for those made with --no-default.

The server, if not LUBDUB_URL, is named before the kind:
  lubdub channel create ops --url http://127.0.0.1:8080 webhook --url https://…";

/// Creates a channel.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Create {
    /// Name, 1 to 100 characters
    name: String,
    /// Use it for monitors that name no channels, as a channel is if nothing else is said
    #[arg(long, global = true, display_order = 901, conflicts_with = "no_default")]
    default: bool,
    /// Use it only for monitors that name it
    #[arg(long, global = true, display_order = 902)]
    no_default: bool,
    #[command(flatten)]
    same_name: SameName,
    /// Time zone in which its messages show times, an IANA name [default: the server's]
    #[arg(long, global = true, value_name = "ZONE", display_order = 906, value_parser = zone)]
    timezone: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    kind: NewKind,
}

/// The new channel, given by a command of its own or by that of a preset.
#[derive(Debug)]
enum NewKind {
    Own(OwnKind),
    Preset(Given),
}

#[derive(Debug, clap::Subcommand)]
enum OwnKind {
    /// A signed HTTP request of your own (Standard Webhooks)
    #[command(after_help = "\
Examples:
  lubdub channel create ops webhook --url https://hooks.example.com/lubdub
  lubdub channel create board webhook --url https://board.example.com/api --template @body.json
  lubdub channel create notes webhook --url https://notes.example.com/ --template '{{ title }}' --content-type text/plain

docs/channels.md lists what a template can use.")]
    Webhook {
        /// Where to send it
        #[arg(long, id = "webhook_url", value_name = "URL")]
        url: String,
        /// Signing secret, whsec_ and base64 [default: a new one, shown once]
        #[arg(long, hide_env_values = true)]
        secret: Option<String>,
        /// Header to send along, as in 'Name: value'; may be repeated
        #[arg(long = "header", value_name = "HEADER")]
        headers: Vec<Header>,
        /// How to send it [default: POST]
        #[arg(long, ignore_case = true, value_parser = ["POST", "PUT", "PATCH"])]
        method: Option<String>,
        /// Body as a template, or @ and the file that holds it [default: the event as JSON]
        #[arg(long, value_name = "TEXT-OR-@FILE")]
        template: Option<Template>,
        /// Content type of what the template makes [default: application/json]
        #[arg(long, value_name = "TYPE", requires = "template")]
        content_type: Option<String>,
        /// Gather what comes in numbers into digests [default: one event for each change]
        #[arg(long)]
        digest: bool,
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
        let (json, same_name) = (self.connection.json(), self.same_name);
        let body = self.body();
        let answer = match api.post(&["channels"], &same_name.request(&body)).await {
            Ok(answer) => answer,
            Err(error) if is_taken(&error) => {
                let changed = |before: &Value| {
                    let channel: Channel = api.view(before)?;
                    let kind = body["kind"].as_str().unwrap_or_default();
                    anyhow::ensure!(kind == channel.kind, other_kind(&channel, kind));
                    Ok(body.clone())
                };
                let shown = (&OF_A_CHANNEL[..], &Names::default());
                let settled =
                    same_name.settle((&api, terminal), Kind::Channel, &body, changed, shown).await?;
                return if json {
                    Ok(terminal.json(&settled.answer)?)
                } else {
                    Ok(terminal.line(settled.said)?)
                };
            }
            Err(error) => return Err(error.into()),
        };
        warning(Kind::Channel.noun(), body["name"].as_str().unwrap_or_default())
            .iter()
            .for_each(|warning| terminal.warn(warning));
        if json {
            return Ok(terminal.json(&answer)?);
        }
        let channel: Channel = api.view(&answer)?;
        if let Some(why) = channel.state_detail.as_deref().filter(|_| channel.state != "ok") {
            terminal.warn(format_args!("{} does not work yet: {why}", channel.name));
        }
        terminal.print(&summary(&channel, terminal.program()))?;
        Ok(())
    }

    fn body(self) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(self.name));
        if self.default || self.no_default {
            body.insert("default".to_owned(), json!(self.default));
        }
        if let Some(zone) = self.timezone {
            body.insert("timezone".to_owned(), json!(zone));
        }
        match self.kind {
            NewKind::Own(kind) => kind.fill(&mut body),
            NewKind::Preset(given) => given.fill_new(&mut body),
        }
        body
    }
}

impl OwnKind {
    fn fill(self, body: &mut Map<String, Value>) {
        let fields = match self {
            Self::Webhook { url, secret, headers, method, template, content_type, digest } => vec![
                ("kind", Some(json!("webhook"))),
                ("url", Some(json!(url))),
                ("secret", secret.map(Value::String)),
                ("headers", (!headers.is_empty()).then(|| object(&headers))),
                ("method", method.map(Value::String)),
                ("template", template.map(|template| Value::String(template.0))),
                ("content_type", content_type.map(Value::String)),
                ("digest", digest.then_some(Value::Bool(true))),
            ],
            Self::Email { to } => vec![("kind", Some(json!("email"))), ("to", Some(json!(to)))],
        };
        body.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
}

impl clap::FromArgMatches for NewKind {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let of_preset = matches.subcommand().and_then(|(name, its)| Given::read(name, its));
        match of_preset {
            Some(given) => Ok(Self::Preset(given)),
            None => OwnKind::from_arg_matches(matches).map(Self::Own),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Subcommand for NewKind {
    fn augment_subcommands(command: Command) -> Command {
        OwnKind::augment_subcommands(command)
            .subcommands(presets::to_create())
            .subcommand_value_name("KIND")
            .subcommand_help_heading(KINDS)
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        OwnKind::has_subcommand(name) || presets::knows(name)
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
