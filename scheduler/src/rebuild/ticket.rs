//! The record of a rebuild, for the scheduler that carries it out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::chain::Chain;
use model::ids::{Offset, RebuildId, Revision};
use model::rebuild::{Rebuild, RebuildState};
use model::wire;
use ports::clock::Clock;
use ports::registry::{Expected, RecordKey, RecordKind, Registry, RegistryError};

/// The interval between two reports of a rebuild's progress.
const SAY_EVERY: Duration = Duration::from_secs(2);
/// The pause before an outcome that could not be written is written again.
const SAY_AGAIN: Duration = Duration::from_secs(1);

/// A rebuild that is carried out here.
pub(crate) struct Ticket {
    registry: Arc<dyn Registry>,
    clock: Arc<dyn Clock>,
    revision: Revision,
    rebuild: Rebuild,
    said_at: Option<Duration>,
}

/// The record has changed: it holds another request, or an outcome.
#[derive(Debug)]
pub(crate) struct RecordChanged;

impl Ticket {
    pub(crate) fn new(
        registry: Arc<dyn Registry>,
        clock: Arc<dyn Clock>,
        (revision, rebuild): (Revision, Rebuild),
    ) -> Self {
        Self { registry, clock, revision, rebuild, said_at: None }
    }

    pub(crate) const fn asked(&self) -> &Rebuild {
        &self.rebuild
    }

    pub(crate) const fn id(&self) -> RebuildId {
        self.rebuild.id
    }

    /// Writes the progress to the registry now and then. If the registry cannot be reached, a later call
    /// writes it.
    ///
    /// # Errors
    /// [`RecordChanged`] if the record has changed.
    pub(crate) async fn reached(&mut self, applied: Offset, through: Offset) -> Result<(), RecordChanged> {
        let now = self.clock.elapsed();
        if self.said_at.is_some_and(|at| now.saturating_sub(at) < SAY_EVERY) {
            return Ok(());
        }
        self.said_at = Some(now);
        match self.say(RebuildState::Running { applied, through }).await {
            Ok(()) => Ok(()),
            Err(RegistryError::Conflict) => Err(RecordChanged),
            Err(error @ RegistryError::Unavailable(_)) => {
                tracing::debug!(error = %Chain(&error), "failed to report the progress of a rebuild");
                Ok(())
            }
        }
    }

    /// Writes the outcome, however long that takes, unless the record has changed.
    pub(crate) async fn finish(mut self, state: RebuildState) {
        while let Err(error) = self.say(state.clone()).await {
            if !error.is_transient() {
                return;
            }
            tracing::debug!(error = %Chain(&error), "failed to write the outcome of a rebuild; trying again");
            tokio::time::sleep(SAY_AGAIN).await;
        }
    }

    async fn say(&mut self, state: RebuildState) -> Result<(), RegistryError> {
        self.rebuild.state = state;
        self.rebuild.updated_at = self.clock.now();
        let key = RecordKey::new(RecordKind::Rebuild, self.rebuild.partition);
        let value = wire::encode(&self.rebuild);
        match self.put(&key, value.clone()).await {
            Err(RegistryError::Conflict) => {}
            done => return done,
        }
        // The record may hold a write of ours whose answer was lost.
        let Some(found) = self.registry.get(&key).await? else { return Err(RegistryError::Conflict) };
        let is_ours = wire::decode::<Rebuild>(&found.value)
            .is_ok_and(|other| other.id == self.rebuild.id && !other.state.is_over());
        if !is_ours {
            return Err(RegistryError::Conflict);
        }
        self.revision = found.revision;
        self.put(&key, value).await
    }

    async fn put(&mut self, key: &RecordKey, value: Bytes) -> Result<(), RegistryError> {
        self.revision = self.registry.put(key, Expected::At(self.revision), value).await?;
        Ok(())
    }
}
