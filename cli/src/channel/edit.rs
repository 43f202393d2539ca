//! `lubdub channel edit`

use ::api::limits::MAX_SECRET_OVERLAP_SECS;
use clap::{ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::super::changes::{Names, OF_A_CHANNEL, change};
use super::super::connection::Connection;
use super::super::cron::zone;
use super::super::duration::{Seconds, within};
use super::super::lookup::{Kind, id_of};
use super::super::monitor::alerts;
use super::super::shell::quoted;
use super::super::view::Channel;
use super::headers::{Header, object};
use super::presets::{self, Given};
use super::template::Template;
use crate::bad_usage::BadUsage;
use crate::harmless::harmless;
use crate::terminal::Terminal;
use crate::usage::KINDS;

const EXAMPLES: &str = "\
Examples:
  lubdub channel edit ops --name 'on call' --default
  lubdub channel edit ops --timezone Europe/Berlin
  lubdub channel edit ops webhook --url https://hooks.example.com/new
  lubdub channel edit ops webhook --new-secret
  lubdub channel edit team slack --url https://hooks.slack.com/services/…

The kind is the one that the channel has: it never changes.

The server, if not LUBDUB_URL, is named before the kind:
  lubdub channel edit ops --url http://127.0.0.1:8080 webhook --url https://…";

/// Changes a channel.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Edit {
    /// Name or id
    channel: String,
    /// New name
    #[arg(long, global = true, display_order = 900)]
    name: Option<String>,
    /// Use it for monitors that name no channels
    #[arg(long, global = true, display_order = 901, conflicts_with = "no_default")]
    default: bool,
    /// Use it only for monitors that name it
    #[arg(long, global = true, display_order = 902)]
    no_default: bool,
    /// Time zone in which its messages show times, an IANA name
    #[arg(long, global = true, value_name = "ZONE", display_order = 903, conflicts_with = "no_timezone",
          value_parser = zone)]
    timezone: Option<String>,
    /// Show times in the server's time zone
    #[arg(long, global = true, display_order = 904)]
    no_timezone: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    kind: Option<ChangedKind>,
}

/// The change, given by a command of its own or by that of a preset.
#[derive(Debug)]
enum ChangedKind {
    Own(Box<OwnKind>),
    Preset(Given),
}

#[derive(Debug, clap::Subcommand)]
enum OwnKind {
    /// Change what only webhooks have
    #[command(after_help = "\
Examples:
  lubdub channel edit ops webhook --url https://hooks.example.com/new
  lubdub channel edit ops webhook --header 'Authorization: Bearer abc'
  lubdub channel edit ops webhook --new-secret --secret-overlap 7d
  lubdub channel edit ops webhook --template @body.json

--header replaces all headers that were there; the value *** keeps a header's value.")]
    Webhook {
        /// Where to send it
        #[arg(long, id = "webhook_url", value_name = "URL")]
        url: Option<String>,
        /// Signing secret, whsec_ and base64
        #[arg(long, conflicts_with = "new_secret")]
        secret: Option<String>,
        /// Make a new signing secret and show it
        #[arg(long)]
        new_secret: bool,
        /// How long the signing secret before still signs besides, at most 30d [default: 1d]
        #[arg(long, value_name = "DURATION", value_parser = within(0, MAX_SECRET_OVERLAP_SECS as u64))]
        secret_overlap: Option<Seconds>,
        /// Header to send along, as in 'Name: value'; may be repeated
        #[arg(long = "header", value_name = "HEADER")]
        headers: Vec<Header>,
        /// Send no headers of one's own
        #[arg(long, conflicts_with = "headers")]
        no_headers: bool,
        /// How to send it
        #[arg(long, ignore_case = true, value_parser = ["POST", "PUT", "PATCH"])]
        method: Option<String>,
        /// Body as a template, or @ and the file that holds it
        #[arg(long, value_name = "TEXT-OR-@FILE")]
        template: Option<Template>,
        /// Send the event as JSON again
        #[arg(long, conflicts_with_all = ["template", "content_type"])]
        no_template: bool,
        /// Content type of what the template makes
        #[arg(long, value_name = "TYPE")]
        content_type: Option<String>,
        /// Gather what comes in numbers into digests
        #[arg(long)]
        digest: bool,
        /// Send one event for each change
        #[arg(long, conflicts_with = "digest")]
        no_digest: bool,
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
        let Self { channel, name, default, no_default, timezone, no_timezone, connection, kind } = self;
        let word = kind.as_ref().map(ChangedKind::word);
        let mut body = body(name, default || no_default, default, kind);
        if timezone.is_some() || no_timezone {
            body.insert("timezone".to_owned(), json!(timezone));
        }
        if body.is_empty() {
            return Err(BadUsage("there is nothing to change: see `lubdub channel edit --help`").into());
        }
        let api = connection.open()?;
        let id = id_of(&api, Kind::Channel, &channel).await?;
        let asked = |before: &Value| {
            let channel: Channel = api.view(before)?;
            match word {
                Some(word) if word != channel.kind => anyhow::bail!(other_kind(&channel, word)),
                Some(_) | None => Ok(body.clone()),
            }
        };
        // A monitor is shown with the channels that it uses, whether it names them or not.
        let reaching = async || -> anyhow::Result<_> {
            Ok(alerts::reaching(&alerts::monitors(&api).await?, &alerts::channels(&api).await?))
        };
        let before = if no_default { reaching().await? } else { Vec::new() };
        let change = change(&api, &["channels", &id], asked).await?;
        // It is done: that this cannot be told is no failure.
        let after = if no_default { reaching().await.ok() } else { None };
        if let Some(left) = after.and_then(|after| alerts::left_alone(before, &after)) {
            terminal.warn(format_args!("no channel is alerted any more for {left}"));
        }
        if connection.json() {
            return Ok(terminal.json(&change.after)?);
        }
        let channel: Channel = api.view(&change.after)?;
        terminal.line(change.said(&OF_A_CHANNEL, &Names::default()))?;
        if let Some(secret) = &channel.secret {
            terminal.line(format_args!("its signing secret, which is not shown again: {secret}"))?;
        }
        Ok(())
    }
}

pub(super) fn other_kind(channel: &Channel, asked: &str) -> String {
    let (name, has) = (harmless(&channel.name), harmless(&channel.kind));
    format!(
        "{name} is a channel of kind {has}, not {asked}, and keeps its kind: change it with `lubdub channel edit {} {has} …`, \
         or make another one with `lubdub channel create NAME {asked} …`",
        quoted(&name)
    )
}

fn body(
    name: Option<String>,
    says_default: bool,
    default: bool,
    kind: Option<ChangedKind>,
) -> Map<String, Value> {
    let mut body = Map::new();
    if let Some(name) = name {
        body.insert("name".to_owned(), json!(name));
    }
    if says_default {
        body.insert("default".to_owned(), json!(default));
    }
    match kind {
        Some(ChangedKind::Own(kind)) => {
            let word = kind.word();
            let before = body.len();
            kind.fill(&mut body);
            // The server checks the kind as well.
            if body.len() > before {
                body.insert("kind".to_owned(), json!(word));
            }
        }
        Some(ChangedKind::Preset(given)) => given.fill_change(&mut body),
        None => {}
    }
    body
}

impl ChangedKind {
    /// The kind's name in the API.
    fn word(&self) -> &'static str {
        match self {
            Self::Own(kind) => kind.word(),
            Self::Preset(given) => given.preset(),
        }
    }
}

impl OwnKind {
    const fn word(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Email { .. } => "email",
        }
    }

    fn fill(self, body: &mut Map<String, Value>) {
        let fields = match self {
            Self::Webhook {
                url,
                secret,
                new_secret,
                secret_overlap,
                headers,
                no_headers,
                method,
                template,
                no_template,
                content_type,
                digest,
                no_digest,
            } => vec![
                ("url", url.map(Value::String)),
                ("secret", (secret.is_some() || new_secret).then(|| json!(secret))),
                ("secret_overlap", secret_overlap.map(|overlap| json!(overlap))),
                ("headers", (!headers.is_empty() || no_headers).then(|| object(&headers))),
                ("method", method.map(Value::String)),
                (
                    "template",
                    template
                        .map(|template| Value::String(template.0))
                        .or_else(|| no_template.then_some(Value::Null)),
                ),
                ("content_type", content_type.map(Value::String)),
                ("digest", (digest || no_digest).then_some(Value::Bool(digest))),
            ],
            Self::Email { to } => vec![("to", Some(json!(to)))],
        };
        body.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
}

impl clap::FromArgMatches for ChangedKind {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let of_preset = matches.subcommand().and_then(|(name, its)| Given::read(name, its));
        match of_preset {
            Some(given) => Ok(Self::Preset(given)),
            None => OwnKind::from_arg_matches(matches).map(|kind| Self::Own(Box::new(kind))),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Subcommand for ChangedKind {
    fn augment_subcommands(command: Command) -> Command {
        OwnKind::augment_subcommands(command)
            .subcommands(presets::to_edit())
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
