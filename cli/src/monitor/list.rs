//! `lubdub monitor list`

use std::collections::HashMap;

use model::natural;

use super::super::api::{Api, Listing};
use super::super::connection::Connection;
use super::super::short_ids::ShortIds;
use super::super::table::{Field, Table};
use super::super::tag;
use super::super::times::Times;
use super::super::view::{Channel, Monitor, Window};
use super::alerts;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub monitor list
  lubdub monitor list --state down --tag prod
  lubdub monitor list --q backup --json

Monitors that are down come first, then those that are late, then the others, each by name.
`late` means: overdue and still within its grace. No channel is alerted yet.
On a narrow terminal the less important columns are left out. --json keeps the order of the API.";

const HEADER: [&str; 9] =
    ["NAME", "STATE", "SINCE", "HEARD", "EXPECTED", "TAGS", "CHANNELS", "SCHEDULE", "MESSAGE"];

/// The columns that are cut, the name last of all.
const CUT: [usize; 5] = [0, 5, 6, 7, 8];

/// The columns that are left out on a narrow terminal, in this order.
const LEFT_OUT: [usize; 7] = [7, 8, 2, 6, 5, 4, 3];

/// The states in the order of the list, each with its place in it.
const STATES: [(&str, u8); 5] = [("down", 0), ("late", 1), ("up", 2), ("new", 2), ("paused", 2)];

/// The most monitors that are put in order.
const MOST: usize = 100_000;

/// Lists monitors.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Only monitors in this state
    #[arg(long, value_parser = ["new", "up", "late", "down", "paused"])]
    state: Option<String>,
    /// Only monitors with this tag
    #[arg(long, value_parser = tag::one)]
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
        let limit = self.limit as usize;
        if self.connection.json() {
            let listing = api.list(&["monitors"], &query, limit).await?;
            if let Some(why) = self.unknown_tag(&api, &listing).await? {
                terminal.warn(why);
            }
            return Ok(terminal.json(&listing.into_json())?);
        }
        // Which come first is known only with all of them.
        let listing = api.list(&["monitors"], &query, limit.max(MOST)).await?;
        if listing.items.is_empty() {
            let all = query.iter().all(|(_, value)| value.is_none());
            let why = match self.unknown_tag(&api, &listing).await? {
                Some(why) => why,
                None if all => "There are no monitors yet.".to_owned(),
                None => "No monitor is like that.".to_owned(),
            };
            return Ok(terminal.line(why)?);
        }
        let mut monitors: Vec<Monitor> =
            listing.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?;
        let told = Told { channels: alerts::channels(&api).await?, windows: alerts::windows(&api).await? };
        in_order(&mut monitors);
        let mut table = terminal.table(&HEADER);
        fill(&mut table, &monitors, limit, &told, &terminal.times());
        terminal.print(&format!("{}{}\n", table.render(), counts(&monitors, &told.windows)))?;
        if monitors.len() > limit || listing.is_cut() {
            terminal.warn(format_args!("only the first {limit} are shown: --limit shows more"));
        }
        Ok(())
    }

    /// Says that no monitor has the tag, where that is why nothing is found.
    async fn unknown_tag(&self, api: &Api, found: &Listing) -> anyhow::Result<Option<String>> {
        match &self.tag {
            Some(tag) if found.items.is_empty() => tag::unknown(api, tag).await,
            Some(_) | None => Ok(None),
        }
    }
}

/// What decides who is alerted.
#[derive(Debug, Default)]
struct Told {
    channels: Vec<Channel>,
    windows: Vec<Window>,
}

/// Downs first, then late ones, then the rest; each by name.
fn in_order(monitors: &mut [Monitor]) {
    let place = |state: &str| STATES.iter().find(|(name, _)| *name == state).map_or(2, |(_, place)| *place);
    monitors.sort_by(|one, other| {
        let by_state = place(&one.state).cmp(&place(&other.state));
        by_state.then_with(|| natural::compare(&one.name, &other.name)).then_with(|| one.id.cmp(&other.id))
    });
}

/// `3 down, 1 late, 36 up; 2 in maintenance`, of all that are listed.
fn counts(monitors: &[Monitor], windows: &[Window]) -> String {
    let of = |state: &str| monitors.iter().filter(|monitor| monitor.state == state).count();
    let counted = STATES.iter().map(|(state, _)| (of(state), *state)).filter(|(count, _)| *count > 0);
    let counted: Vec<String> = counted.map(|(count, state)| format!("{count} {state}")).collect();
    let silent = monitors.iter().filter(|monitor| alerts::silencing(monitor, windows).is_some()).count();
    let silent = if silent > 0 { format!("; {silent} in maintenance") } else { String::new() };
    counted.join(", ") + &silent
}

fn fill(table: &mut Table, monitors: &[Monitor], limit: usize, told: &Told, times: &Times) {
    let mut named: HashMap<&str, u32> = HashMap::new();
    for monitor in monitors {
        *named.entry(&monitor.name).or_default() += 1;
    }
    let is_repeated = |monitor: &Monitor| named.get(monitor.name.as_str()).is_some_and(|count| *count > 1);
    // Enough of each id to tell it from all others, so that it can be typed.
    let short = ShortIds::of(monitors.iter().map(|monitor| monitor.id.as_str()));
    for monitor in monitors.iter().take(limit) {
        let name = if is_repeated(monitor) {
            format!("{} ({})", monitor.name, short.shown(&monitor.id))
        } else {
            monitor.name.clone()
        };
        table.row(row(monitor, name, told, times));
    }
    table.cut_only(&CUT);
    table.leave_out(&LEFT_OUT);
}

fn row(monitor: &Monitor, name: String, told: &Told, times: &Times) -> [Field; 9] {
    let at = |at: &String| times.in_list(at);
    let last = monitor.last_heartbeat.as_ref();
    let used = alerts::used(monitor, &told.channels).into_iter().map(|channel| channel.name.clone());
    let used: Vec<String> = used.collect();
    let silencing = alerts::silencing(monitor, &told.windows);
    let channels = silencing.map_or_else(|| used.join(", "), |window| format!("silenced: {}", window.name));
    [
        name.into(),
        Field::State(monitor.state.clone()),
        Field::or_dash(monitor.state_since.as_ref().map(at)),
        Field::or_dash(last.map(|heartbeat| at(&heartbeat.at))),
        Field::or_dash(monitor.expected_at.as_ref().map(at)),
        Field::or_dash(Some(monitor.tags.join(", "))),
        Field::or_dash(Some(channels)),
        monitor.expected().into(),
        Field::or_dash(last.and_then(|heartbeat| heartbeat.msg.clone())),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn monitors(values: Value) -> Vec<Monitor> {
        serde_json::from_value(values).expect("monitors")
    }

    #[test]
    fn a_list_fits_eighty_columns_and_sixty() {
        let times = Times::at("2026-11-22T10:00:00Z", "UTC");
        let mut all = monitors(json!([
            {
                "id": "1", "name": "nightly backup", "state": "up", "state_since": "2026-11-20T03:00:00.000Z",
                "cron": "0 3 * * *", "timezone": "Europe/Berlin", "tags": ["prod", "db"], "channels": ["c1", "c2"],
                "expected_at": "2026-11-23T02:00:00.000Z",
                "last_heartbeat": {"at": "2026-11-22T03:04:00.000Z", "status": "up", "msg": "copied 120,301 files to the shelf"},
            },
            {
                "id": "2", "name": "billing", "state": "down", "state_since": "2026-11-22T09:59:48.000Z", "timeout": 60,
                "channels": ["c1"],
                "last_heartbeat": {"at": "2026-11-22T09:58:40.000Z", "status": "up", "msg": null},
            },
            {"id": "3", "name": "a new one", "state": "new", "timeout": 5400, "last_heartbeat": null},
        ]));
        in_order(&mut all);
        let channels: Vec<Channel> = serde_json::from_value(json!([
            {"id": "c2", "name": "mail"}, {"id": "c1", "name": "ops"}
        ]))
        .expect("channels");
        let windows: Vec<Window> = serde_json::from_value(json!([
            {"id": "w1", "name": "new disks", "monitors": ["3"], "active": true},
            {"id": "w2", "name": "night", "monitors": ["2"], "active": false},
        ]))
        .expect("windows");
        let told = Told { channels, windows };
        let shown = |width| {
            let mut table = Table::of_width(&HEADER, width);
            fill(&mut table, &all, 100, &told, &times);
            let text = table.render();
            assert!(text.lines().all(|line| line.chars().count() <= width.into()), "{text}");
            text
        };
        let text = [shown(160), shown(80), shown(60)].join("\n") + "\n" + &counts(&all, &told.windows) + "\n";
        assert_eq!(text, include_str!("list.golden"));
    }

    #[test]
    fn downs_come_first_then_late_ones_then_the_rest_by_name() {
        let mut all = monitors(json!([
            {"id": "1", "name": "web10", "state": "up"}, {"id": "2", "name": "web2", "state": "paused"},
            {"id": "3", "name": "Web1", "state": "new"}, {"id": "4", "name": "z", "state": "late"},
            {"id": "5", "name": "y", "state": "down"}, {"id": "6", "name": "x", "state": "down"},
        ]));
        in_order(&mut all);
        let names: Vec<&str> = all.iter().map(|monitor| monitor.name.as_str()).collect();
        assert_eq!(names, ["x", "y", "z", "Web1", "web2", "web10"]);
        assert_eq!(counts(&all, &[]), "2 down, 1 late, 1 up, 1 new, 1 paused");
    }

    #[test]
    fn names_that_repeat_are_told_apart_by_their_ids() {
        let all = monitors(json!([
            {"id": "0199a3c4-7d2e-7000-8000-000000000001", "name": "sync", "state": "up"},
            {"id": "0199a3c4-7d2f-7000-8000-000000000001", "name": "sync", "state": "up"},
            {"id": "0199a3c4-7d30-7000-8000-000000000001", "name": "other", "state": "up"},
        ]));
        let mut table = Table::of_width(&HEADER, 60);
        fill(&mut table, &all, 2, &Told::default(), &Times::at("2026-11-22T10:00:00Z", "UTC"));
        let text = table.render();
        assert!(text.contains("sync (0199a3c4-7d2e)  up"), "{text}");
        assert!(!text.contains("other"), "{text}");
    }
}
