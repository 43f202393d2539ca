//! `lubdub advise`

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{Api, ApiError};
use super::confirm::{confirmed, somebody_is_there};
use super::connection::Connection;
use super::cron;
use super::duration::Seconds;
use super::replay::what_if::{Comparison, Unnoticed, heartbeats, price_of};
use super::replay::which::Which;
use super::table::{Field, Table};
use super::times::Times;
use crate::bad_usage::BadUsage;
use crate::harmless::harmless;
use crate::terminal::{self, Terminal};

const EXAMPLES: &str = "\
Examples:
  lubdub advise --all
  lubdub advise --monitor 'nightly backup' --since 30d --timezone Europe/Berlin
  lubdub advise --tag prod --alarms-per-month 0 --apply

Proposes a timeout and a grace from the intervals between a monitor's own heartbeats, or the cron schedule that it follows, and says
what that would have meant, the price included: how long after its last heartbeat a job that stops is reported. --apply asks, and then sets what is proposed.";

/// The default of how far back.
const SPAN: Seconds = Seconds(14 * 86_400);

const HEADER: [&str; 7] = ["NAME", "NOW", "PROPOSED", "DOWNS", "DOWN FOR", "FALSE ALARMS", "UNNOTICED"];

/// Proposes settings that fit what monitors really do.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Advise {
    #[command(flatten)]
    which: Which,
    /// How many false alarms a month the proposal may have cost, 0 to 1,000
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
    alarms_per_month: f64,
    /// Time zone in which a cron schedule is sought besides the monitor's own, as in Europe/Berlin
    /// [default: that of this machine]
    #[arg(long, value_name = "ZONE", value_parser = cron::zone)]
    timezone: Option<String>,
    /// Set what is proposed, after asking
    #[arg(long)]
    apply: bool,
    /// With --apply: do not ask
    #[arg(long, requires = "apply")]
    yes: bool,
    /// Number of monitors to list at most, those with a proposal first
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    #[command(flatten)]
    connection: Connection,
}

/// The API's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    from: String,
    until: String,
    heartbeats: u64,
    monitors: Vec<Advised>,
    total: Comparison,
    count: u64,
    truncated: bool,
    notes: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Advised {
    id: String,
    name: String,
    revision: u64,
    verdict: String,
    current: Settings,
    proposal: Option<Settings>,
    why: String,
    #[serde(flatten)]
    comparison: Comparison,
    unnoticed: Unnoticed,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct Settings {
    timeout: Option<u64>,
    cron: Option<String>,
    timezone: Option<String>,
    grace: u64,
}

/// The outcome of a proposal.
enum Applied {
    Set(Value),
    /// Why not.
    Left(String),
}

impl Advise {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        if self.apply && !self.yes && !somebody_is_there() {
            return Err(BadUsage("there is no terminal to ask on: give --yes to set what is proposed").into());
        }
        let api = self.connection.open()?;
        let mut query = self.which.query(&api, SPAN).await?;
        query.push(("alarms_per_month", self.alarms_per_month.to_string()));
        let here = terminal::zone();
        let zone = self.timezone.as_deref().or_else(|| cron::name(&here).ok());
        query.extend(zone.map(|zone| ("timezone", zone.to_owned())));
        query.push(("limit", self.limit.to_string()));
        let shown = api.get_slowly(&["replay", "advise"], &query).await?;
        let answer: Answer = api.view(&shown)?;
        if !self.connection.json() {
            answer.print(terminal)?;
        } else if !self.apply {
            terminal.json(&shown)?;
        }
        if self.apply { self.set(&api, &answer, terminal).await } else { Ok(ExitCode::SUCCESS) }
    }

    async fn set(&self, api: &Api, answer: &Answer, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let proposed: Vec<(&Advised, &Settings)> = answer
            .monitors
            .iter()
            .filter_map(|advised| Some((advised, advised.proposal.as_ref()?)))
            .collect();
        let question = match proposed.len() {
            1 => "Set what is proposed for 1 monitor?".to_owned(),
            several => format!("Set what is proposed for {several} monitors?"),
        };
        if !proposed.is_empty() && !self.yes && !confirmed(&question)? {
            terminal.line("nothing was changed")?;
            return Ok(ExitCode::FAILURE);
        }
        let (mut done, mut good) = (Vec::new(), true);
        for (advised, settings) in proposed {
            let body = Value::Object(settings.body());
            let applied = match api.patch_at(&["monitors", &advised.id], advised.revision, &body).await {
                Ok(monitor) => Applied::Set(monitor),
                Err(ApiError::Refused(problem)) if problem.status() == 412 => {
                    Applied::Left("it was changed meanwhile: ask again".to_owned())
                }
                Err(ApiError::Refused(problem)) => Applied::Left(problem.to_string()),
                Err(error) => return Err(error.into()),
            };
            let name = harmless(&advised.name);
            match &applied {
                Applied::Set(_) if self.connection.json() => {}
                Applied::Set(_) => terminal.line(format_args!("{name}: now {}", settings.in_words()))?,
                Applied::Left(why) => {
                    good = false;
                    terminal.warn(format_args!("{name} was left as it is: {why}"));
                }
            }
            if let Applied::Set(monitor) = applied {
                done.push(monitor);
            }
        }
        if self.connection.json() {
            terminal.json(&json!({ "applied": done }))?;
        }
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Settings {
    fn in_words(&self) -> String {
        let schedule = match (&self.cron, self.timeout) {
            (Some(cron), _) => format!("{cron} ({})", self.timezone.as_deref().unwrap_or("UTC")),
            (None, Some(timeout)) => format!("every {}", Seconds(timeout)),
            (None, None) => "-".to_owned(),
        };
        format!("{schedule}, grace {}", Seconds(self.grace))
    }

    /// The change that puts them in force: a schedule takes the place of one of the other kind.
    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("grace".to_owned(), json!(self.grace));
        if let Some(cron) = &self.cron {
            body.insert("cron".to_owned(), json!(cron));
            body.insert("timezone".to_owned(), json!(self.timezone.as_deref().unwrap_or("UTC")));
        } else if let Some(timeout) = self.timeout {
            body.insert("timeout".to_owned(), json!(timeout));
        }
        body
    }
}

impl Answer {
    fn print(&self, terminal: &Terminal) -> anyhow::Result<()> {
        if self.monitors.is_empty() {
            terminal.line("There is no monitor to advise on.")?;
        }
        let table = match self.monitors.as_slice() {
            [] => String::new(),
            [_, ..] => self.table(terminal.table(&HEADER)).render(),
        };
        terminal.print(&format!("{table}{}", self.words(price_of(&table), &terminal.times())))?;
        if self.truncated {
            let listed = self.monitors.len();
            terminal.warn(format_args!(
                "only {listed} of {} monitors are listed: --limit shows more",
                self.count
            ));
        }
        Ok(())
    }

    fn table(&self, mut table: Table) -> Table {
        for advised in &self.monitors {
            let proposed =
                advised.proposal.as_ref().map_or_else(|| advised.verdict.clone(), Settings::in_words);
            let settings = [advised.name.clone(), advised.current.in_words(), proposed].map(Field::from);
            let counts = advised.comparison.fields().into_iter().chain([advised.unnoticed.field()]);
            table.row(settings.into_iter().chain(counts));
        }
        let total = [Field::from("TOTAL"), Field::from(""), Field::from("")];
        table.row(total.into_iter().chain(self.total.fields()).chain([Field::from("")]));
        table.cut_only(&[2, 0, 1]);
        table.leave_out(&[4, 5, 6, 1, 3]);
        table
    }

    /// The reasons, a line each, and further remarks.
    fn words(&self, price: &str, times: &Times) -> String {
        let why = |advised: &Advised| format!("{}: {}\n", harmless(&advised.name), harmless(&advised.why));
        let reasons: String = self.monitors.iter().map(why).collect();
        let (from, until) = (times.exact(&self.from), times.exact(&self.until));
        let read = format!("From {from} to {until}, {}.\n", heartbeats(self.heartbeats));
        let notes: String = self.notes.iter().map(|note| format!("{}\n", harmless(note))).collect();
        format!("\n{reasons}\n{price}{read}{notes}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        let answer = json!({
            "from": "2026-11-08T10:00:00.000Z", "until": "2026-11-22T10:00:00.000Z", "heartbeats": 20_160,
            "monitors": [
                {"id": "1", "name": "billing", "revision": 7, "verdict": "change",
                 "current": {"timeout": 60, "grace": 5}, "proposal": {"timeout": 60, "grace": 30},
                 "why": "Of 20160 intervals between heartbeats half were 60 s at most.",
                 "was": {"downs": 12, "down_seconds": 372, "false_alarms": 11},
                 "would_be": {"downs": 1, "down_seconds": 240, "false_alarms": 0},
                 "unnoticed": {"was": {"typical_seconds": 65, "worst_seconds": 65},
                               "would_be": {"typical_seconds": 90, "worst_seconds": 90}}},
                {"id": "2", "name": "backup", "revision": 8, "verdict": "change",
                 "current": {"timeout": 86_400, "grace": 3_600},
                 "proposal": {"cron": "0 2 * * *", "timezone": "Europe/Berlin", "grace": 900},
                 "why": "It follows the clock.",
                 "was": {"downs": 0, "down_seconds": 0, "false_alarms": 0},
                 "would_be": {"downs": 0, "down_seconds": 0, "false_alarms": 0},
                 "unnoticed": {"was": {"typical_seconds": 90_000, "worst_seconds": 90_000},
                               "would_be": {"typical_seconds": 87_300, "worst_seconds": 87_300}}},
                {"id": "3", "name": "new one", "revision": 9, "verdict": "unknown",
                 "current": {"timeout": 60, "grace": 6}, "proposal": null, "why": "It was not heard in this time.",
                 "was": {"downs": 0, "down_seconds": 0, "false_alarms": 0},
                 "would_be": {"downs": 0, "down_seconds": 0, "false_alarms": 0}},
            ],
            "total": {"was": {"downs": 12, "down_seconds": 372, "false_alarms": 11},
                      "would_be": {"downs": 1, "down_seconds": 240, "false_alarms": 0}},
            "count": 3, "truncated": false, "notes": ["There is no history before 2026-11-20T10:00:00.000Z."],
        });
        serde_json::from_value(answer).expect("an answer")
    }

    #[test]
    fn each_monitor_has_a_row_and_a_reason() {
        let table = answer().table(Table::of_width(&HEADER, 120)).render();
        let text = table.clone()
            + &answer().words(price_of(&table), &Times::at("2026-11-22T10:00:00Z", "Europe/Berlin"));
        assert_eq!(text, include_str!("advise.golden"));
    }

    #[test]
    fn a_proposal_replaces_the_schedule_of_whatever_kind() {
        let bodies: Vec<Value> = answer()
            .monitors
            .iter()
            .filter_map(|advised| Some(Value::Object(advised.proposal.as_ref()?.body())))
            .collect();
        let nightly = json!({"grace": 900, "cron": "0 2 * * *", "timezone": "Europe/Berlin"});
        assert_eq!(bodies, [json!({"grace": 30, "timeout": 60}), nightly]);
    }
}
