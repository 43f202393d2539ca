//! Takes out of the delivery queue what a channel has too much of, so that no channel fills it for all.
//!
//! A lane has a share of the queue's room (`ports::queue_room`). Beyond it, deliveries are given up in this
//! order, each with a record that says so:
//!
//! 1. Incidents that were over before their failure was attempted, and reminders that later messages of the
//!    monitor have overtaken.
//! 2. What is due last, but no recovery without its failure. Of deliveries that others tell of only the
//!    messages are taken out, for their records name who tells; a desk that loses its memory cannot be asked
//!    again by them then (I17).
//! 3. If nothing else is left, recoveries of failures that were told.
//!
//! Never given up is what a desk waits for: messages of its own, and alerts that it let go out. A recovery is
//! not told if its failure was given up. When the lane holds less than half of its share, the channel is told
//! what was given up and is still so: see [`super::catching_up`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use model::chain::Chain;
use model::delivery::{Delivery, DeliveryMessage, DeliveryState, DeliveryTask};
use model::flip::{Alert, Flip, State};
use model::ids::{AlertId, ChannelId, DeliveryId, MonitorId};
use model::notice::Notice;
use ports::history::HistoryError;
use ports::queue::{Claim, LaneId, LaneLoad, MessageId, Outcome, QueueError, SurplusWalk};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::context::Context;
pub(crate) use super::owed::NO_ROOM;
use super::owing::{owe, owe_again};
use super::reading::look;
use crate::config::POLL;
use crate::desk::Note;
use crate::desk::keeper::{Manner, folded};
use crate::gate::was_held;
use crate::message::incident_of;
use crate::metrics::DeliveryResult;

/// Most messages that are taken out together.
const BATCH: usize = 512;

/// Fewest messages that are claimed together.
const LEAST: usize = 16;

/// Records that are looked up at the same time.
const LOOKUPS: usize = 16;

/// The wait before a failed call is made again.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// The wait after a walk that found nothing to give up.
const REST: Duration = Duration::from_secs(30);

/// A lane that holds less than this part of what the fullest one does is left alone.
const SMALL_BESIDE: usize = 8;

/// How often it is logged that a channel has too much.
const TELL_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
enum SurplusError {
    #[error("use the delivery queue")]
    Queue(#[from] QueueError),
    #[error("use the delivery history")]
    History(#[from] HistoryError),
}

/// Looks after the lanes that hold too much.
pub(crate) struct Surplus {
    context: Arc<Context>,
    lanes: HashMap<LaneId, Crowded>,
}

/// A lane that holds too much, or did lately.
struct Crowded {
    /// Where the walk through what is due last goes on.
    heads: SurplusWalk,
    /// Nothing was found in a whole walk: recoveries without their failures are given up, too.
    hard: bool,
    /// Nothing was found then either: not before this.
    rests_until: Option<Instant>,
    given_up: u64,
    told_at: Option<Instant>,
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What later messages have overtaken.
    Overtaken,
    /// What is due last: `most` messages, and what waits behind them.
    DueLast {
        most: usize,
        /// Recoveries without their failures, too.
        hard: bool,
    },
}

impl Stage {
    /// How many messages are claimed together: whole incidents must be seen.
    fn batch(self) -> usize {
        match self {
            Self::Overtaken => BATCH,
            Self::DueLast { most, .. } => most.clamp(LEAST, BATCH),
        }
    }
}

/// A claimed message with what is known of it.
struct Candidate {
    claim: Claim,
    known: Option<Delivery>,
    /// `None`: it stays in any case.
    task: Option<DeliveryTask>,
    /// Whether it is a recovery, and its failure was given up.
    was_given_up: bool,
}

/// What becomes of a claimed message.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    /// It stays.
    Stay,
    /// It is taken out; its record says already who tells of it, or does so now.
    Folded(Option<Box<Delivery>>),
    /// It is taken out, and its record says that it was given up.
    GiveUp(Box<Delivery>),
}

impl Surplus {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { context, lanes: HashMap::new() }
    }

    /// Works until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(POLL)).await.is_some() {
            // Other tasks need the queue too and report that it cannot be reached.
            let Ok(loads) = self.context.deliveries.crowded().await else { continue };
            // A shard may have gone to another node and come back: what was owed there is not known here.
            let named: HashSet<ChannelId> =
                loads.iter().map(|load| ChannelId::from_uuid(load.lane.as_uuid())).collect();
            self.context.owed.lock().keep_only(&named);
            owe_again(&self.context).await;
            let crowded = crowded(loads);
            for load in &crowded {
                if let Err(error) = self.relieve(*load, &shutdown).await {
                    tracing::debug!(error = %Chain(&error), channel.id = %load.lane, "failed to make room in the delivery queue; trying again");
                }
            }
            self.tell(&crowded);
        }
    }

    /// Takes out what a lane has too much.
    async fn relieve(&mut self, load: LaneLoad, shutdown: &CancellationToken) -> Result<(), SurplusError> {
        let lane = self.lanes.entry(load.lane).or_insert_with(|| Crowded {
            heads: SurplusWalk::Heads(None),
            hard: false,
            rests_until: None,
            given_up: 0,
            told_at: None,
        });
        if lane.rests_until.is_some_and(|until| until > Instant::now()) {
            return Ok(());
        }
        let mut surplus = load.held.saturating_sub(load.share);
        let (is_whole, hard) = (lane.heads == SurplusWalk::Heads(None), lane.hard);
        let (mut walk, mut found) = (SurplusWalk::default(), false);
        while surplus > 0 && !shutdown.is_cancelled() {
            let stage = match walk {
                SurplusWalk::Chains(_) => Stage::Overtaken,
                SurplusWalk::Heads(_) => Stage::DueLast { most: surplus, hard },
            };
            let claimed = self.context.deliveries.claim_surplus(load.lane, walk, stage.batch()).await?;
            let ids: Vec<MessageId> = claimed.claims.iter().map(|claim| claim.id).collect();
            let taken = match self.take_out(load.lane, stage, claimed.claims).await {
                Ok(taken) => taken,
                Err(error) => {
                    self.context.deliveries.give_back(&ids).await;
                    return Err(error);
                }
            };
            let Some(lane) = self.lanes.get_mut(&load.lane) else { return Ok(()) };
            lane.given_up += taken.given_up;
            found |= taken.messages > 0;
            surplus = surplus.saturating_sub(taken.messages);
            match claimed.next {
                Some(SurplusWalk::Heads(None)) => walk = lane.heads,
                Some(next @ SurplusWalk::Chains(_)) => walk = next,
                Some(next @ SurplusWalk::Heads(_)) => {
                    walk = next;
                    lane.heads = next;
                }
                None => {
                    lane.heads = SurplusWalk::Heads(None);
                    if is_whole && !found {
                        lane.rests_until = hard.then(|| Instant::now() + REST);
                        lane.hard = true;
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    /// Gives up what may be of these messages, and gives the others back.
    async fn take_out(
        &self,
        lane: LaneId,
        stage: Stage,
        claims: Vec<Claim>,
    ) -> Result<TakenOut, SurplusError> {
        if claims.is_empty() {
            return Ok(TakenOut { messages: 0, given_up: 0 });
        }
        let (mut records, mut outcomes, mut stay) = (Vec::new(), Vec::new(), Vec::new());
        let mut given_up: Vec<Note> = Vec::new();
        let channel = ChannelId::from_uuid(lane.as_uuid());
        for (claim, fate) in self.fates(channel, stage, claims).await? {
            match fate {
                Fate::Stay => {
                    stay.push(claim.id);
                    continue;
                }
                Fate::Folded(record) => records.extend(record.map(|record| *record)),
                Fate::GiveUp(record) => {
                    given_up.push(Note::Finished(record.id));
                    records.push(*record);
                }
            }
            outcomes.push((claim.id, Outcome::Withdraw));
        }
        // What is over, or overtaken, is not told later.
        let is_owed = !given_up.is_empty() && stage != Stage::Overtaken;
        if is_owed {
            owe(&self.context, channel).await;
        }
        if !records.is_empty() {
            self.context.history.put(records).await?;
        }
        let count = u64::try_from(given_up.len()).unwrap_or(u64::MAX);
        let known = self.context.directory.known(channel);
        if let Some(manner) = known.and_then(|channel| Manner::of(&channel)).filter(|_| count > 0) {
            // A notifier may have died after the desk let one of them go out.
            if let Err(error) = self.context.desks.note(channel, manner, given_up).await {
                // A desk that cannot be read must not keep the room from others. It waits for what it let go
                // out for two days at most.
                tracing::debug!(error = %Chain(&error), channel.id = %channel, "failed to tell a desk what is given up");
            }
        }
        while let Err(error) = self.context.deliveries.settle(outcomes.clone()).await {
            tracing::debug!(error = %Chain(&error), "failed to take messages out of the delivery queue; trying again");
            tokio::time::sleep(RETRY_AFTER).await;
        }
        self.context.deliveries.give_back(&stay).await;
        if is_owed {
            // There was no room for it, or the channel has caught up meanwhile and did not see these.
            owe(&self.context, channel).await;
        }
        (0..count).for_each(|_| self.context.metrics.delivery(DeliveryResult::NoRoom));
        Ok(TakenOut { messages: outcomes.len(), given_up: count })
    }

    async fn fates(
        &self,
        channel: ChannelId,
        stage: Stage,
        claims: Vec<Claim>,
    ) -> Result<Vec<(Claim, Fate)>, HistoryError> {
        let history = &self.context.history;
        let looked_up = stream::iter(claims).map(|claim| async move {
            let known = history.get(DeliveryId::from_uuid(claim.id.as_uuid())).await?;
            let known = known.filter(|known| !was_held(known));
            let task = task(&claim).filter(|_| !is_ended(known.as_ref()));
            let failure = task.as_ref().and_then(|task| failure_of(task.notice.flip()?, task.channel));
            let was_given_up = match failure.filter(|_| stage != Stage::Overtaken) {
                Some(failure) => history.get(failure).await?.is_some_and(|failure| is_given_up(&failure)),
                None => false,
            };
            Ok(Candidate { claim, known, task, was_given_up })
        });
        let found: Vec<Result<_, HistoryError>> = looked_up.buffered(LOOKUPS).collect().await;
        let found = found.into_iter().collect::<Result<Vec<Candidate>, _>>()?;
        let overtaken = Overtaken::of(found.iter().filter_map(|one| one.task.as_ref()));
        let now = self.context.clock.now();
        // The desk of a chat decides soon, and what it folds is taken out for nothing.
        let decides =
            self.context.directory.known(channel).is_some_and(|it| Manner::of(&it) == Some(Manner::Chat));
        let (mut taken, mut monitor) = (0, None);
        let fates = found.into_iter().map(|Candidate { claim, known, task, was_given_up }| {
            let Some(task) = task else { return (claim, Fate::Stay) };
            let may = match stage {
                Stage::Overtaken => overtaken.has(&task),
                Stage::DueLast { most, hard } => {
                    // What waits of a monitor goes together.
                    let is_enough = taken >= most && monitor != task.notice.monitor();
                    monitor = task.notice.monitor();
                    let is_told = task.folded_into.is_some();
                    let is_undecided = decides && !is_told && task.attempts == 0;
                    let may = is_told || was_given_up || (overtaken.may_end(&task) && !is_undecided);
                    !is_enough && (may || hard)
                }
            };
            if !may {
                return (claim, Fate::Stay);
            }
            taken += 1;
            let record = known.unwrap_or_else(|| task.pending(now));
            (claim, fate(&task, record))
        });
        Ok(fates.collect())
    }

    /// Says now and then which channels have too much.
    fn tell(&mut self, crowded: &[LaneLoad]) {
        let is_crowded: HashSet<LaneId> = crowded.iter().map(|load| load.lane).collect();
        for (lane, state) in &mut self.lanes {
            if state.given_up > 0 && state.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                let count = std::mem::take(&mut state.given_up);
                state.told_at = Some(Instant::now());
                tracing::warn!(channel.id = %lane, count, "gave up deliveries: too many wait for this channel");
            }
        }
        // What is said is forgotten after its time, so that it is not said more often.
        self.lanes.retain(|lane, state| {
            let lately = state.told_at.is_some_and(|at| at.elapsed() < TELL_EVERY);
            is_crowded.contains(lane) || lately || state.given_up > 0
        });
    }
}

/// The lanes that hold more than their share, the fullest first. While a queue is full, no lane has a share:
/// then the room is made where it is taken, and lanes that hold little beside the fullest are left alone.
fn crowded(mut loads: Vec<LaneLoad>) -> Vec<LaneLoad> {
    loads.retain(|load| load.held > load.share);
    loads.sort_unstable_by_key(|load| std::cmp::Reverse(load.held));
    let most = loads.first().map_or(0, |load| load.held);
    loads.retain(|load| load.held >= most.div_ceil(SMALL_BESIDE));
    loads
}

/// How many messages were taken out, and how many of them were given up.
struct TakenOut {
    messages: usize,
    given_up: u64,
}

/// The delivery of a message that may be given up as far as itself goes.
fn task(claim: &Claim) -> Option<DeliveryTask> {
    // One over which the decoder panics stays, until its attempts have given it up.
    let Some(DeliveryMessage::Task(task)) = look(&claim.body) else { return None };
    let is_alert = matches!(&task.notice, Notice::Alert(Alert::Flip(_) | Alert::Reminder { .. }));
    // A desk waits to hear of what it let go out.
    (is_alert && !task.at_desk).then_some(*task)
}

/// Whether it ended already, and the queue will be told.
fn is_ended(record: Option<&Delivery>) -> bool {
    record.is_some_and(|record| match record.state {
        DeliveryState::Delivered | DeliveryState::Dead | DeliveryState::Suppressed => true,
        DeliveryState::Pending | DeliveryState::Folded => false,
    })
}

/// What becomes of a delivery that may be given up.
fn fate(task: &DeliveryTask, record: Delivery) -> Fate {
    if record.state == DeliveryState::Folded {
        return Fate::Folded(None);
    }
    match task.folded_into {
        Some(by) => Fate::Folded(Some(Box::new(folded(record, by)))),
        None => Fate::GiveUp(Box::new(given_up(record))),
    }
}

/// The record of a delivery that is given up for lack of room.
pub(super) fn given_up(record: Delivery) -> Delivery {
    let note = Some(NO_ROOM.to_owned());
    Delivery { state: DeliveryState::Suppressed, next_attempt_at: None, folded_into: None, note, ..record }
}

/// Whether a delivery was given up for lack of room.
pub(crate) fn is_given_up(record: &Delivery) -> bool {
    record.state == DeliveryState::Suppressed && record.note.as_deref() == Some(NO_ROOM)
}

/// The delivery of the failure that a recovery ends.
pub(super) fn failure_of(flip: &Flip, channel: ChannelId) -> Option<DeliveryId> {
    (flip.to != State::Down).then(|| DeliveryId::derive(incident_of(flip), channel))
}

/// Which of some messages later ones have overtaken.
#[derive(Debug, Default)]
struct Overtaken {
    /// Incidents whose failure is among them.
    begun: HashSet<AlertId>,
    /// Those of which it was not attempted: what was attempted may have arrived.
    new: HashSet<AlertId>,
    /// Incidents whose recovery is among them.
    ended: HashSet<AlertId>,
    /// The last message of each monitor.
    last: HashMap<MonitorId, DeliveryId>,
}

impl Overtaken {
    /// Of messages of which those of a monitor stand in their order, for [`Self::has`].
    fn of<'a>(tasks: impl Iterator<Item = &'a DeliveryTask>) -> Self {
        let mut overtaken = Self::default();
        for task in tasks {
            if let Notice::Alert(Alert::Flip(flip)) = &task.notice {
                if flip.to != State::Down {
                    overtaken.ended.insert(incident_of(flip));
                } else {
                    overtaken.begun.insert(flip.id);
                    if task.attempts == 0 {
                        overtaken.new.insert(flip.id);
                    }
                }
            }
            if let Some(monitor) = task.notice.monitor() {
                overtaken.last.insert(monitor, task.id);
            }
        }
        overtaken
    }

    /// Whether it is no recovery, or one whose failure is among them.
    fn may_end(&self, task: &DeliveryTask) -> bool {
        match &task.notice {
            Notice::Alert(Alert::Flip(flip)) if flip.to != State::Down => {
                self.begun.contains(&incident_of(flip))
            }
            Notice::Alert(_)
            | Notice::WasDown(_)
            | Notice::Digest(_)
            | Notice::Storm(_)
            | Notice::Flapping(_)
            | Notice::Repost(_)
            | Notice::ChannelFailing(_) => true,
        }
    }

    /// Whether it belongs to an incident that begins and ends here, or is a reminder and not the last.
    fn has(&self, task: &DeliveryTask) -> bool {
        match &task.notice {
            Notice::Alert(Alert::Flip(flip)) if flip.to == State::Down => {
                self.new.contains(&flip.id) && self.ended.contains(&flip.id)
            }
            Notice::Alert(Alert::Flip(flip)) => self.new.contains(&incident_of(flip)),
            Notice::Alert(Alert::Reminder { down, .. }) => self.last.get(&down.monitor) != Some(&task.id),
            Notice::Alert(Alert::Test { .. })
            | Notice::WasDown(_)
            | Notice::Digest(_)
            | Notice::Storm(_)
            | Notice::Flapping(_)
            | Notice::Repost(_)
            | Notice::ChannelFailing(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_fullest_lanes_make_room_and_small_ones_are_left_alone() {
        let load = |lane: u128, held, share| LaneLoad { lane: Uuid::from_u128(lane).into(), held, share };
        let lanes = |loads: Vec<LaneLoad>| {
            let lanes = crowded(loads).into_iter().map(|load| load.lane.as_uuid().as_u128());
            lanes.collect::<Vec<_>>()
        };
        assert_eq!(lanes(vec![]), Vec::<u128>::new());
        // The queue is full: nobody has a share.
        assert_eq!(lanes(vec![load(1, 30, 0), load(2, 800, 0), load(3, 99, 0), load(4, 100, 0)]), [2, 4]);
        assert_eq!(lanes(vec![load(1, 30, 40), load(2, 50, 40), load(3, 41, 40)]), [2, 3]);
    }
}
