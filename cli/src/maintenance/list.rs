//! `lubdub maintenance list`

use model::natural;

use super::super::connection::Connection;
use super::super::table::{Field, Table};
use super::super::times::Times;
use super::super::view::Window;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub maintenance list
  lubdub maintenance list --json";

const HEADER: [&str; 5] = ["NAME", "STATE", "CHANGES", "WHEN", "FOR"];

/// Lists maintenance windows.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Number of entries to show at most
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    connection: Connection,
}

impl List {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let listing = api.list(&["maintenance-windows"], &[], self.limit as usize).await?;
        if self.connection.json() {
            return Ok(terminal.json(&listing.into_json())?);
        }
        if listing.items.is_empty() {
            return Ok(terminal.line("There are no maintenance windows.")?);
        }
        let mut windows: Vec<Window> =
            listing.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?;
        windows.sort_by(|one, other| natural::compare(&one.name, &other.name));
        let mut table = terminal.table(&HEADER);
        fill(&mut table, &windows, &terminal.times());
        terminal.print(&table.render())?;
        if listing.is_cut() {
            terminal.warn(format_args!("only the first {} are shown: --limit shows more", self.limit));
        }
        Ok(())
    }
}

fn fill(table: &mut Table, windows: &[Window], times: &Times) {
    for window in windows {
        let change = window.ends_at.as_ref().or(window.next_at.as_ref());
        table.row([
            window.name.as_str().into(),
            Field::State(window.state().to_owned()),
            Field::or_dash(change.map(|at| times.in_list(at))),
            window.when(times).into(),
            window.subjects().into(),
        ]);
    }
    table.cut_only(&[3, 0, 4]);
    table.leave_out(&[2, 4]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_fits_eighty_columns_and_sixty() {
        let times = Times::at("2026-11-22T10:00:00Z", "Europe/Berlin");
        let mut windows: Vec<Window> = serde_json::from_value(serde_json::json!([
            {"name": "move", "monitors": ["1", "2"], "from": "2026-11-22T09:00:00.000Z", "to": "2026-11-22T12:00:00.000Z",
             "active": true, "ends_at": "2026-11-22T12:00:00.000Z"},
            {"name": "nightly restart", "tags": ["web", "api"], "cron": "0 2 * * *", "timezone": "Europe/Berlin", "duration": 1800,
             "active": false, "next_at": "2026-11-23T01:00:00.000Z"},
            {"name": "old", "tags": ["db"], "from": "2026-11-21T09:00:00.000Z", "to": "2026-11-21T09:30:01.000Z", "active": false},
        ]))
        .expect("windows");
        let shown = |width| {
            let mut table = Table::of_width(&HEADER, width);
            fill(&mut table, &windows, &times);
            let text = table.render();
            assert!(text.lines().all(|line| line.chars().count() <= width.into()), "{text}");
            text
        };
        assert_eq!(shown(80) + "\n" + &shown(60), include_str!("list.golden"));
        windows[1].name = "restart of the warehouse's web".to_owned();
        let mut table = Table::of_width(&HEADER, 60);
        fill(&mut table, &windows, &times);
        let text = table.render();
        assert!(text.contains("restart of the warehouse's web  planned"), "{text}");
    }
}
