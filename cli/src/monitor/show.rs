//! `lubdub monitor show`

use super::super::connection::Connection;
use super::super::details::Details;
use super::super::lookup::{Kind, Named, id_of};
use super::super::table::Field;
use super::super::view::{Channel, Flip, Heartbeat, Monitor};
use super::alerts;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub monitor show 'nightly backup'
  lubdub monitor show 0199a3c4-7d2e-7000-8000-000000000001 --last 20
  lubdub monitor show billing --json";

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
        terminal.print(&details(&monitor, &channels, parent.as_ref()))?;
        let heartbeats = api.list(&["monitors", &id, "heartbeats"], &[], self.last).await?;
        if !heartbeats.items.is_empty() {
            let mut table = terminal.table(&["HEARTBEAT AT", "STATUS", "VALUE", "FROM", "MESSAGE"]);
            for item in &heartbeats.items {
                table.row(heartbeat(api.view(item)?));
            }
            table.cut_only(&[4]);
            terminal.print(&format!("\n{}", table.render()))?;
        }
        let flips = api.list(&["monitors", &id, "flips"], &[], self.last).await?;
        if !flips.items.is_empty() {
            let mut table = terminal.table(&["CHANGED AT", "FROM", "TO", "REASON", "MESSAGE"]);
            for item in &flips.items {
                table.row(flip(api.view(item)?));
            }
            table.cut_only(&[4]);
            terminal.print(&format!("\n{}", table.render()))?;
        }
        Ok(())
    }
}

fn details(monitor: &Monitor, channels: &[Channel], parent: Option<&Named>) -> String {
    let mut details = Details::default();
    details.add("name", &monitor.name);
    details.add("id", &monitor.id);
    details.add_some("about", Some(&monitor.description));
    details.add_some("tags", Some(&monitor.tags.join(", ")));
    details.add("state", &monitor.state);
    details.add_some("since", monitor.state_since.as_ref());
    details.add("schedule", &monitor.schedule());
    details.add_some("grace", monitor.grace.map(|grace| grace.to_string()).as_ref());
    details.add_some("interval", monitor.interval.map(|interval| interval.to_string()).as_ref());
    let reminder = monitor.remind_every.filter(|span| span.0 > 0).map(|span| format!("every {span}"));
    details.add("reminders", reminder.as_deref().unwrap_or("never"));
    details.add("alerts", &alerts::told(&alerts::used(monitor, channels)));
    details.add_some("parent", parent.map(|parent| format!("{} ({})", parent.name, parent.id)).as_ref());
    details.add_some("deadline", monitor.deadline.as_ref());
    details.add_some("push URL", monitor.push_url.as_ref());
    details.add("created", &monitor.created_at);
    details.add("changed", &monitor.updated_at);
    details.render()
}

fn heartbeat(heartbeat: Heartbeat) -> [Field; 5] {
    [
        heartbeat.at.into(),
        Field::State(heartbeat.status),
        Field::or_dash(heartbeat.value.map(|value| value.to_string())),
        Field::or_dash(heartbeat.source),
        Field::or_dash(heartbeat.msg),
    ]
}

fn flip(flip: Flip) -> [Field; 5] {
    [
        flip.at.into(),
        flip.from.into(),
        Field::State(flip.to),
        flip.reason.into(),
        Field::or_dash(flip.message),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

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
            details(&monitor, &[], None),
            "name       billing\n\
             id         1\n\
             state      new\n\
             schedule   -\n\
             reminders  never\n\
             alerts     nobody\n\
             created    2026-11-22T10:00:00.000Z\n\
             changed    2026-11-22T10:00:00.000Z\n"
        );
    }
}
