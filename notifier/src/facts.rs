//! What a message tells of its monitor besides the alert: description, schedule, output, newest heartbeat.
//!
//! It is looked up for each attempt, and does not travel with the alert: so queues, histories and desks hold
//! none of it, and a message that is sent late says what to do by now. An alert never waits for it for long,
//! and goes out without what cannot be found.

use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::flip::{Alert, Flip, Reason};
use model::ids::MonitorId;
use model::monitor::Monitor;
use model::notice::Notice;
use model::time::EventTime;
use model::wire;
use ports::history::History;
use ports::registry::{RecordKey, RecordKind, Registry};
use ports::state_store::StateReader;

use crate::message::{Facts, readable};

/// The longest that an attempt waits for all of this.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Finds out what messages tell besides.
pub(crate) struct FactFinder {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) states: Arc<dyn StateReader>,
    pub(crate) partitions: u16,
    /// The longest that an attempt waits for all of it.
    pub(crate) time_limit: Duration,
}

impl FactFinder {
    /// What is told of the monitor of a notice besides; nothing, if the notice is about none or about many.
    pub(crate) async fn about(&self, notice: &Notice) -> Facts {
        let Some(monitor) = notice.monitor() else { return Facts::default() };
        let (known, output, heard_at) = tokio::join!(
            tokio::time::timeout(self.time_limit, self.monitor(monitor)),
            tokio::time::timeout(self.time_limit, self.output(notice)),
            tokio::time::timeout(self.time_limit, self.heard_at(notice, monitor)),
        );
        let known = known.ok().flatten();
        let description = known.as_ref().map(|known| known.description.trim_end());
        Facts {
            description: description.filter(|text| !text.is_empty()).map(str::to_owned),
            schedule: known.as_ref().map(|known| known.definition.in_words()),
            output: output.ok().flatten(),
            heard_at: heard_at.ok().flatten(),
        }
    }

    async fn monitor(&self, id: MonitorId) -> Option<Monitor> {
        let record = self.registry.get(&RecordKey::new(RecordKind::Monitor, id)).await;
        let record = record.inspect_err(|error| missing(&Chain(error), id)).ok()??;
        wire::decode(&record.value).inspect_err(|error| missing(&Chain(error), id)).ok()
    }

    /// The output of the heartbeat that caused the flip that the notice is about.
    async fn output(&self, notice: &Notice) -> Option<String> {
        let flip = cause(notice)?;
        // A flip is at the time of its heartbeat, unless two came at once: then there is none at that time.
        let output = self.history.output(flip.monitor, flip.at).await;
        let output = output.inspect_err(|error| missing(&Chain(error), flip.monitor)).ok()??;
        readable(&output)
    }

    /// The newest heartbeat, if the alert may be older.
    async fn heard_at(&self, notice: &Notice, id: MonitorId) -> Option<EventTime> {
        let Notice::Alert(Alert::Reminder { .. }) = notice else { return None };
        let states = self.states.states(id.partition(self.partitions), &[id]).await;
        let states = states.inspect_err(|error| missing(&Chain(error), id)).ok()?;
        states.into_iter().next()??.heard_at
    }
}

/// The flip of which a notice tells the cause, if a heartbeat caused it.
fn cause(notice: &Notice) -> Option<&Flip> {
    let flip = match notice {
        Notice::WasDown(was) => Some(&was.down),
        Notice::Alert(_)
        | Notice::Digest(_)
        | Notice::Storm(_)
        | Notice::Flapping(_)
        | Notice::Repost(_)
        | Notice::ChannelFailing(_) => notice.flip(),
    };
    flip.filter(|flip| match flip.reason {
        Reason::First | Reason::Reported | Reason::Recovered => true,
        Reason::Missed | Reason::Paused | Reason::Resumed | Reason::Changed => false,
    })
}

fn missing(error: &dyn std::fmt::Display, monitor: MonitorId) {
    tracing::debug!(error = %error, monitor.id = %monitor, "failed to look up what a message tells besides; it goes out without");
}
