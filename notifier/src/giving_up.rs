//! An alert whose handling panics is tried a few times and then given up in sight: as dead deliveries to the
//! channels of its monitor.

use std::sync::Arc;

use model::chain::Chain;
use model::delivery::{Delivery, DeliveryState};
use model::flip::Alert;
use model::monitor::Monitor;
use model::notice::{Dependents, MonitorLabel};
use model::wire;
use ports::queue::{Claim, Outcome};
use ports::registry::{RecordKey, RecordKind};
use tokio::task::JoinError;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::defects::{GIVEN_UP, MOST_TRIES};
use crate::desk::keeper::Manner;
use crate::fanout::{FanOut, FanOutError, Plan, UNDECIDED_FOR};
use crate::metrics::AlertResult;

impl FanOut {
    /// The plan for an alert. A panic over it ends nothing but a task of its own.
    pub(crate) async fn plan_apart(self: Arc<Self>, claim: Claim) -> Result<Plan, FanOutError> {
        if self.defects.lock().of(claim.id) < MOST_TRIES {
            let (this, tried) = (Arc::clone(&self), claim.clone());
            match apart(async move { this.plan_one(&tried).await }).await {
                Ok(plan) => return plan,
                Err(error) if error.is_panic() => {
                    let panics = self.defects.lock().note(claim.id);
                    tracing::error!(error = %Chain(&error), alert.id = %claim.id, panics, "the handling of an alert ended by a defect of ours");
                    if panics < MOST_TRIES {
                        let due_at = self.clock.now() + UNDECIDED_FOR;
                        let outcome = Outcome::Retry { due_at, body: claim.body.clone() };
                        return Ok(Plan::new(&claim, outcome));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        let (this, ended) = (Arc::clone(&self), claim.clone());
        let plan = match apart(async move { this.give_up(&ended).await }).await {
            Ok(plan) => plan?,
            Err(error) if error.is_panic() => {
                tracing::error!(error = %Chain(&error), alert.id = %claim.id, "gave an alert up by a defect of ours; it reaches no channel");
                given_up(&claim, Outcome::Bury)
            }
            Err(error) => return Err(error.into()),
        };
        self.defects.lock().forget(claim.id);
        Ok(plan)
    }

    /// A dead delivery for each channel that would have been told, as far as the channels can be known.
    async fn give_up(&self, claim: &Claim) -> Result<Plan, FanOutError> {
        let buried = || {
            tracing::error!(alert.id = %claim.id, "gave an alert up by a defect of ours, and cannot read whom it concerns; it reaches no channel");
            Ok(given_up(claim, Outcome::Bury))
        };
        let Ok(alert) = wire::decode::<Alert>(&claim.body) else { return buried() };
        let now = self.clock.now();
        let mut plan = given_up(claim, Outcome::Complete);
        let (channels, label) = match &alert {
            Alert::Test { channel, .. } => (vec![(*channel, None)], None),
            Alert::Flip(flip) | Alert::Reminder { down: flip, .. } => {
                let key = RecordKey::new(RecordKind::Monitor, flip.monitor);
                let Some(record) = self.registry.get(&key).await? else {
                    return Ok(Plan { result: Some(AlertResult::MonitorGone), ..plan });
                };
                let Ok(monitor) = wire::decode::<Monitor>(&record.value) else { return buried() };
                let (channels, disabled) = self.recipients(&monitor).await?;
                let dependents = Dependents::default();
                let label = MonitorLabel { name: monitor.name, tags: monitor.tags, dependents };
                plan.untold = self.not_sent(&alert, &disabled, &label, now).await?;
                let channels = channels.iter().map(|channel| (channel.id, Manner::of(channel))).collect();
                (channels, Some(label))
            }
        };
        for channel in channels {
            let mut delivery = self.delivery(&alert, channel, label.clone(), now).await?;
            if let Some(record) = delivery.as_mut().and_then(|planned| planned.record.as_mut()) {
                // It goes through the queue, where it is buried: so it can be redriven.
                let note = Some(GIVEN_UP.to_owned());
                *record =
                    Delivery { state: DeliveryState::Dead, next_attempt_at: None, note, ..record.clone() };
            }
            plan.deliveries.extend(delivery);
        }
        Ok(plan)
    }
}

fn given_up(claim: &Claim, outcome: Outcome) -> Plan {
    Plan { result: Some(AlertResult::GivenUp), ..Plan::new(claim, outcome) }
}

/// Runs this as a task, which ends with its caller.
async fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, JoinError> {
    AbortOnDropHandle::new(TaskTracker::new().spawn(work)).await
}
