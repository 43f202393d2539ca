//! `lubdub tail`

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use api::export::{HeartbeatLine, Line};
use model::heartbeat::HeartbeatKind;
use model::ids::MonitorId;
use serde::Deserialize;
use serde_json::Value;

use super::api::{Api, ApiError};
use super::connection::Connection;
use super::lookup::{Kind, Named, ids_of, names};
use super::tag;
use super::terminal::Colour;
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub tail
  lubdub tail --monitor 'nightly backup' --flips
  lubdub tail --tag prod --json | jq -r 'select(.type == \"flip\") | .monitor'

It goes on until Ctrl-C. On a terminal the times are local. Where no person looks, and with --json, every line is JSON.";

/// The first wait before the server is asked again, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Names that are kept.
const MAX_NAMES: usize = 200_000;

/// Shows heartbeats and flips as they happen.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Tail {
    /// Only this monitor, by name or id; may be repeated [default: every monitor]
    #[arg(long, value_name = "MONITOR")]
    monitor: Vec<String>,
    /// Only monitors with this tag
    #[arg(long, value_parser = tag::one)]
    tag: Option<String>,
    /// Flips only
    #[arg(long)]
    flips: bool,
    #[command(flatten)]
    connection: Connection,
}

/// A flip, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Flip {
    monitor: MonitorId,
    at: api::export::Micros,
    from: String,
    to: String,
    reason: String,
    message: Option<String>,
}

/// How a look ended.
enum Ended {
    /// The reader of the output has gone.
    Unread,
    /// The server has gone.
    Broken(Option<ApiError>),
}

impl Tail {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let api = self.connection.open()?;
        tokio::select! {
            ended = self.follow(&api, terminal) => ended,
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
        }
    }

    async fn follow(&self, api: &Api, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let mut query: Vec<(&str, String)> =
            ids_of(api, Kind::Monitor, &self.monitor).await?.into_iter().map(|id| ("monitor", id)).collect();
        if let Some(tag) = &self.tag {
            tag::check(api, tag).await?;
            query.push(("tag", tag.clone()));
        }
        if self.flips {
            query.push(("flips", "true".to_owned()));
        }
        let mut shown = if terminal.is_interactive() && !self.connection.json() {
            Some(Shown { names: names_by_id(api).await?, terminal })
        } else {
            None
        };
        let mut wait = WAITS.0;
        let mut began = false;
        loop {
            let ended = match api.stream(&["tail"], &query).await {
                Ok(mut chunks) => {
                    began = true;
                    loop {
                        match chunks.lines().await {
                            Ok(Some(lines)) => {
                                // A server that answers and sends nothing is not back.
                                if wait > WAITS.0 {
                                    terminal.note("the server sends again; what came meanwhile is not shown");
                                    wait = WAITS.0;
                                }
                                if !self.print(api, lines, &mut shown, terminal).await? {
                                    break Ended::Unread;
                                }
                            }
                            Ok(None) => break Ended::Broken(None),
                            Err(error) => break Ended::Broken(Some(error)),
                        }
                    }
                }
                Err(error) if began && super::replay::is_worth_another_try(&error) => {
                    Ended::Broken(Some(error))
                }
                Err(error) => return Err(error.into()),
            };
            match ended {
                Ended::Unread => return Ok(ExitCode::SUCCESS),
                Ended::Broken(error) => {
                    if wait == WAITS.0 {
                        let why =
                            error.map_or_else(|| "it is stopping".to_owned(), |error| error.to_string());
                        terminal
                            .note(format_args!("the server does not send any longer ({why}); trying again"));
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(WAITS.1);
                }
            }
        }
    }

    /// Prints lines; `false` when the reader of the output has gone.
    async fn print(
        &self,
        api: &Api,
        lines: Vec<String>,
        shown: &mut Option<Shown<'_>>,
        terminal: &Terminal,
    ) -> anyhow::Result<bool> {
        let mut text = String::new();
        for line in lines {
            match shown {
                None => text.push_str(&line),
                Some(shown) => text.push_str(&shown.line(api, &line).await),
            }
            text.push('\n');
        }
        let written = if shown.is_some() { terminal.print_on(&text) } else { terminal.json_lines(&text) };
        Ok(written?)
    }
}

async fn names_by_id(api: &Api) -> anyhow::Result<HashMap<MonitorId, String>> {
    let named = names(api, Kind::Monitor).await?.into_iter();
    Ok(named.filter_map(|Named { id, name }| Some((id.parse().ok()?, name))).collect())
}

/// Lines for a person.
struct Shown<'a> {
    names: HashMap<MonitorId, String>,
    terminal: &'a Terminal,
}

impl Shown<'_> {
    async fn line(&mut self, api: &Api, line: &str) -> String {
        if let Ok(Some(Line::Heartbeat(heartbeat))) = Line::parse(line) {
            let name = self.name(api, heartbeat.monitor).await;
            return heartbeat_line(self.terminal, &name, &heartbeat);
        }
        let Ok(value) = serde_json::from_str::<Value>(line) else { return harmless(line) };
        match serde_json::from_value::<Flip>(value.clone()) {
            Ok(flip) => {
                let name = self.name(api, flip.monitor).await;
                flip_line(self.terminal, &name, &flip)
            }
            Err(_) => {
                self.terminal.coloured(Colour::Yellow, &harmless(value["message"].as_str().unwrap_or(line)))
            }
        }
    }

    /// A monitor's name. The name of a monitor that was made since is asked from the server.
    async fn name(&mut self, api: &Api, id: MonitorId) -> String {
        if let Some(name) = self.names.get(&id) {
            return name.clone();
        }
        let found = api.get(&["monitors", &id.to_string()]).await.ok();
        let name = found.and_then(|found| found["name"].as_str().map(str::to_owned));
        let name = name.unwrap_or_else(|| id.to_string());
        if self.names.len() >= MAX_NAMES {
            self.names.clear();
        }
        self.names.insert(id, name.clone());
        name
    }
}

fn heartbeat_line(terminal: &Terminal, name: &str, heartbeat: &HeartbeatLine) -> String {
    let (word, colour) = match heartbeat.status {
        HeartbeatKind::Up => ("up", Colour::Green),
        HeartbeatKind::Down => ("down", Colour::Red),
    };
    let value = heartbeat.value.map(|value| format!("  {value}")).unwrap_or_default();
    let msg = heartbeat.msg.as_deref().map(|msg| format!("  {}", harmless(msg))).unwrap_or_default();
    let word = terminal.coloured(colour, &format!("{word:<4}"));
    format!("{}  {word}  {}{value}{msg}", terminal.times().going_by(heartbeat.at.0), harmless(name))
}

fn flip_line(terminal: &Terminal, name: &str, flip: &Flip) -> String {
    let colour = match flip.to.as_str() {
        "up" => Colour::Green,
        "down" => Colour::Red,
        _ => Colour::Yellow,
    };
    let change = format!("{} → {}", harmless(&flip.from), harmless(&flip.to));
    let message = flip.message.as_deref().map(|text| format!(": {}", harmless(text))).unwrap_or_default();
    format!(
        "{}  {}  {}  ({}{message})",
        terminal.times().going_by(flip.at.0),
        terminal.coloured(colour, &change),
        harmless(name),
        harmless(&flip.reason)
    )
}

#[cfg(test)]
mod tests {
    use model::time::EventTime;

    use super::*;

    #[test]
    fn a_line_tells_when_who_and_what() {
        let terminal = Terminal::of_this_process();
        let at = EventTime::parse_rfc3339("2026-11-22T10:00:05.123Z").expect("a time");
        let clock = terminal.times().going_by(at);
        let id = "0199a3c4-7d2e-7000-8000-000000000001";
        let heartbeat: HeartbeatLine = serde_json::from_value(serde_json::json!({
            "monitor": id, "at": "2026-11-22T10:00:05.123456Z", "status": "down", "msg": "disk\u{1b}[2J full", "value": 1.5
        }))
        .expect("a heartbeat");
        assert_eq!(
            heartbeat_line(&terminal, "job", &heartbeat),
            format!("{clock}  down  job  1.5  disk [2J full")
        );
        let flip: Flip = serde_json::from_value(serde_json::json!({
            "type": "flip", "monitor": id, "at": "2026-11-22T10:00:05.123456Z", "sequence": 2, "from": "up", "to": "down",
            "reason": "missed", "message": "no heartbeat for 66 s", "deaf_seconds": 0
        }))
        .expect("a flip");
        assert_eq!(
            flip_line(&terminal, "job", &flip),
            format!("{clock}  up → down  job  (missed: no heartbeat for 66 s)")
        );
    }
}
