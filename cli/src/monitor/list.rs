//! `lubdub monitor list`

use model::time::EventTime;
use serde_json::Value;

use super::super::api::Api;
use super::super::connection::Connection;
use super::super::duration::relative;
use super::super::table::{Field, Table};
use super::super::terminal::now;
use super::super::view::Monitor;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub monitor list
  lubdub monitor list --state down --tag prod
  lubdub monitor list --q backup --json";

const HEADER: [&str; 6] = ["NAME", "STATE", "SINCE", "HEARD", "SCHEDULE", "MESSAGE"];

/// Name, schedule and message give way on a narrow terminal.
const CUT: [usize; 3] = [0, 4, 5];

/// Lists monitors.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Only monitors in this state
    #[arg(long, value_parser = ["new", "up", "late", "down", "paused"])]
    state: Option<String>,
    /// Only monitors with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only monitors whose name holds this text
    #[arg(long, value_name = "TEXT")]
    q: Option<String>,
    /// Number of entries to show at most
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    connection: Connection,
}

impl List {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let query =
            [("state", self.state.as_deref()), ("tag", self.tag.as_deref()), ("q", self.q.as_deref())];
        let listing = api.list(&["monitors"], &query, self.limit as usize).await?;
        if self.connection.json() {
            return Ok(terminal.json(&listing.into_json())?);
        }
        if listing.items.is_empty() {
            let all = query.iter().all(|(_, value)| value.is_none());
            return Ok(terminal.line(if all {
                "There are no monitors yet."
            } else {
                "No monitor is like that."
            })?);
        }
        let mut table = terminal.table(&HEADER);
        fill(&mut table, &api, &listing.items, now())?;
        terminal.print(&table.render())?;
        if listing.is_cut() {
            terminal.warn(format_args!("only the first {} are shown: --limit shows more", self.limit));
        }
        Ok(())
    }
}

fn fill(table: &mut Table, api: &Api, items: &[Value], now: EventTime) -> anyhow::Result<()> {
    for item in items {
        table.row(row(&api.view(item)?, now));
    }
    table.cut_only(&CUT);
    Ok(())
}

fn row(monitor: &Monitor, now: EventTime) -> [Field; 6] {
    let told = |at: &String| relative(at, now);
    let last = monitor.last_heartbeat.as_ref();
    [
        monitor.name.as_str().into(),
        Field::State(monitor.state.clone()),
        Field::or_dash(monitor.state_since.as_ref().map(told)),
        Field::or_dash(last.map(|heartbeat| told(&heartbeat.at))),
        monitor.schedule().into(),
        Field::or_dash(last.and_then(|heartbeat| heartbeat.msg.clone())),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_fits_eighty_columns() {
        let now = EventTime::parse_rfc3339("2026-11-22T10:00:00Z").expect("a time");
        let mut table = Table::of_width(&HEADER, 80);
        for monitor in [
            json!({
                "id": "1", "name": "nightly backup", "state": "up", "state_since": "2026-11-20T03:00:00.000Z",
                "cron": "0 3 * * *", "timezone": "Europe/Berlin",
                "last_heartbeat": {"at": "2026-11-22T03:04:00.000Z", "status": "up", "msg": "copied 120,301 files to the shelf"},
            }),
            json!({
                "id": "2", "name": "billing", "state": "down", "state_since": "2026-11-22T09:59:48.000Z", "timeout": 60,
                "last_heartbeat": {"at": "2026-11-22T09:58:40.000Z", "status": "up", "msg": null},
            }),
            json!({"id": "3", "name": "a new one", "state": "new", "timeout": 5400, "last_heartbeat": null}),
        ] {
            table.row(row(&serde_json::from_value(monitor).expect("a monitor"), now));
        }
        table.cut_only(&CUT);
        let text = table.render();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text, include_str!("list.golden"));
    }
}
