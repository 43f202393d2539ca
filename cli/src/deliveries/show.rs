//! `lubdub deliveries show`

use super::super::connection::Connection;
use super::super::details::Details;
use super::super::exchange;
use super::super::lookup::{Kind, Named, name_of, names};
use super::super::table::Field;
use super::super::times::Times;
use super::super::view::{Attempt, Delivery};
use super::which;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub deliveries show 5c1f09ab
  lubdub deliveries show 5c1f09ab-7d2e-5000-8000-000000000001 --json";

/// Shows a delivery.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// Id, or its beginning
    id: String,
    #[command(flatten)]
    connection: Connection,
}

impl Show {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = which::id_of(&api, &self.id).await?;
        let answer = api.get(&["deliveries", &id]).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let delivery: Delivery = api.view(&answer)?;
        let channels = names(&api, Kind::Channel).await?;
        let times = terminal.times();
        terminal.print(&details(&delivery, &channels, &times))?;
        let last = delivery.attempts.last().cloned().unwrap_or_default();
        if !delivery.attempts.is_empty() {
            let mut table = terminal.table(&["ATTEMPT AT", "TOOK", "OUTCOME", "ANSWER"]);
            for attempt in delivery.attempts {
                table.row(row(attempt, &times));
            }
            table.cut_only(&[2, 3]);
            table.leave_out(&[1, 3]);
            terminal.print(&format!("\n{}", table.render()))?;
        }
        if last.request.is_some() {
            terminal.print(&exchange::told(last.request.as_deref(), last.answer.as_deref()))?;
        }
        Ok(())
    }
}

fn row(attempt: Attempt, times: &Times) -> [Field; 4] {
    let outcome = attempt.outcome();
    [
        times.exact(&attempt.at).into(),
        Field::or_dash(attempt.ms.map(|ms| format!("{ms} ms"))),
        outcome.into(),
        Field::or_dash(attempt.answer),
    ]
}

/// A name with its id, or the id alone where there is no name.
fn told(name: &str, id: &str) -> String {
    if name == id { id.to_owned() } else { format!("{name} ({id})") }
}

fn details(delivery: &Delivery, channels: &[Named], times: &Times) -> String {
    let mut details = Details::default();
    details.add("id", &delivery.id);
    details.add("what", &delivery.what());
    details.add_some("failing channel", delivery.failing_channel.as_ref());
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
    details.add("created", &times.told(&delivery.created_at));
    details.add_some("next attempt", delivery.next_attempt_at.as_ref().map(|at| times.told(at)).as_ref());
    details.render()
}
