//! `lubdub monitor show`

use model::natural;

use super::super::connection::Connection;
use super::super::details::Details;
use super::super::harmless::harmless_output;
use super::super::lookup::{Kind, Named, id_of};
use super::super::shell::quoted;
use super::super::table::{Field, Table};
use super::super::times::Times;
use super::super::view::{Channel, Flip, Heartbeat, Monitor, Window};
use super::{alerts, incident};
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub monitor show 'nightly backup'
  lubdub monitor show 0199a3c4-7d2e-7000-8000-000000000001 --last 20
  lubdub monitor show billing --json";

/// The changes that are searched for the last incident.
const SEARCHED: usize = 100;

/// Lines of the last output that are shown.
const OUTPUT_LINES: usize = 10;

/// Shows a monitor.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// Name or id
    monitor: String,
    /// How many of its latest heartbeats and changes to show
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    last: usize,
    #[command(flatten)]
    connection: Connection,
}

/// A monitor, with everything that is told of it.
#[derive(Debug, Default)]
struct Shown {
    monitor: Monitor,
    channels: Vec<Channel>,
    parent: Option<Named>,
    windows: Vec<Window>,
    flips: Vec<Flip>,
}

impl Show {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Monitor, &self.monitor).await?;
        let answer = api.get(&["monitors", &id]).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let monitor: Monitor = api.view(&answer)?;
        let channels = alerts::channels(&api).await?;
        let parent = match &monitor.parent {
            Some(id) => Some(api.view::<Named>(&api.get(&["monitors", id]).await?)?),
            None => None,
        };
        let windows = alerts::windows(&api).await?;
        let flips = api.list(&["monitors", &id, "flips"], &[], self.last.max(SEARCHED)).await?;
        let flips = flips.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?;
        let shown = Shown { monitor, channels, parent, windows, flips };
        let times = terminal.times();
        terminal.print(&shown.details(&times))?;
        let heartbeats = api.list(&["monitors", &id, "heartbeats"], &[], self.last).await?;
        let heartbeats: Vec<Heartbeat> =
            heartbeats.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?;
        let newest = shown.monitor.last_heartbeat.as_ref().filter(|heartbeat| heartbeat.has_output);
        if let Some(newest) = newest {
            let output = api.bytes(&["monitors", &id, "heartbeats", &newest.id, "output"]).await?;
            let more = format!("{} output {}", terminal.program(), quoted(&shown.monitor.name));
            terminal.print(&last_lines(&output, &more))?;
        }
        if !heartbeats.is_empty() {
            let mut table = terminal.table(&["HEARTBEAT AT", "STATUS", "VALUE", "FROM", "MESSAGE"]);
            heartbeats.into_iter().for_each(|heartbeat| table.row(heartbeat_row(heartbeat, &times)));
            print_below(table, &[2, 3], terminal)?;
        }
        if !shown.flips.is_empty() && self.last > 0 {
            let mut table = terminal.table(&["CHANGED AT", "FROM", "TO", "REASON", "MESSAGE"]);
            shown.flips.iter().take(self.last).for_each(|flip| table.row(flip_row(flip, &times)));
            print_below(table, &[1, 3], terminal)?;
        }
        Ok(())
    }
}

/// Prints a table whose message is cut first.
fn print_below(mut table: Table, left_out: &[usize], terminal: &Terminal) -> std::io::Result<()> {
    table.cut_only(&[4]);
    table.leave_out(left_out);
    terminal.print(&format!("\n{}", table.render()))
}

impl Shown {
    fn details(&self, times: &Times) -> String {
        let monitor = &self.monitor;
        let told = |at: &String| times.told(at);
        let mut details = Details::default();
        details.add("name", &monitor.name);
        details.add("id", &monitor.id);
        details.add_lines("about", &monitor.description);
        let mut tags = monitor.tags.clone();
        tags.sort_by(|one, other| natural::compare(one, other));
        details.add_some("tags", Some(&tags.join(", ")));
        details.add("state", &monitor.state);
        for line in state_in_words(monitor, times) {
            details.add("", &line);
        }
        details.add_some("since", monitor.state_since.as_ref().map(told).as_ref());
        details.add("schedule", &schedule(monitor));
        details.add_some("expected", monitor.expected_at.as_ref().map(told).as_ref());
        details.add(
            "heard",
            &monitor.last_heartbeat.as_ref().map_or_else(|| "never".to_owned(), |last| heard(last, times)),
        );
        details.add(
            "incident",
            &incident::last(&self.flips).map_or_else(|| "none".to_owned(), |last| last.in_words(times)),
        );
        let window = alerts::silencing(monitor, &self.windows);
        details.add_some("silenced", window.map(|window| silenced(window, times)).as_ref());
        details.add("alerts", &alerts::told(&alerts::used(monitor, &self.channels)));
        let reminder = monitor.remind_every.filter(|span| span.0 > 0).map(|span| format!("every {span}"));
        details.add("reminders", reminder.as_deref().unwrap_or("never"));
        let parent = self.parent.as_ref().map(|parent| format!("{} ({})", parent.name, parent.id));
        details.add_some("parent", parent.as_ref());
        let interval = monitor.interval.filter(|interval| Some(*interval) != monitor.timeout);
        details.add_some("interval", interval.map(|span| span.to_string()).as_ref());
        details.add_some("push URL", monitor.push_url.as_ref());
        details.add("created", &times.told(&monitor.created_at));
        details.add("changed", &times.told(&monitor.updated_at));
        details.render()
    }
}

/// What the state means, where the word alone does not say it.
fn state_in_words(monitor: &Monitor, times: &Times) -> Vec<String> {
    match monitor.state.as_str() {
        "new" => vec!["never heard: the time runs from its first heartbeat on".to_owned()],
        "late" => {
            let overdue = "overdue, and still within its grace: no channel is alerted yet".to_owned();
            let end = monitor.deadline.as_ref();
            let end = end.map(|at| format!("down at {} unless it is heard before", times.told(at)));
            std::iter::once(overdue).chain(end).collect()
        }
        "paused" => vec!["not watched; its heartbeats are recorded".to_owned()],
        _ => vec![],
    }
}

/// `every 5 min, 30 s of grace (the default)`.
fn schedule(monitor: &Monitor) -> String {
    let expected = monitor.expected();
    let which = if monitor.own_grace == Some(false) { " (the default)" } else { "" };
    match monitor.grace {
        Some(grace) if grace.0 > 0 => format!("{expected}, {grace} of grace{which}"),
        Some(_) => format!("{expected}, no grace"),
        None => expected,
    }
}

/// `22:00:05 CET (3 min ago): up, copied 12 files`.
fn heard(heartbeat: &Heartbeat, times: &Times) -> String {
    let msg = heartbeat.msg.as_ref().map(|msg| format!(", {msg}")).unwrap_or_default();
    format!("{}: {}{msg}", times.told(&heartbeat.at), heartbeat.status)
}

fn silenced(window: &Window, times: &Times) -> String {
    let until = window.ends_at.as_ref().map(|at| format!(" until {}", times.told(at))).unwrap_or_default();
    format!("no channel is alerted{until}: maintenance window {}", window.name)
}

/// The last lines of an output. `more` is the command that shows all of it.
fn last_lines(output: &[u8], more: &str) -> String {
    let text = harmless_output(output);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let hidden = lines.len().saturating_sub(OUTPUT_LINES);
    let head = match hidden {
        0 => "\nOutput of the last heartbeat:\n".to_owned(),
        _ => format!("\nLast {OUTPUT_LINES} of {} lines of output; to see all:\n  {more}\n", lines.len()),
    };
    let shown = lines.iter().skip(hidden).map(|line| format!("  {line}").trim_end().to_owned() + "\n");
    head + &shown.collect::<String>()
}

fn heartbeat_row(heartbeat: Heartbeat, times: &Times) -> [Field; 5] {
    [
        times.exact(&heartbeat.at).into(),
        Field::State(heartbeat.status),
        Field::or_dash(heartbeat.value.map(|value| value.to_string())),
        Field::or_dash(heartbeat.source),
        Field::or_dash(heartbeat.msg),
    ]
}

fn flip_row(flip: &Flip, times: &Times) -> [Field; 5] {
    [
        times.exact(&flip.at).into(),
        flip.from.as_str().into(),
        Field::State(flip.to.clone()),
        flip.reason.as_str().into(),
        Field::or_dash(flip.message.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn times() -> Times {
        Times::at("2026-11-22T10:06:00Z", "Europe/Berlin")
    }

    #[test]
    fn what_is_not_set_is_left_out() {
        let monitor = Monitor {
            id: "1".to_owned(),
            name: "billing".to_owned(),
            state: "new".to_owned(),
            created_at: "2026-11-22T10:00:00.000Z".to_owned(),
            updated_at: "2026-11-22T10:00:00.000Z".to_owned(),
            ..Monitor::default()
        };
        assert_eq!(
            Shown { monitor, ..Shown::default() }.details(&times()),
            "name       billing\n\
             id         1\n\
             state      new\n           \
             never heard: the time runs from its first heartbeat on\n\
             schedule   -\n\
             heard      never\n\
             incident   none\n\
             alerts     nobody\n\
             reminders  never\n\
             created    11:00:00 CET (6 min ago)\n\
             changed    11:00:00 CET (6 min ago)\n"
        );
    }

    #[test]
    fn a_late_monitor_is_explained_in_words() {
        let monitor: Monitor = serde_json::from_value(json!({
            "id": "1", "name": "billing", "tags": ["web10", "web2"], "state": "late",
            "state_since": "2026-11-21T10:00:00.000Z", "timeout": 300, "grace": 600, "interval": 120,
            "remind_every": 21_600, "channels": ["c1", "c2"],
            "last_heartbeat": {"id": "h", "at": "2026-11-22T10:00:00.000Z", "status": "up", "msg": "12 files"},
            "expected_at": "2026-11-22T10:05:00.000Z", "deadline": "2026-11-22T10:15:00.000Z",
            "created_at": "2026-11-21T10:00:00.000Z", "updated_at": "2026-11-21T10:00:00.000Z",
        }))
        .expect("a monitor");
        let shown = Shown {
            monitor,
            channels: serde_json::from_value(json!([
                {"id": "c1", "name": "ops", "kind": "webhook", "state": "ok"},
                {"id": "c2", "name": "mail", "kind": "email", "state": "disabled"},
            ]))
            .expect("channels"),
            windows: serde_json::from_value(json!([
                {"id": "w1", "name": "other", "tags": ["db"], "active": true},
                {"id": "w2", "name": "move", "tags": ["web2"], "active": true, "ends_at": "2026-11-22T12:00:00.000Z"},
            ]))
            .expect("windows"),
            ..Shown::default()
        };
        assert_eq!(
            shown.details(&times()),
            "name       billing\n\
             id         1\n\
             tags       web2, web10\n\
             state      late\n           \
             overdue, and still within its grace: no channel is alerted yet\n           \
             down at 11:15:00 CET (in 9 min) unless it is heard before\n\
             since      2026-11-21 11:00:00 CET (1 d ago)\n\
             schedule   every 5 min, 10 min of grace\n\
             expected   11:05:00 CET (1 min ago)\n\
             heard      11:00:00 CET (6 min ago): up, 12 files\n\
             incident   none\n\
             silenced   no channel is alerted until 13:00:00 CET (in 1 h): maintenance window move\n\
             alerts     ops (webhook), mail (email, disabled)\n\
             reminders  every 6 h\n\
             interval   2 min\n\
             created    2026-11-21 11:00:00 CET (1 d ago)\n\
             changed    2026-11-21 11:00:00 CET (1 d ago)\n"
        );
    }

    #[test]
    fn a_long_output_is_shown_from_its_end() {
        let short = last_lines(b"one\n\n\x1b[31mtwo\x1b[0m\r\n\n", "lubdub output job");
        assert_eq!(short, "\nOutput of the last heartbeat:\n  one\n\n  two\n");
        let long: String = (1..=12).map(|n| format!("line {n}\n")).collect();
        let shown = last_lines(long.as_bytes(), "lubdub output job");
        assert!(
            shown
                .starts_with("\nLast 10 of 12 lines of output; to see all:\n  lubdub output job\n  line 3\n"),
            "{shown}"
        );
    }
}
