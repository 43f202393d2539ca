//! An alert whose handling panics, or ends the process, is tried a few times and then given up in sight: as
//! dead deliveries to the channels of its monitor.

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

use crate::defects::{GivenUp, MOST_TRIES};
use crate::desk::keeper::Manner;
use crate::fanout::{FanOut, FanOutError, Plan, UNDECIDED_FOR};
use crate::in_hand::{BURIED_AT, GIVEN_UP_AT, Turn};
use crate::metrics::AlertResult;

impl FanOut {
    /// The plan for an alert. A panic over it ends nothing but a task of its own.
    pub(crate) async fn plan_apart(self: Arc<Self>, claim: Claim) -> Result<Plan, FanOutError> {
        if self.defects.lock().of(claim.id) < MOST_TRIES {
            let (this, tried) = (Arc::clone(&self), claim.clone());
            let planned = apart(async move { this.plan_one(&tried).await });
            match self.in_hand.waits(claim.id, planned).await {
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
        let plan = Arc::clone(&self).give_up_apart(&claim, GivenUp::Panicked).await?;
        self.defects.lock().forget(claim.id);
        Ok(plan)
    }

    /// Handles alerts that were in hand when processes ended: each to its end before the next one, which may
    /// end the process.
    pub(crate) async fn one_by_one(self: Arc<Self>, suspects: Vec<(Claim, u32)>) {
        let mut is_busy = false;
        for (claim, suspicion) in suspects {
            if is_busy {
                self.end(&[self.put_off(&claim)]).await;
                continue;
            }
            let (plan, turn) = loop {
                match Arc::clone(&self).plan_suspect(&claim, suspicion).await {
                    Ok(planned) => break planned,
                    Err(error) => self.pause(&error).await,
                }
            };
            self.end(&[plan]).await;
            match turn {
                Some(turn) => {
                    self.in_hand.let_go(claim.id).await;
                    drop(turn);
                }
                // A delivery has the turn, perhaps for long: nobody waits for it more than once.
                None => is_busy = true,
            }
        }
    }

    /// The plan for an alert that was in hand when processes ended, and its turn: it is handled alone, and
    /// not for ever. It is in hand until the plan is carried out. Without a turn the plan puts it off.
    async fn plan_suspect(
        self: Arc<Self>,
        claim: &Claim,
        suspicion: u32,
    ) -> Result<(Plan, Option<Turn>), FanOutError> {
        let Some(turn) = self.in_hand.take_suspect(claim.id, suspicion).await? else {
            return Ok((self.put_off(claim), None));
        };
        let id = claim.id;
        let plan = match suspicion {
            ..GIVEN_UP_AT => Arc::clone(&self).plan_apart(claim.clone()).await?,
            GIVEN_UP_AT..BURIED_AT => {
                tracing::error!(alert.id = %id, suspicion, "gave an alert up: notifiers ended with it in hand");
                Arc::clone(&self).give_up_apart(claim, GivenUp::EndedProcesses).await?
            }
            // To read it is what ends processes.
            _ => {
                tracing::error!(alert.id = %id, suspicion, "gave an alert up that cannot be looked at; it reaches no channel");
                given_up(claim, Outcome::Bury)
            }
        };
        Ok((plan, Some(turn)))
    }

    /// The plan that looks at an alert a little later.
    fn put_off(&self, claim: &Claim) -> Plan {
        let due_at = self.clock.now() + UNDECIDED_FOR;
        Plan::new(claim, Outcome::Retry { due_at, body: claim.body.clone() })
    }

    /// The plan that gives an alert up. A panic over that ends nothing but a task of its own.
    async fn give_up_apart(self: Arc<Self>, claim: &Claim, why: GivenUp) -> Result<Plan, FanOutError> {
        let (this, ended) = (Arc::clone(&self), claim.clone());
        let planned = apart(async move { this.give_up(&ended, why).await });
        match self.in_hand.waits(claim.id, planned).await {
            Ok(plan) => plan,
            Err(error) if error.is_panic() => {
                tracing::error!(error = %Chain(&error), alert.id = %claim.id, "gave an alert up by a defect of ours; it reaches no channel");
                Ok(given_up(claim, Outcome::Bury))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A dead delivery for each channel that would have been told, as far as the channels can be known.
    async fn give_up(&self, claim: &Claim, why: GivenUp) -> Result<Plan, FanOutError> {
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
                let note = Some(why.why().to_owned());
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
