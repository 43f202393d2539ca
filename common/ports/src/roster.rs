//! The roster: which nodes of a role are present.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use model::time::EventTime;
use parking_lot::Mutex;

use super::error::BackendError;

/// The roster cannot be reached now; the same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[error("reach the roster")]
pub struct RosterError(#[source] pub BackendError);

/// A node on the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The node's name, a new one for each start.
    pub name: String,
    /// Counts the node's beats. An observer that looks twice, some time apart by its own clock, sees whether
    /// the node lives.
    pub beat: u64,
}

/// A note that the nodes of a role leave for each other: what the operator was told, so that they are told
/// it once. There is one at most about each thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What was told, and how.
    pub about: String,
    /// The node that told it, and that is to tell its end.
    pub by: String,
    /// When it began, by that node's clock.
    pub at: EventTime,
}

/// The nodes of one role. The clocks of different nodes are never compared.
///
/// A member that has been silent for a day may be forgotten. A note stays until it is taken off, also when
/// its writer is gone. Notes must be about a fixed set of things, so that there are never many.
#[async_trait]
pub trait Roster: Send + Sync {
    /// Beats for `name`, and answers all nodes that ever beat and did not leave, `name` included, ordered by
    /// name.
    ///
    /// # Errors
    /// [`RosterError`].
    async fn beat(&self, name: &str) -> Result<Vec<Member>, RosterError>;

    /// Takes `name` off the roster.
    ///
    /// # Errors
    /// [`RosterError`].
    async fn leave(&self, name: &str) -> Result<(), RosterError>;

    /// Writes a note, over what was there about the same thing.
    ///
    /// # Errors
    /// [`RosterError`].
    async fn note(&self, note: &Note) -> Result<(), RosterError>;

    /// Takes off the note about this, if there is one.
    ///
    /// # Errors
    /// [`RosterError`].
    async fn forget(&self, about: &str) -> Result<(), RosterError>;

    /// All notes, ordered by what they are about.
    ///
    /// # Errors
    /// [`RosterError`].
    async fn notes(&self) -> Result<Vec<Note>, RosterError>;
}

/// Notes in memory.
#[derive(Debug, Default)]
pub struct Notes(Mutex<BTreeMap<String, Note>>);

impl Notes {
    /// Writes a note, over what was there about the same thing.
    pub fn write(&self, note: &Note) {
        self.0.lock().insert(note.about.clone(), note.clone());
    }

    /// Takes off the note about this, if there is one.
    pub fn remove(&self, about: &str) {
        self.0.lock().remove(about);
    }

    /// All notes, ordered by what they are about.
    pub fn all(&self) -> Vec<Note> {
        self.0.lock().values().cloned().collect()
    }
}

/// The roster of a role that has one node only, as in one process: each beat answers the node itself.
#[derive(Debug, Default)]
pub struct Alone {
    beats: AtomicU64,
    notes: Notes,
}

#[async_trait]
impl Roster for Alone {
    async fn beat(&self, name: &str) -> Result<Vec<Member>, RosterError> {
        Ok(vec![Member { name: name.to_owned(), beat: self.beats.fetch_add(1, Ordering::Relaxed) + 1 }])
    }

    async fn leave(&self, _name: &str) -> Result<(), RosterError> {
        Ok(())
    }

    async fn note(&self, note: &Note) -> Result<(), RosterError> {
        self.notes.write(note);
        Ok(())
    }

    async fn forget(&self, about: &str) -> Result<(), RosterError> {
        self.notes.remove(about);
        Ok(())
    }

    async fn notes(&self) -> Result<Vec<Note>, RosterError> {
        Ok(self.notes.all())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lone_node_meets_itself_with_a_beat_that_moves() {
        let roster = Alone::default();
        for beat in [1, 2] {
            let met = roster.beat("a node").await.expect("it cannot fail");
            assert_eq!(met, [Member { name: "a node".to_owned(), beat }]);
        }
    }
}
