//! `lubdub monitor create`

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::schedule::CronSchedule;
use model::time::EventTime;
use ports::clock::{Clock, SystemClock};
use serde_json::{Map, Value, json};

use super::super::api::Api;
use super::super::changes::{Names, OF_A_MONITOR, is_of_another_kind};
use super::super::connection::Connection;
use super::super::cron::{pattern, put_zone};
use super::super::duration::Seconds;
use super::super::lookup::{Kind, Named};
use super::super::names::warning;
use super::super::same_name::{SameName, Settled, is_taken};
use super::super::scope::trimmed;
use super::super::view::{Channel, Monitor};
use super::settings::{SCHEDULES, Settings, TIMEOUT};
use super::{alerts, push_url};
use crate::harmless::harmless;
use crate::shell::quoted;
use crate::terminal::{self, Terminal};

const EXAMPLES: &str = "\
Examples:
  lubdub monitor create heartbeat --timeout 60s
  lubdub monitor create 'nightly backup' --cron '0 3 * * *' --grace 30m
  lubdub monitor create billing --timeout 1h --channel ops --tag prod --remind-every 6h
  lubdub monitor create web1 --timeout 1m --parent router

A script that can be run twice:
  url=$(lubdub monitor create job --timeout 5m --if-missing | tail -n 1)

A name that a monitor has already is refused. --if-missing leaves that monitor as it is, --or-update gives it
these settings; both print its push URL. Neither makes a timeout of a cron pattern, or the other way round.

What is left out: --grace is a tenth of the timeout, at least 5s and at most 1h; with --cron it is the shortest time
between two times of the pattern, at least 5m and at most 1h, because a job pushes when it ends. --interval is the timeout,
--timezone is that of this machine, there are no reminders, and every channel is alerted that was not made with --no-default.

The last line printed is the push URL alone:
  url=$(lubdub monitor create job --timeout 5m | tail -n 1)";

/// Creates a monitor.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Create {
    /// Name, 1 to 100 characters
    name: String,
    #[command(flatten)]
    schedule: Schedule,
    #[command(flatten)]
    settings: Settings,
    /// Tags; comma separated, may be repeated
    #[arg(long = "tag", value_name = "TAGS", value_delimiter = ',')]
    tags: Vec<String>,
    /// Push token of your own, 16 to 64 of A-Z a-z 0-9 _ - [default: a random one]
    #[arg(long)]
    token: Option<String>,
    #[command(flatten)]
    same_name: SameName,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Schedule {
    /// Down when silent for longer than this and the grace: 1s to 365d, as in 60s, 5m, 1d or 1h30m
    #[arg(long, value_name = "DURATION", value_parser = TIMEOUT)]
    timeout: Option<Seconds>,
    /// Down when silent at a time of this cron pattern and for the grace after it, as in '0 3 * * *'
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    cron: Option<String>,
}

impl Create {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let body = self.body(&api).await?;
        let mut new = body.clone();
        put_zone(&mut new, None, &terminal::zone())?;
        let answer = match api.post(&["monitors"], &self.same_name.request(&new)).await {
            Ok(answer) => answer,
            Err(error) if is_taken(&error) => return self.of_same_name(&api, body, terminal).await,
            Err(error) => return Err(error.into()),
        };
        warning(Kind::Monitor.noun(), &self.name).iter().for_each(|warning| terminal.warn(warning));
        let monitor: Monitor = api.view(&answer)?;
        let channels = alerts::channels(&api).await;
        if self.connection.json() {
            terminal.json(&answer)?;
        } else {
            let told = channels.as_ref().map(Vec::as_slice).unwrap_or_default();
            terminal.print(&summary(&monitor, told, SystemClock::new().now()))?;
        }
        match channels {
            Ok(channels) => {
                if let Some(warning) = alerts::warning(&monitor, &channels, terminal.program()) {
                    terminal.warn(warning);
                }
            }
            Err(error) => terminal.warn(format_args!("failed to see whom it alerts: {error}")),
        }
        self.print_url(&monitor, terminal)
    }

    /// The last line, for scripts.
    fn print_url(&self, monitor: &Monitor, terminal: &Terminal) -> anyhow::Result<()> {
        if !self.connection.json()
            && let Some(url) = &monitor.push_url
        {
            terminal.print(&push_url::to_copy(url))?;
        }
        Ok(())
    }

    /// What becomes of the monitor that has the name already.
    async fn of_same_name(
        &self,
        api: &Api,
        body: Map<String, Value>,
        terminal: &Terminal,
    ) -> anyhow::Result<()> {
        let here = terminal::zone();
        let changed = |before: &Value| {
            let name = quoted(&harmless(&self.name));
            anyhow::ensure!(
                self.token.is_none() || before["token"].as_str() == self.token.as_deref(),
                "{name} has another push token than --token, and keeps it: `lubdub monitor rotate-token` gives it a new one",
            );
            anyhow::ensure!(
                !is_of_another_kind(before, &body, SCHEDULES),
                "{name} has another kind of schedule ({}), and --or-update keeps the kind: `lubdub monitor edit {name} {} …` changes it",
                harmless(&api.view::<Monitor>(before)?.schedule()),
                if self.schedule.cron.is_some() { "--cron" } else { "--timeout" }
            );
            let mut body = body.clone();
            put_zone(&mut body, before["timezone"].as_str(), &here)?;
            Ok(body)
        };
        let channels = alerts::channels(api).await?;
        let named = |channel: Channel| Named { id: channel.id, name: channel.name };
        let names = Names { channels: channels.into_iter().map(named).collect(), ..Names::default() };
        let Settled { answer, said } = self
            .same_name
            .settle((api, terminal), Kind::Monitor, &body, changed, (&OF_A_MONITOR, &names))
            .await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        terminal.print(&format!("{said}\n\n"))?;
        self.print_url(&api.view(&answer)?, terminal)
    }

    async fn body(&self, api: &Api) -> anyhow::Result<Map<String, Value>> {
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(self.name));
        if let Some(timeout) = self.schedule.timeout {
            body.insert("timeout".to_owned(), json!(timeout));
        }
        if let Some(cron) = &self.schedule.cron {
            body.insert("cron".to_owned(), json!(cron));
        }
        let tags = trimmed(&self.tags);
        if !tags.is_empty() {
            body.insert("tags".to_owned(), json!(tags));
        }
        if let Some(token) = &self.token {
            body.insert("token".to_owned(), json!(token));
        }
        self.settings.fill(&mut body, api).await?;
        Ok(body)
    }
}

fn summary(monitor: &Monitor, channels: &[Channel], now: EventTime) -> String {
    let grace = monitor.grace.map(|grace| format!(", with {grace} of grace")).unwrap_or_default();
    format!(
        "Created {name}\n  id       {id}\n  expects  a heartbeat {schedule}{grace}\n{alarms}  alerts   {alerts}\n\n",
        name = harmless(&monitor.name),
        id = monitor.id,
        schedule = match &monitor.cron {
            Some(_) => format!("at {}", monitor.schedule()),
            None => monitor.schedule(),
        },
        alarms = alarms(monitor, now).map(|text| format!("  alarms   {text}\n")).unwrap_or_default(),
        alerts = harmless(&alerts::told(&alerts::used(monitor, channels))),
    )
}

/// When silence alarms. A monitor is watched from its first heartbeat on.
fn alarms(monitor: &Monitor, now: EventTime) -> Option<String> {
    let grace = monitor.grace?;
    if let Some(timeout) = monitor.timeout {
        return Some(format!("when silent for {}, once it was heard", Seconds(timeout.0 + grace.0)));
    }
    let cron = CronSchedule::parse(monitor.cron.as_deref()?, monitor.timezone.as_deref()?).ok()?;
    let due = cron.next_after(now)?;
    let zone = TimeZone::get(cron.timezone()).ok()?;
    let local =
        |at: EventTime| Some(Timestamp::from_microsecond(at.as_micros()).ok()?.to_zoned(zone.clone()));
    let (due, deadline) = (local(due)?, local(due + Duration::from_secs(grace.0))?);
    let day = if due.date() == deadline.date() { "" } else { "%Y-%m-%d " };
    Some(format!(
        "at {} if it is not heard; expected at {}, once it was heard",
        deadline.strftime(&format!("{day}%H:%M")),
        due.strftime("%H:%M %Z on %Y-%m-%d"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_what_is_expected_and_who_is_alerted() {
        let monitor = Monitor {
            id: "0199a3c4-7d2e-7000-8000-000000000001".to_owned(),
            name: "nightly backup".to_owned(),
            timeout: Some(Seconds(90)),
            grace: Some(Seconds(9)),
            ..Monitor::default()
        };
        let now = EventTime::parse_rfc3339("2026-11-30T12:00:00Z").expect("a time");
        assert_eq!(
            summary(&monitor, &[], now),
            "Created nightly backup\n  \
             id       0199a3c4-7d2e-7000-8000-000000000001\n  \
             expects  a heartbeat every 1 min 30 s, with 9 s of grace\n  \
             alarms   when silent for 1 min 39 s, once it was heard\n  \
             alerts   nobody\n\n"
        );
        let cron = Monitor {
            timeout: None,
            cron: Some("30 23 * * *".to_owned()),
            timezone: Some("Europe/Berlin".to_owned()),
            ..monitor
        };
        let text = summary(&cron, &[], now);
        assert!(text.contains("a heartbeat at 30 23 * * * (Europe/Berlin), with 9 s of grace"), "{text}");
        for (grace, told) in [
            (600, "at 23:40 if it is not heard; expected at 23:30 CET on 2026-11-30"),
            (3_600, "at 2026-12-01 00:30 if it is not heard; expected at 23:30 CET on 2026-11-30"),
        ] {
            let text = summary(&Monitor { grace: Some(Seconds(grace)), ..cron.clone() }, &[], now);
            assert!(text.contains(told), "{text}");
        }
    }
}
