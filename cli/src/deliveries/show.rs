//! `lubdub deliveries show`

use super::super::connection::Connection;
use super::super::details::Details;
use super::super::exchange;
use super::super::lookup::{Kind, Named, name_of, names};
use super::super::table::Field;
use super::super::view::{Attempt, Delivery};
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub deliveries show 0199a3c4-7d2e-5000-8000-000000000001";

/// Shows a delivery.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// Id
    id: String,
    #[command(flatten)]
    connection: Connection,
}

impl Show {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let answer = api.get(&["deliveries", &self.id]).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let delivery: Delivery = api.view(&answer)?;
        let channels = names(&api, Kind::Channel).await?;
        terminal.print(&details(&delivery, &channels))?;
        let last = delivery.attempts.last().cloned().unwrap_or_default();
        if !delivery.attempts.is_empty() {
            let mut table = terminal.table(&["ATTEMPT AT", "TOOK", "OUTCOME", "ANSWER"]);
            for attempt in delivery.attempts {
                table.row(row(attempt));
            }
            table.cut_only(&[2, 3]);
            terminal.print(&format!("\n{}", table.render()))?;
        }
        if last.request.is_some() {
            terminal.print(&exchange::told(last.request.as_deref(), last.answer.as_deref()))?;
        }
        Ok(())
    }
}

fn row(attempt: Attempt) -> [Field; 4] {
    let outcome = attempt.outcome();
    [
        attempt.at.into(),
        Field::or_dash(attempt.ms.map(|ms| format!("{ms} ms"))),
        outcome.into(),
        Field::or_dash(attempt.answer),
    ]
}

/// A name with its id, or the id alone where there is no name.
fn told(name: &str, id: &str) -> String {
    if name == id { id.to_owned() } else { format!("{name} ({id})") }
}

fn details(delivery: &Delivery, channels: &[Named]) -> String {
    let mut details = Details::default();
    details.add("id", &delivery.id);
    details.add("what", &delivery.what());
    details.add("state", &delivery.state);
    details.add_some("told by", delivery.folded_into.as_ref());
    details.add_some("why", delivery.note.as_ref());
    if let Some(id) = &delivery.monitor {
        details.add("monitor", &told(delivery.monitor_name.as_deref().unwrap_or(id), id));
    }
    if let Some(id) = &delivery.channel {
        details.add("channel", &told(name_of(channels, id), id));
    }
    details.add_some("flip", delivery.flip.as_ref());
    details.add("created", &delivery.created_at);
    details.add_some("next attempt", delivery.next_attempt_at.as_ref());
    details.render()
}
