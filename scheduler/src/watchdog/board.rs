//! What the schedulers tell each other about the news that the operator was told: notes on their roster.

use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::time::EventTime;
use ports::roster::{Note, Roster, RosterError};
use tokio::time::timeout;

use super::turn::Turn;
use crate::shares::{Shares, Standing};

/// Longest wait for the roster: the operator is to hear of trouble although the roster hangs.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// The notes of all schedulers.
pub(super) struct Board {
    /// `None` for a scheduler that tells for itself.
    shared: Option<(Arc<dyn Roster>, Arc<Shares>)>,
    /// Since when the roster could be used without a break.
    known_since: Option<Duration>,
}

/// What one look at the board shows.
pub(super) struct Sight {
    standing: Standing,
    /// `None` if the roster cannot be used.
    notes: Option<Vec<Note>>,
    pub(super) turn: Turn,
}

/// Who told the operator of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Teller {
    /// No scheduler.
    None,
    /// This scheduler.
    Me,
    /// Another one, which lives.
    Living,
    /// One that does not live, and when the trouble began.
    Dead(EventTime),
    /// The roster cannot be used.
    Unknown,
}

impl Board {
    /// Shared with the other schedulers on the roster.
    pub(super) const fn shared(roster: Arc<dyn Roster>, shares: Arc<Shares>) -> Self {
        Self { shared: Some((roster, shares)), known_since: None }
    }

    /// Of a scheduler that knows no others.
    pub(super) const fn alone() -> Self {
        Self { shared: None, known_since: None }
    }

    /// Reads all notes.
    pub(super) async fn look(&mut self, elapsed: Duration) -> Sight {
        let Some((roster, shares)) = &self.shared else {
            let turn = Turn { is_first: true, known_for: Some(Duration::ZERO) };
            return Sight { standing: Standing::default(), notes: Some(Vec::new()), turn };
        };
        // One that cannot beat may be able to read and not to write: no note would be a bad sign then.
        let notes = bounded("read", roster.notes()).await;
        let standing = shares.standing();
        let notes = notes.filter(|_| standing.is_current);
        self.known_since = notes.as_ref().map(|_| self.known_since.unwrap_or(elapsed));
        let known_for = self.known_since.map(|since| elapsed.saturating_sub(since));
        Sight { turn: Turn { is_first: standing.is_first(), known_for }, standing, notes }
    }

    /// Writes in this scheduler's name that the operator was told; whether it was written.
    pub(super) async fn note(&self, sight: &Sight, about: &str, at: EventTime) -> bool {
        let Some((roster, _)) = &self.shared else { return true };
        let note = Note { about: about.to_owned(), by: sight.standing.name.clone(), at };
        sight.notes.is_some() && bounded("write", roster.note(&note)).await.is_some()
    }

    /// Takes a note off. If that fails, it is seen and taken off later.
    pub(super) async fn forget(&self, sight: &Sight, about: &str) {
        if let Some((roster, _)) = &self.shared
            && sight.notes.is_some()
        {
            bounded("take off", roster.forget(about)).await;
        }
    }
}

impl Sight {
    /// Who told the operator of this.
    pub(super) fn teller(&self, about: &str) -> Teller {
        let Some(notes) = &self.notes else { return Teller::Unknown };
        match notes.iter().find(|note| note.about == about) {
            None => Teller::None,
            Some(note) if note.by == self.standing.name => Teller::Me,
            Some(note) if self.standing.living.contains(&note.by) => Teller::Living,
            Some(note) => Teller::Dead(note.at),
        }
    }
}

async fn bounded<T>(what: &str, call: impl Future<Output = Result<T, RosterError>>) -> Option<T> {
    match timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(error = %Chain(&error), "failed to {what} notes of the roster; trying again");
            None
        }
        Err(_) => {
            tracing::debug!("failed to {what} notes of the roster in time; trying again");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use doubles::{Fault, FaultAt, FaultyRoster, InMemoryRoster};
    use ports::clock::SystemClock;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_roster_that_hangs_keeps_no_scheduler_from_its_look() {
        let shares = Arc::new(Shares::new("a".to_owned(), 1, Arc::new(SystemClock::new())));
        shares.beat(&InMemoryRoster::new()).await.expect("memory");
        let hangs = FaultyRoster::new(Arc::new(InMemoryRoster::new()), FaultAt::new(Fault::DeathBefore, 0));
        let mut board = Board::shared(Arc::new(hangs), shares);
        let sight = board.look(Duration::ZERO).await;
        assert_eq!(sight.teller("lubdub.stalled mail"), Teller::Unknown);
        assert!(sight.turn.is_first && sight.turn.known_for.is_none(), "{:?}", sight.turn);
    }
}
