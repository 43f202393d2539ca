//! What is in hand, in case it ends the process (I18).
//!
//! What panics is caught and counted. What overflows the stack, takes all memory or aborts ends the process,
//! and comes again to the next one. So a note in the ledger says of a message that it is in hand. The note is
//! removed when the message is dealt with, however that ended. A note that is found is of a process that
//! died, and its message is a suspect: suspects are handled one at a time, so that of those that were in hand
//! together only the one that ends the process is found in hand again. The note of a suspect stays until its
//! outcome is written down: the next one may end the process before that.
//!
//! A process that is killed from outside, again and again, has something in hand each time as well: most
//! likely a delivery that waits for its receiver. So an end while our own code is at work is grave, and one
//! amid such a wait counts a quarter of that. The same holds for a wait for a store.
//!
//! A note costs two or three writes. So only what comes by a lane that the process has not known for long is
//! noted: a message that ended a process comes to the next one at once, by a lane that is new to it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use model::wire::{self, Message};
use parking_lot::Mutex;
use ports::clock::Clock;
use ports::ledger::{Ledger, LedgerError};
use ports::queue::{LaneId, MessageId};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::health::{Health, Part};

/// How long what comes by a lane is noted, from the first message on.
pub(crate) const NEW_FOR: Duration = Duration::from_secs(2 * 60);

/// After what time the call of a store is noted as a wait. Most calls are over sooner, and cost no note.
pub(crate) const WAITS_AFTER: Duration = Duration::from_millis(250);

/// Most lanes that are remembered. When there are more, all are new again.
const LANES: usize = 10_000;

/// Most messages that are remembered although their notes could not be removed.
const NOTED: usize = 10_000;

/// How long a suspect waits for its turn. It takes the place of another message meanwhile.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// How often a write is tried again when another notifier wrote meanwhile.
const TRIES: usize = 5;

/// The wait before a note that could not be removed is removed.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// The weight of an end while our code is at work on a message.
pub(crate) const AT_WORK: u32 = 4;

/// The weight of an end while the message only waits, mostly for the answer of a receiver.
pub(crate) const WAITING: u32 = 1;

/// The weight of an end when the message was dealt with, and only its outcome is not written down.
pub(crate) const DEALT_WITH: u32 = 0;

/// A message of this suspicion is given up: that is three ends in a row at work.
pub(crate) const GIVEN_UP_AT: u32 = 3 * AT_WORK;

/// A message of this suspicion ended a process that only gave it up.
pub(crate) const BURIED_AT: u32 = GIVEN_UP_AT + AT_WORK;

/// The key of the one row in the scope of a message.
const ROW: Uuid = Uuid::nil();

/// A note in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InHandNote {
    /// The weights of the processes in a row that had the message in hand, the writer's own included.
    pub(crate) suspicion: u32,
}

impl Message for InHandNote {
    const NAME: &'static str = "note of what is in hand";
    const VERSION: u8 = 1;
    const NAMED: bool = false;
}

/// How a message may be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Beside others. It is in hand from now on.
    Free,
    /// Processes died with it in hand: only after [`InHand::take_suspect`].
    Suspect {
        /// At least 1.
        suspicion: u32,
    },
}

/// The turn of a suspect, until it is dropped.
pub(crate) struct Turn(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

/// The messages that this process has in hand and noted.
pub(crate) struct InHand {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    health: Health,
    new_for: Duration,
    waits_after: Duration,
    /// When the first message of each lane came.
    lanes: Mutex<HashMap<LaneId, Duration>>,
    noted: Mutex<HashMap<MessageId, Noted>>,
    turn: Arc<Semaphore>,
}

#[derive(Debug, Clone, Copy)]
struct Noted {
    /// The suspicion before this process took it in hand.
    before: u32,
    /// The weight that the note adds; 0: it is not known to be written.
    weight: u32,
}

impl InHand {
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        health: Health,
        new_for: Duration,
        waits_after: Duration,
    ) -> Self {
        Self {
            ledger,
            clock,
            health,
            new_for,
            waits_after,
            lanes: Mutex::default(),
            noted: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Whether what comes by this lane is noted.
    pub(crate) fn is_new(&self, lane: LaneId) -> bool {
        let now = self.clock.elapsed();
        let mut lanes = self.lanes.lock();
        if lanes.len() >= LANES && !lanes.contains_key(&lane) {
            lanes.clear();
        }
        now.saturating_sub(*lanes.entry(lane).or_insert(now)) < self.new_for
    }

    /// Takes a message in hand, unless it is a suspect. It can be done again.
    pub(crate) async fn take(&self, lane: LaneId, id: MessageId) -> Result<Taken, LedgerError> {
        if !self.is_new(lane) {
            self.health.well(Part::InHand);
            return Ok(Taken::Free);
        }
        let noted = self.noted.lock().get(&id).copied();
        let suspicion = match noted {
            // What this process wrote itself says nothing.
            Some(noted) => noted.before,
            None => self.suspicion(id).await?,
        };
        if suspicion > 0 {
            return Ok(Taken::Suspect { suspicion });
        }
        if noted.is_none_or(|noted| noted.weight != AT_WORK) {
            self.note(id, 0, AT_WORK).await?;
        }
        Ok(Taken::Free)
    }

    /// Takes a suspect in hand when no other one is; `None` if that takes long. It is to be let go before the
    /// turn is dropped.
    pub(crate) async fn take_suspect(
        &self,
        id: MessageId,
        suspicion: u32,
    ) -> Result<Option<Turn>, LedgerError> {
        let waited = tokio::time::timeout(TURN_WITHIN, Arc::clone(&self.turn).acquire_owned()).await;
        // The semaphore is never closed.
        let Ok(Ok(permit)) = waited else { return Ok(None) };
        tracing::warn!(message.id = %id, suspicion, "a notifier ended with this in hand; handling it alone");
        self.note(id, suspicion, AT_WORK).await?;
        Ok(Some(Turn(permit)))
    }

    /// From now on the message waits ([`WAITING`]), or our code is at work on it again ([`AT_WORK`]), or has
    /// dealt with it ([`DEALT_WITH`]). If that cannot be noted, it counts as before.
    pub(crate) async fn weighs(&self, id: MessageId, weight: u32) {
        let noted = self.noted.lock().get(&id).copied();
        if let Some(noted) = noted.filter(|noted| noted.weight != weight)
            && let Err(error) = self.note(id, noted.before, weight).await
        {
            self.health.trouble(Part::InHand, &error);
        }
    }

    /// Awaits what others are to answer, for the sake of the message. A long wait is noted as one.
    pub(crate) async fn waits<T>(&self, id: MessageId, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        if let Ok(answered) = tokio::time::timeout(self.waits_after, &mut answer).await {
            return answered;
        }
        // The note needs a store as well: the answer is waited for meanwhile.
        let ((), answered) = tokio::join!(self.weighs(id, WAITING), answer);
        self.weighs(id, AT_WORK).await;
        answered
    }

    /// The message is dealt with, and the process lives. It tries until the note is removed.
    pub(crate) async fn let_go(&self, id: MessageId) {
        while let Err(error) = self.remove(id).await {
            self.health.trouble(Part::InHand, &error);
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// As [`Self::let_go`], once: for what ended by a panic, or was broken off. If it fails, this process
    /// does not count the note.
    pub(crate) async fn try_to_let_go(&self, id: MessageId) {
        if let Err(error) = self.remove(id).await {
            self.health.trouble(Part::InHand, &error);
        }
    }

    /// The process leaves in order: nothing that it has in hand ended it.
    pub(crate) async fn leave(&self) {
        let ids: Vec<MessageId> = self.noted.lock().keys().copied().collect();
        join_all(ids.into_iter().map(|id| self.try_to_let_go(id))).await;
    }

    async fn suspicion(&self, id: MessageId) -> Result<u32, LedgerError> {
        let page = self.ledger.load(scope(id)).await?;
        let row = page.rows.iter().find(|(key, _)| *key == ROW);
        // A note that cannot be read is written anew.
        let note = row.and_then(|(_, bytes)| wire::decode::<InHandNote>(bytes).ok());
        Ok(note.map_or(0, |note| note.suspicion))
    }

    async fn note(&self, id: MessageId, before: u32, weight: u32) -> Result<(), LedgerError> {
        // Before it is written, so that a note that this process wrote in vain is known to be its own.
        self.remember(id, Noted { before, weight: 0 });
        let note = InHandNote { suspicion: before.saturating_add(weight) };
        self.write(id, Some(&note)).await?;
        self.remember(id, Noted { before, weight });
        self.health.well(Part::InHand);
        Ok(())
    }

    fn remember(&self, id: MessageId, this: Noted) {
        let mut noted = self.noted.lock();
        if noted.len() >= NOTED && !noted.contains_key(&id) {
            noted.clear();
        }
        noted.insert(id, this);
    }

    async fn remove(&self, id: MessageId) -> Result<(), LedgerError> {
        if !self.noted.lock().contains_key(&id) {
            return Ok(());
        }
        self.write(id, None).await?;
        self.noted.lock().remove(&id);
        self.health.well(Part::InHand);
        Ok(())
    }

    async fn write(&self, id: MessageId, note: Option<&InHandNote>) -> Result<(), LedgerError> {
        let mut tries = 0;
        loop {
            let version = self.ledger.load(scope(id)).await?.version;
            // There is nothing to remove.
            if version == 0 && note.is_none() {
                return Ok(());
            }
            tries += 1;
            match self.ledger.write(scope(id), version, vec![(ROW, note.map(wire::encode))]).await {
                Ok(_) => return Ok(()),
                Err(LedgerError::Conflict { .. }) if tries < TRIES => {}
                Err(error @ (LedgerError::Conflict { .. } | LedgerError::Unavailable(_))) => {
                    return Err(error);
                }
            }
        }
    }
}

/// Of its own: the id of a message may be that of another thing that is remembered.
pub(crate) fn scope(id: MessageId) -> Uuid {
    Uuid::new_v5(&id.as_uuid(), b"in hand")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::check_golden;

    #[test]
    fn a_note_is_stored_as_it_was() {
        let note = InHandNote { suspicion: 2 };
        let bytes = wire::encode(&note);
        check_golden("in_hand_v1", &bytes);
        assert_eq!(wire::decode::<InHandNote>(&bytes).expect("readable"), note);
    }
}
