//! Carries one delivery: through its phases, alone if it was in hand when processes ended, or to its end.

use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::channel::Channel;
use model::delivery::{Delivery, DeliveryMessage, DeliveryTask};
use model::flip::Alert;
use model::ids::{ChannelId, DeliveryId};
use model::notice::Notice;
use model::time::EventTime;
use model::wire::WireError;
use ports::queue::{Claim, MessageId, Outcome};
use tokio::sync::{mpsc, oneshot};

use super::catching_up::{catch_up, is_for_later};
use super::context::Context;
use super::looking_after::look_after;
use super::owing::owe;
use super::phases::{Claimed, Opened, Opening, Preparation};
use super::reading::decode;
use super::settled::Settled;
use super::surplus::{failure_of, given_up, is_given_up};
use super::teller::teller;
use crate::defects::GivenUp;
use crate::desk;
use crate::desk::keeper::Manner;
use crate::gate::was_held;
use crate::health::Part;
use crate::in_hand::{AT_WORK, BURIED_AT, DEALT_WITH, GIVEN_UP_AT, Taken, WAITING};

/// The wait before a claim that cannot be dealt with now is tried again.
const PUT_BACK_FOR: Duration = Duration::from_secs(1);

/// The wait before a message of a newer Lubdub, or one that an attempt panicked over, is tried again: another
/// node may do better.
pub(super) const PUT_BACK_LONG: Duration = Duration::from_secs(60);

/// The wait before a suspect that had no turn is tried again.
const PUT_BACK_SUSPECT: Duration = Duration::from_secs(5);

/// How long a suspect that was dealt with keeps the turn until its outcome is written down.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// The wait before a wake-up of a desk, or a channel's message to itself, is tried again that ended three
/// processes. It cannot be buried: what the desk gathered, or the channel missed, waits for it.
const PUT_BACK_WAKE: Duration = Duration::from_secs(3_600);

/// Carries one delivery through all its phases.
pub(super) async fn carry(context: Arc<Context>, claim: Claim, recorder: mpsc::Sender<Settled>) {
    let (id, lane) = (claim.id, claim.lane);
    let settled = match context.in_hand.take(lane, id).await {
        Ok(Taken::Free) => {
            let settled = carry_through(&context, claim).await;
            // Before it is settled, so that no note outlives its message.
            context.in_hand.let_go(id).await;
            settled
        }
        Ok(Taken::Suspect { suspicion }) => {
            return carry_suspect(&context, claim, suspicion, &recorder).await;
        }
        Err(error) => {
            context.health.trouble(Part::InHand, &error);
            let due_at = context.clock.now() + PUT_BACK_FOR;
            Settled::put_back(id, lane, claim.body, due_at)
        }
    };
    // The recorder goes last, unless the process is going anyway.
    let _ = recorder.send(settled).await;
}

/// Carries a delivery that was in hand when processes ended: alone, and not for ever.
///
/// It stays in hand until the recorder has written down what came of it: the next suspect may end the
/// process, and this one would begin anew. It keeps the turn until then, but not for long: the recorder may
/// wait for the desk of this channel, and suspects of other channels need not.
async fn carry_suspect(context: &Context, claim: Claim, suspicion: u32, recorder: &mpsc::Sender<Settled>) {
    let (id, lane) = (claim.id, claim.lane);
    let turn = match context.in_hand.take_suspect(id, suspicion).await {
        Ok(Some(turn)) => turn,
        not_taken => {
            if let Err(error) = not_taken {
                context.health.trouble(Part::InHand, &error);
            }
            let due_at = context.clock.now() + PUT_BACK_SUSPECT;
            let _ = recorder.send(Settled::put_back(id, lane, claim.body, due_at)).await;
            return;
        }
    };
    let settled = match suspicion {
        ..GIVEN_UP_AT => carry_through(context, claim).await,
        GIVEN_UP_AT..BURIED_AT => give_up(context, claim, GivenUp::EndedProcesses).await,
        // To read it is what ends processes.
        _ => {
            tracing::error!(delivery.id = %id, suspicion, "gave a delivery up that cannot be looked at");
            Settled::buried(id, lane)
        }
    };
    let (written, mut is_written) = oneshot::channel();
    let settled = Settled { written: Some(written), ..settled };
    if recorder.send(settled).await.is_err() {
        return;
    }
    let (answered, turn) = match tokio::time::timeout(WRITTEN_WITHIN, &mut is_written).await {
        Ok(answered) => (answered, Some(turn)),
        Err(_) => {
            // An end of the process from now on is that of another suspect.
            context.in_hand.weighs(id, DEALT_WITH).await;
            drop(turn);
            (is_written.await, None)
        }
    };
    if answered.is_ok() {
        context.in_hand.let_go(id).await;
    }
    drop(turn);
}

/// Ends a delivery whose attempts panic or end the process, in sight of people.
pub(super) async fn give_up(context: &Context, claim: Claim, why: GivenUp) -> Settled {
    let now = context.clock.now();
    match decode(&claim.body) {
        Ok(DeliveryMessage::Task(task)) if !is_for_later(&task) => {
            let known = async {
                loop {
                    match context.history.get(task.id).await {
                        Ok(known) => break known.filter(|known| !was_held(known)),
                        Err(error) => context.health.trouble(Part::Attempts, &error),
                    }
                    tokio::time::sleep(PUT_BACK_FOR).await;
                }
            };
            let known = context.in_hand.waits(claim.id, known).await;
            let channel = context.directory.known(task.channel);
            Claimed::new(claim.lane, *task).give_up(known, channel.as_deref(), why.why(), now)
        }
        // What the desk gathered, or the channel missed, waits for this, or an incident is to be closed.
        Ok(DeliveryMessage::Wake(_) | DeliveryMessage::Task(_) | DeliveryMessage::Incident(_)) => {
            let wait = match why {
                GivenUp::Panicked => PUT_BACK_LONG,
                GivenUp::EndedProcesses => PUT_BACK_WAKE,
            };
            tracing::error!(message.id = %claim.id, why = why.why(), "left a desk, or a channel that is to catch up, alone for a while");
            Settled::put_back(claim.id, claim.lane, claim.body, now + wait)
        }
        Err(error) => Settled::unreadable(&claim, None, &error, now),
    }
}

async fn carry_through(context: &Context, claim: Claim) -> Settled {
    let in_hand = claim.id;
    let now = context.clock.now();
    let put_back = |claim: Claim, wait| Settled::put_back(claim.id, claim.lane, claim.body, now + wait);
    let known = context.history.get(DeliveryId::from_uuid(in_hand.as_uuid()));
    let known = match context.in_hand.waits(in_hand, known).await {
        Ok(Some(known)) if is_given_up(&known) => return withdrawn(&claim),
        // The history is of an earlier time: the alert was held back then, and is told since.
        Ok(known) => known.filter(|known| !was_held(known)),
        Err(error) => {
            context.health.trouble(Part::Attempts, &error);
            return put_back(claim, PUT_BACK_FOR);
        }
    };
    let message = match decode(&claim.body) {
        Ok(message) => message,
        Err(error) => return unread(claim, known, &error, now),
    };
    let id = message.channel();
    let channel = match context.in_hand.waits(in_hand, context.directory.find(id)).await {
        Ok(channel) => channel,
        Err(error) => {
            context.health.trouble(Part::Attempts, &error);
            return put_back(claim, PUT_BACK_FOR);
        }
    };
    context.health.well(Part::Attempts);
    let claimed = match message {
        DeliveryMessage::Task(task) if is_for_later(&task) => {
            return context.in_hand.waits(in_hand, catch_up(context, claim, &task, channel.as_deref())).await;
        }
        DeliveryMessage::Task(task) => {
            if let Some(settled) = without_its_failure(context, &claim, &task, known.as_ref(), now).await {
                return settled;
            }
            Claimed::new(claim.lane, *task)
        }
        DeliveryMessage::Wake(_) => return look_again(context, claim, id, channel.as_deref()).await,
        DeliveryMessage::Incident(open) => {
            return context
                .in_hand
                .waits(in_hand, look_after(context, claim, *open, channel.as_deref()))
                .await;
        }
    };
    if channel.is_none() {
        forget_gone(context, id).await;
    }
    let tellers = claimed.tellers(known.as_ref());
    match context.in_hand.waits(in_hand, teller(context, claim.lane, &tellers)).await {
        Ok(Some((by, standing))) => return claimed.follow(by, standing, known, now),
        Ok(None) => {}
        Err(error) => {
            context.health.trouble(Part::Attempts, &error);
            return put_back(claim, PUT_BACK_FOR);
        }
    }
    let mut opened = match claimed.open(known, channel, now) {
        Opening::Open(opened) => *opened,
        Opening::Settled(settled) => return *settled,
    };
    if let Some((manner, question)) = opened.question() {
        // Without the ledger, which the desk waits for, no wait can be noted.
        let admission = match context.desks.ask(id, manner, question).await {
            Ok(admission) => admission,
            Err(error) => {
                context.health.trouble(Part::Desks, &error);
                return put_back(claim, PUT_BACK_FOR);
            }
        };
        context.health.well(Part::Desks);
        opened = match opened.admitted(admission, now) {
            Ok(opened) => opened,
            Err(settled) => return *settled,
        };
    }
    attempt(context, id, in_hand, opened, now).await
}

/// Ends a delivery that cannot be read, or leaves it to a newer notifier.
fn unread(claim: Claim, known: Option<Delivery>, error: &WireError, now: EventTime) -> Settled {
    match error {
        WireError::Newer { .. } => {
            tracing::warn!(error = %Chain(error), "cannot read a delivery; leaving it to a newer notifier");
            Settled::put_back(claim.id, claim.lane, claim.body, now + PUT_BACK_LONG)
        }
        WireError::Empty { .. } | WireError::Older { .. } | WireError::Damaged { .. } => {
            tracing::error!(error = %Chain(error), "failed to read a delivery; it is a dead letter now");
            Settled::unreadable(&claim, known, error, now)
        }
    }
}

/// Removes the desk of a channel that is gone. If that fails, its next delivery tries again.
async fn forget_gone(context: &Context, id: ChannelId) {
    if let Err(error) = context.desks.forget(id).await {
        tracing::debug!(error = %Chain(&error), "failed to forget what a deleted channel was told");
    }
}

/// Takes a message out whose delivery was given up by a notifier that died over it: it may come again.
fn withdrawn(claim: &Claim) -> Settled {
    Settled { outcome: Outcome::Withdraw, ..Settled::done(claim.id, claim.lane) }
}

/// Makes the attempt, in its channel's turn.
async fn attempt(
    context: &Context,
    channel: ChannelId,
    in_hand: MessageId,
    opened: Opened,
    now: EventTime,
) -> Settled {
    let interval = opened.interval();
    if interval > Duration::ZERO {
        context.in_hand.weighs(in_hand, WAITING).await;
        context.pace.turn(channel, interval).await;
        context.in_hand.weighs(in_hand, AT_WORK).await;
    }
    let facts = context.in_hand.waits(in_hand, context.facts.about(opened.notice())).await;
    let attempted = match opened.prepare(&context.transports, &facts, now) {
        Preparation::Ready(prepared) => {
            context.in_hand.weighs(in_hand, WAITING).await;
            prepared.attempt(&context.transports, &context.clock).await
        }
        Preparation::Failed(attempted) => attempted,
    };
    attempted.settle(rand::random())
}

/// Nobody hears of a recovery without having heard of the failure: ends one whose failure was given up for
/// lack of room. `None`: it is no such recovery, or was begun.
async fn without_its_failure(
    context: &Context,
    claim: &Claim,
    task: &DeliveryTask,
    known: Option<&Delivery>,
    now: EventTime,
) -> Option<Settled> {
    let failure = task.notice.flip().and_then(|flip| failure_of(flip, task.channel));
    let is_alert = matches!(&task.notice, Notice::Alert(Alert::Flip(_)));
    let failure = failure.filter(|_| is_alert && task.attempts == 0 && !task.at_desk)?;
    match context.in_hand.waits(claim.id, context.history.get(failure)).await {
        Ok(Some(failure)) if is_given_up(&failure) => {}
        Ok(_) => return None,
        Err(error) => {
            context.health.trouble(Part::Attempts, &error);
            let body = claim.body.clone();
            return Some(Settled::put_back(claim.id, claim.lane, body, now + PUT_BACK_FOR));
        }
    }
    let record = match known {
        // The outcome was written down, but the queue was not told.
        Some(known) if known.state.is_over() => None,
        known => Some(given_up(known.cloned().unwrap_or_else(|| task.pending(now)))),
    };
    // The failure may be told at this moment, by the channel's message to itself. Then the recovery is owed,
    // and must be able to come again.
    owe(context, task.channel).await;
    Some(Settled { record, ..withdrawn(claim) })
}

/// A moment that the channel's desk asked for has come.
async fn look_again(context: &Context, claim: Claim, id: ChannelId, channel: Option<&Channel>) -> Settled {
    let looked = match channel {
        Some(channel) => {
            let manner = Manner::of(channel).unwrap_or(Manner::Chat);
            context.desks.note(id, manner, vec![desk::Note::Wake]).await
        }
        None => context.desks.forget(id).await,
    };
    match looked {
        Ok(()) => {
            context.health.well(Part::Desks);
            Settled::done(claim.id, claim.lane)
        }
        Err(error) => {
            context.health.trouble(Part::Desks, &error);
            Settled::put_back(claim.id, claim.lane, claim.body, context.clock.now() + PUT_BACK_FOR)
        }
    }
}
