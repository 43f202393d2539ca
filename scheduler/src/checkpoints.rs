//! Checkpoints of a partition: which are kept, and what one holds.

mod retention;

use model::chain::Chain;
use model::ids::PartitionId;
use ports::checkpoint_codec::{self, Checkpoint};
use ports::checkpoints::CheckpointPlace;

pub(crate) use retention::{KEPT, is_in, surplus};

use crate::deps::Deps;
use crate::error::Error;

/// The checkpoint at a place, if it can be read.
pub(crate) async fn checkpoint_at(
    deps: &Deps,
    id: PartitionId,
    place: CheckpointPlace,
) -> Result<Option<Checkpoint>, Error> {
    let Some(bytes) = deps.checkpoints.get(id, place).await? else { return Ok(None) };
    let decoded = tokio::task::spawn_blocking(move || checkpoint_codec::decode(&bytes)).await;
    match decoded {
        Ok(Ok(checkpoint)) => Ok(Some(checkpoint)),
        Ok(Err(error)) => {
            tracing::error!(partition.id = %id, offset = %place.applied, error = %Chain(&error), "failed to read a checkpoint; going on without it");
            Ok(None)
        }
        Err(stopping) => {
            tracing::debug!(%stopping, "the process is stopping; a checkpoint was not decoded");
            Ok(None)
        }
    }
}
