//! `lubdub maintenance show`

use super::super::connection::Connection;
use super::super::details::Details;
use super::super::lookup::{Kind, Named, id_of};
use super::super::times::Times;
use super::super::view::Window;
use crate::terminal::Terminal;

/// How many of its monitors are named.
const NAMED: usize = 20;

const EXAMPLES: &str = "\
Examples:
  lubdub maintenance show 'nightly restart'
  lubdub maintenance show move --json";

/// Shows a maintenance window.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// Name or id
    window: String,
    #[command(flatten)]
    connection: Connection,
}

impl Show {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Window, &self.window).await?;
        let answer = api.get(&["maintenance-windows", &id]).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let window: Window = api.view(&answer)?;
        let mut monitors = Vec::new();
        for id in window.monitors.iter().take(NAMED) {
            let named: Named = api.view(&api.get(&["monitors", id]).await?)?;
            monitors.push(named);
        }
        Ok(terminal.print(&details(&window, &monitors, &terminal.times()))?)
    }
}

fn details(window: &Window, monitors: &[Named], times: &Times) -> String {
    let mut details = Details::default();
    details.add("name", &window.name);
    details.add("id", &window.id);
    details.add("when", &window.when(times));
    details.add("state", window.state());
    let told = |at: &Option<String>| at.as_ref().map(|at| times.told(at));
    details.add_some("until", told(&window.ends_at).as_ref());
    details.add_some("next", told(&window.next_at).as_ref());
    for monitor in monitors {
        details.add("monitor", &format!("{} ({})", monitor.name, monitor.id));
    }
    let more = window.monitors.len().saturating_sub(monitors.len());
    if more > 0 {
        details.add("", &format!("and {more} more"));
    }
    details.add_some("tags", Some(&window.tags.join(", ")));
    details.add("created", &times.told(&window.created_at));
    details.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_monitors_are_named_as_far_as_there_is_room() {
        let window: Window = serde_json::from_value(serde_json::json!({
            "id": "1", "name": "move", "monitors": ["2", "3"], "tags": ["db", "web"], "cron": "0 2 * * *", "timezone": "UTC",
            "duration": 7200, "active": false, "next_at": "2026-11-23T02:00:00.000Z", "created_at": "2026-11-22T10:00:00.000Z",
        }))
        .expect("a window");
        let monitors = [Named { id: "2".to_owned(), name: "db1".to_owned() }];
        assert_eq!(
            details(&window, &monitors, &Times::at("2026-11-22T11:00:00Z", "Europe/Berlin")),
            "name     move\n\
             id       1\n\
             when     2 h at 02:00, UTC\n\
             state    planned\n\
             next     2026-11-23 03:00:00 CET (in 15 h)\n\
             monitor  db1 (2)\n         \
             and 1 more\n\
             tags     db, web\n\
             created  11:00:00 CET (1 h ago)\n"
        );
    }
}
