//! `lubdub deliveries list`

use super::super::connection::Connection;
use super::super::lookup::{Kind, Named, id_of, name_of, names};
use super::super::short_ids::ShortIds;
use super::super::table::{Field, Table};
use super::super::times::Times;
use super::super::view::Delivery;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub deliveries list
  lubdub deliveries list --state dead
  lubdub deliveries list --state folded
  lubdub deliveries list --monitor 'nightly backup' --channel ops --json";

const HEADER: [&str; 5] = ["ID", "STATE", "WHEN", "CHANNEL", "WHAT"];

/// Lists deliveries.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Only deliveries about this monitor, by name or id
    #[arg(long)]
    monitor: Option<String>,
    /// Only deliveries to this channel, by name or id
    #[arg(long)]
    channel: Option<String>,
    /// Only deliveries in this state
    #[arg(long, value_parser = ["pending", "delivered", "dead", "folded", "suppressed"])]
    state: Option<String>,
    /// Number of entries to show at most
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    connection: Connection,
}

impl List {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let monitor = match &self.monitor {
            Some(wanted) => Some(id_of(&api, Kind::Monitor, wanted).await?),
            None => None,
        };
        let channel = match &self.channel {
            Some(wanted) => Some(id_of(&api, Kind::Channel, wanted).await?),
            None => None,
        };
        let query = [
            ("monitor", monitor.as_deref()),
            ("channel", channel.as_deref()),
            ("state", self.state.as_deref()),
        ];
        let listing = api.list(&["deliveries"], &query, self.limit as usize).await?;
        if self.connection.json() {
            return Ok(terminal.json(&listing.into_json())?);
        }
        if listing.items.is_empty() {
            return Ok(terminal.line("There are no such deliveries.")?);
        }
        let deliveries: Vec<Delivery> =
            listing.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?;
        let channels = names(&api, Kind::Channel).await?;
        let mut table = terminal.table(&HEADER);
        fill(&mut table, &deliveries, &channels, &terminal.times());
        terminal.print(&table.render())?;
        if listing.is_cut() {
            terminal.warn(format_args!("only the newest {} are shown: --limit shows more", self.limit));
        }
        Ok(())
    }
}

fn fill(table: &mut Table, deliveries: &[Delivery], channels: &[Named], times: &Times) {
    let short = ShortIds::of(deliveries.iter().map(|delivery| delivery.id.as_str()));
    for delivery in deliveries {
        table.row([
            short.shown(&delivery.id).into(),
            Field::State(delivery.state.clone()),
            times.in_list(&delivery.created_at).into(),
            Field::or_dash(delivery.channel.as_ref().map(|id| name_of(channels, id).to_owned())),
            what(delivery).into(),
        ]);
    }
    table.cut_only(&[4, 3]);
    table.leave_out(&[3]);
}

/// `down: billing`, `channel failing: ops`, `digest of 12`, `test`; with why it was not sent by itself, or
/// not yet.
fn what(delivery: &Delivery) -> String {
    let kind = delivery.what();
    let about = delivery.monitor_name.as_ref().or(delivery.monitor.as_ref());
    let what = match about.or(delivery.failing_channel.as_ref()) {
        Some(name) => format!("{kind}: {name}"),
        None => kind,
    };
    match &delivery.note {
        Some(note) => format!("{what} ({note})"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_says_why_a_delivery_was_not_sent_by_itself() {
        let delivery: Delivery = serde_json::from_value(json!(
            {"id": "0199a3c4-7d2e-5000-8000-000000000001", "type": "monitor.down", "state": "folded",
             "created_at": "2026-11-22T09:00:00.000Z", "monitor": "m1", "monitor_name": "web1", "channel": "c1",
             "folded_into": "0199a3c4-7d2e-5000-8000-000000000004", "note": "its parent router is down"}
        ))
        .expect("a delivery");
        assert_eq!(what(&delivery), "down: web1 (its parent router is down)");
    }

    #[test]
    fn a_list_names_the_channel_that_fails() {
        let delivery: Delivery = serde_json::from_value(json!(
            {"id": "0199a3c4-7d2e-5000-8000-000000000001", "type": "channel.failing", "state": "delivered",
             "created_at": "2026-11-22T09:00:00.000Z", "failing_channel": "pagers", "channel": "c1"}
        ))
        .expect("a delivery");
        assert_eq!(what(&delivery), "channel failing: pagers");
    }

    #[test]
    fn a_list_fits_eighty_columns_and_sixty_and_tells_the_ids_apart() {
        let times = Times::at("2026-11-22T10:00:00Z", "UTC");
        let deliveries: Vec<Delivery> = serde_json::from_value(json!([
            {"id": "5c1f09ab-7d2e-5000-8000-000000000001", "type": "monitor.down", "state": "dead",
             "created_at": "2026-11-21T10:00:00.000Z", "monitor": "m1", "monitor_name": "the nightly backup of everything", "channel": "c1"},
            {"id": "a7000000-7d2e-5000-8000-000000000002", "type": "channel.test", "state": "delivered",
             "created_at": "2026-11-22T09:59:00.000Z", "monitor": null, "channel": "gone"},
            {"id": "0e9077d1-7d2e-5000-8000-000000000003", "type": "monitor.was_down", "state": "folded",
             "created_at": "2026-11-22T09:00:00.000Z", "monitor": "m1", "monitor_name": "sync", "channel": "c1",
             "folded_into": "77d10e90-7d2e-5000-8000-000000000004"},
            {"id": "77d10e90-7d2e-5000-8000-000000000004", "type": "digest", "count": 12, "state": "pending",
             "created_at": "2026-11-22T09:00:00.000Z", "monitor": null, "channel": "c1"},
        ]))
        .expect("deliveries");
        let channels = [Named { id: "c1".to_owned(), name: "ops".to_owned() }];
        let shown = |width| {
            let mut table = Table::of_width(&HEADER, width);
            fill(&mut table, &deliveries, &channels, &times);
            let text = table.render();
            assert!(text.lines().all(|line| line.chars().count() <= width.into()), "{text}");
            text
        };
        assert_eq!(shown(80) + "\n" + &shown(60), include_str!("list.golden"));
    }
}
