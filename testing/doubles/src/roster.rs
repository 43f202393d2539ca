//! The roster in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::Mutex;

use ports::roster::{Member, Note, Notes, Roster, RosterError};

/// A [`Roster`] in memory: for one process, and for tests.
#[derive(Debug, Default)]
pub struct InMemoryRoster {
    beats: Mutex<BTreeMap<String, u64>>,
    notes: Notes,
}

impl InMemoryRoster {
    /// An empty roster.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Roster for InMemoryRoster {
    async fn beat(&self, name: &str) -> Result<Vec<Member>, RosterError> {
        let mut beats = self.beats.lock();
        *beats.entry(name.to_owned()).or_default() += 1;
        Ok(beats.iter().map(|(name, beat)| Member { name: name.clone(), beat: *beat }).collect())
    }

    async fn leave(&self, name: &str) -> Result<(), RosterError> {
        self.beats.lock().remove(name);
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
