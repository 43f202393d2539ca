//! The names of streams, buckets and subjects on the server.

use model::ids::PartitionId;
use model::role::Role;
use ports::queue::QueueName;
use ports::registry::RecordKind;

/// The names of one installation.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The prefix of all names.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The stream of a partition's heartbeat log.
    pub(super) fn heartbeats_stream(&self, partition: PartitionId) -> String {
        format!("{}-heartbeats-{partition}", self.prefix)
    }

    /// The subject of a partition's frames.
    pub(super) fn heartbeats_subject(&self, partition: PartitionId) -> String {
        format!("{}.heartbeats.{partition}", self.prefix)
    }

    /// What the subjects of the registry begin with, after `$KV.`.
    pub(super) fn registry_root(&self) -> String {
        format!("{}-registry", self.prefix)
    }

    /// The stream of the registry's records of a kind.
    pub(super) fn registry_stream(&self, kind: RecordKind) -> String {
        format!("{}-registry-{}", self.prefix, kind.as_str())
    }

    /// The bucket of members and leases of the queues' shards.
    pub(super) fn shares_bucket(&self) -> String {
        format!("{}-shares", self.prefix)
    }

    /// The stream of that bucket.
    pub(super) fn shares_stream(&self) -> String {
        format!("KV_{}", self.shares_bucket())
    }

    /// The stream of a queue.
    pub(super) fn queue_stream(&self, queue: QueueName) -> String {
        format!("{}-{}", self.prefix, queue.as_str())
    }

    /// The prefix of a queue's subjects.
    pub(super) fn queue_subjects(&self, queue: QueueName) -> String {
        format!("{}.{}", self.prefix, queue.as_str())
    }

    /// The object store of the checkpoints.
    pub(super) fn checkpoints_bucket(&self) -> String {
        format!("{}-checkpoints", self.prefix)
    }

    /// The stream of the checkpoints.
    pub(super) fn checkpoints_stream(&self) -> String {
        format!("OBJ_{}", self.checkpoints_bucket())
    }
}

/// The prefix of the subjects on which a role gets its answers.
pub(super) fn inbox_prefix(role: Role) -> String {
    format!("_INBOX_{role}")
}
