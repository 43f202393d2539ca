//! The record of a rebuild, in the hands of whoever carries it out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::chain::Chain;
use model::ids::{Offset, RebuildId, Revision};
use model::rebuild::{Rebuild, RebuildState};
use model::wire;
use ports::clock::Clock;
use ports::registry::{Expected, RecordKey, RecordKind, Registry, RegistryError};

/// How often it is said how far a rebuild came.
const SAY_EVERY: Duration = Duration::from_secs(2);
/// What could not be said is said again after this.
const SAY_AGAIN: Duration = Duration::from_secs(1);

/// A rebuild that is carried out here.
pub(crate) struct Ticket {
    registry: Arc<dyn Registry>,
    clock: Arc<dyn Clock>,
    revision: Revision,
    rebuild: Rebuild,
    said_at: Option<Duration>,
}

/// The record says something else by now: another request, or that it is over.
#[derive(Debug)]
pub(crate) struct Taken;

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

    /// Says now and then how far it came. A registry that cannot be reached is told later.
    ///
    /// # Errors
    /// [`Taken`]: nobody wants to know any more.
    pub(crate) async fn reached(&mut self, applied: Offset, through: Offset) -> Result<(), Taken> {
        let now = self.clock.elapsed();
        if self.said_at.is_some_and(|at| now.saturating_sub(at) < SAY_EVERY) {
            return Ok(());
        }
        self.said_at = Some(now);
        match self.say(RebuildState::Running { applied, through }).await {
            Ok(()) => Ok(()),
            Err(RegistryError::Conflict) => Err(Taken),
            Err(error @ RegistryError::Unavailable(_)) => {
                tracing::debug!(error = %Chain(&error), "failed to say how far a rebuild came");
                Ok(())
            }
        }
    }

    /// Says what came of it, however long that takes; unless the record says something else by now.
    pub(crate) async fn finish(mut self, state: RebuildState) {
        while let Err(error) = self.say(state.clone()).await {
            if !error.is_transient() {
                return;
            }
            tracing::debug!(error = %Chain(&error), "failed to say what came of a rebuild; trying again");
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
        // It may be a write of ours of which nobody heard.
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
