//! `lubdub deliveries show`

use super::super::Terminal;
use super::super::connection::Connection;
use super::super::details::Details;
use super::super::table::Field;
use super::super::view::{Attempt, Delivery};

const EXAMPLES: &str = "\
Examples:
  lubdub deliveries show 0199a3c4-7d2e-5000-8000-000000000001";

/// Shows a delivery.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Show {
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
        terminal.print(&details(&delivery))?;
        if !delivery.attempts.is_empty() {
            let mut table = terminal.table(&["ATTEMPT AT", "TOOK", "OUTCOME", "ANSWER"]);
            for attempt in delivery.attempts {
                table.row(row(attempt));
            }
            table.cut_only(&[2, 3]);
            terminal.print(&format!("\n{}", table.render()))?;
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

fn details(delivery: &Delivery) -> String {
    let told = |reference: &super::super::view::Reference| match reference.name() {
        Some(name) => format!("{name} ({})", reference.id()),
        None => reference.id().to_owned(),
    };
    let mut details = Details::default();
    details.add("id", &delivery.id);
    details.add("what", &delivery.kind);
    details.add("state", &delivery.state);
    details.add_some("monitor", delivery.monitor.as_ref().map(told).as_ref());
    details.add_some("channel", delivery.channel.as_ref().map(told).as_ref());
    details.add_some("flip", delivery.flip.as_ref());
    details.add("created", &delivery.created_at);
    details.add_some("next attempt", delivery.next_attempt_at.as_ref());
    details.render()
}
