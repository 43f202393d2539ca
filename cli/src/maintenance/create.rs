//! `lubdub maintenance create`

use serde_json::{Map, Value, json};

use super::super::changes::{Names, OF_A_WINDOW, is_of_another_kind};
use super::super::confirm::Consent;
use super::super::connection::Connection;
use super::super::cron::put_zone;
use super::super::lookup::{Kind, find_each, names};
use super::super::moment::Here;
use super::super::names::warning;
use super::super::same_name::{SameName, is_taken};
use super::super::scope::{STATES, Scope, trimmed};
use super::super::view::Window;
use super::span::Span;
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub maintenance create 'new disks' --monitor db1 --monitor db2 --for 2h
  lubdub maintenance create move --tag prod --from 'tomorrow 22:00' --to 02:00
  lubdub maintenance create 'nightly restart' --tag web --cron '0 2 * * *' --for 30m --timezone Europe/Berlin
  lubdub maintenance create 'power cut' --state down --for 4h

A name that a window has already is refused. --if-missing leaves that window as it is and says what differs,
--or-update gives it these settings.
--state and --all ask first. Where there is no terminal to ask on, they need --yes.
No alert of its monitors is sent meanwhile. The alert of one that is still down at its end is sent then.";

/// Creates a maintenance window.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Create {
    /// Name, 1 to 100 characters
    name: String,
    #[command(flatten)]
    subjects: Subjects,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    same_name: SameName,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Subjects {
    /// Monitor that it is for, by name or id; may be repeated
    #[arg(long = "monitor", value_name = "MONITOR")]
    monitors: Vec<String>,
    /// Tags of monitors that it is for, also of those made later; comma separated, may be repeated
    #[arg(long = "tag", value_name = "TAGS", value_delimiter = ',')]
    tags: Vec<String>,
    /// For the monitors that are in this state now; may be repeated
    #[arg(long = "state", value_name = "STATE", value_parser = STATES, conflicts_with_all = ["monitors", "tags"])]
    states: Vec<String>,
    /// For every monitor that there is now
    #[arg(long, conflicts_with_all = ["monitors", "tags", "states"])]
    all: bool,
}

impl Create {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(self.name));
        let here = Here::of_this_machine();
        self.span.fill_new(&mut body, &here)?;
        let Subjects { monitors, tags, states, all } = self.subjects;
        // What is chosen can be many more than was thought of; tags and names say which.
        let chosen = if all || !states.is_empty() {
            self.consent.is_possible()?;
            Some(Scope::new(Vec::new(), Vec::new(), states, all)?)
        } else {
            None
        };
        let api = self.connection.open()?;
        if let Some(scope) = chosen {
            let found = scope.monitors(&api).await?;
            self.consent.get("Silence", Kind::Monitor.noun(), &found)?;
            body.insert(
                "monitors".to_owned(),
                json!(found.into_iter().map(|one| one.id).collect::<Vec<_>>()),
            );
        }
        if !monitors.is_empty() {
            let found = find_each(&api, Kind::Monitor, &monitors).await?;
            body.insert(
                "monitors".to_owned(),
                json!(found.into_iter().map(|one| one.id).collect::<Vec<_>>()),
            );
        }
        let tags = trimmed(&tags);
        if !tags.is_empty() {
            body.insert("tags".to_owned(), json!(tags));
        }
        let mut new = body.clone();
        put_zone(&mut new, None, &here.zone)?;
        let answer = match api.post(&["maintenance-windows"], &self.same_name.request(&new)).await {
            Ok(answer) => answer,
            Err(error) if is_taken(&error) => {
                let changed = |before: &Value| {
                    anyhow::ensure!(
                        !is_of_another_kind(before, &body, ("from", "cron")),
                        "the window repeats and is to be once, or the other way round, and --or-update keeps that: \
                         `lubdub maintenance edit` changes it"
                    );
                    let mut body = body.clone();
                    put_zone(&mut body, before["timezone"].as_str(), &here.zone)?;
                    Ok(body)
                };
                let shown = (
                    &OF_A_WINDOW[..],
                    &Names { monitors: names(&api, Kind::Monitor).await?, ..Names::default() },
                );
                let settled =
                    self.same_name.settle((&api, terminal), Kind::Window, &body, changed, shown).await?;
                return if self.connection.json() {
                    Ok(terminal.json(&settled.answer)?)
                } else {
                    Ok(terminal.line(settled.said)?)
                };
            }
            Err(error) => return Err(error.into()),
        };
        warning(Kind::Window.noun(), &self.name).iter().for_each(|warning| terminal.warn(warning));
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let window: Window = api.view(&answer)?;
        window.warnings.iter().for_each(|warning| terminal.warn(harmless(warning)));
        Ok(terminal.print(&format!(
            "Created {}\n  id    {}\n  when  {}\n  for   {}\n",
            harmless(&window.name),
            window.id,
            window.when(&terminal.times()),
            harmless(&window.subjects())
        ))?)
    }
}
