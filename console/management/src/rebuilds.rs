//! Asks for rebuilds. The schedulers that own the partitions do them.

use std::time::Duration;

use model::ids::{PartitionId, RebuildId};
use model::rebuild::{Rebuild, RebuildState};
use model::wire;
use ports::registry::{Expected, RecordKey, RecordKind, RegistryError};

use crate::app::App;
use crate::draft::rebuild::RebuildDraft;
use crate::records::Records;
use crate::refusal::Refusal;

/// A rebuild that has not moved for this long is abandoned, and another one may be asked for.
const STANDS_STILL: Duration = Duration::from_secs(60);

impl App {
    /// The newest rebuild of each partition.
    pub fn rebuilds(&self) -> Records<Rebuild> {
        Records::new(&self.ports.registry)
    }

    /// Asks for a rebuild of one partition, or of all. `by` is the name of the key that asks.
    ///
    /// # Errors
    /// A rebuild of one of them is under way, or the registry cannot be reached.
    pub async fn request_rebuilds(&self, draft: &RebuildDraft, by: &str) -> Result<Vec<Rebuild>, Refusal> {
        let partitions: Vec<PartitionId> = match draft.partition {
            Some(one) => vec![one],
            None => (0..self.ports.log.partitions()).map(PartitionId).collect(),
        };
        // All or none, as far as is known beforehand.
        let mut asked = Vec::new();
        for partition in partitions {
            asked.push(self.prepare_rebuild(partition, draft, by).await?);
        }
        let mut written = Vec::new();
        for (key, expected, rebuild) in asked {
            match self.ports.registry.put(&key, expected, wire::encode(&rebuild)).await {
                Ok(_) => written.push(rebuild),
                Err(RegistryError::Conflict) => return Err(under_way(rebuild.partition)),
                Err(error @ RegistryError::Unavailable(_)) => return Err(error.into()),
            }
        }
        tracing::info!(partitions = written.len(), verify = draft.verify, by, "asked for rebuilds");
        Ok(written)
    }

    async fn prepare_rebuild(
        &self,
        partition: PartitionId,
        draft: &RebuildDraft,
        by: &str,
    ) -> Result<(RecordKey, Expected, Rebuild), Refusal> {
        let now = self.ports.clock.now();
        let expected = match self.rebuilds().find(partition).await? {
            None => Expected::Absent,
            Some(found) => {
                if !found.value.state.is_over() && now.since(found.value.updated_at) < STANDS_STILL {
                    return Err(under_way(partition));
                }
                Expected::At(found.revision)
            }
        };
        let rebuild = Rebuild {
            id: RebuildId::from_uuid(self.ids.next(self.ports.clock.as_ref())),
            partition,
            verify: draft.verify,
            history: draft.history,
            from: draft.from,
            requested_at: now,
            requested_by: by.to_owned(),
            updated_at: now,
            state: RebuildState::Waiting,
        };
        Ok((RecordKey::new(RecordKind::Rebuild, partition), expected, rebuild))
    }
}

fn under_way(partition: PartitionId) -> Refusal {
    Refusal::conflict(format!("a rebuild of partition {partition} is under way; wait until it is over"))
}
