//! The subjects of records.

use super::compact::CompactId;
use model::ids::{MonitorId, PartitionId};
use ports::registry::{MAX_ID_BYTES, RecordKey, RecordKind};

/// Stands for the partition of monitors whose id is not a UUID.
const NO_PARTITION: &str = "x";
/// Subjects of pulses, which are not records: see [`super::pulse`].
const PULSE: &str = "pulse";

/// The subjects of one registry: `$KV.<root>.<kind>.<id>`, for a monitor
/// `$KV.<root>.monitor.<partition>.<id>`, so that the monitors of a partition can be asked for.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    root: String,
    partitions: u16,
}

impl Keys {
    pub(crate) fn new(root: &str, partitions: u16) -> Self {
        Self { root: format!("$KV.{root}."), partitions }
    }

    pub(crate) const fn partitions(&self) -> u16 {
        self.partitions
    }

    /// All subjects of a kind's stream.
    pub(crate) fn of_stream(&self, kind: RecordKind) -> Vec<String> {
        vec![format!("{}{}.>", self.root, kind.as_str()), self.pulse(kind, "*")]
    }

    /// The subject of a record; `None` if no record can have that id.
    pub(crate) fn subject(&self, key: &RecordKey) -> Option<String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if key.id.is_empty() || key.id.len() > MAX_ID_BYTES || !key.id.bytes().all(fits) {
            return None;
        }
        let (root, kind, id) = (&self.root, key.kind.as_str(), &key.id);
        Some(match key.kind {
            RecordKind::Monitor => match id.parse::<MonitorId>() {
                Ok(monitor) => format!("{root}{kind}.{}.{id}", monitor.partition(self.partitions)),
                Err(_) => format!("{root}{kind}.{NO_PARTITION}.{id}"),
            },
            RecordKind::Channel
            | RecordKind::Key
            | RecordKind::Token
            | RecordKind::Maintenance
            | RecordKind::Rebuild
            | RecordKind::Turn => {
                format!("{root}{kind}.{id}")
            }
        })
    }

    /// The record of a subject; `None` for other subjects.
    pub(crate) fn read(&self, subject: &str) -> Option<(RecordKind, CompactId)> {
        let (word, rest) = subject.strip_prefix(&self.root)?.split_once('.')?;
        let kind = RecordKind::ALL.into_iter().find(|kind| kind.as_str() == word)?;
        let id = match kind {
            RecordKind::Monitor => rest.split_once('.')?.1,
            RecordKind::Channel
            | RecordKind::Key
            | RecordKind::Token
            | RecordKind::Maintenance
            | RecordKind::Rebuild
            | RecordKind::Turn => rest,
        };
        Some((kind, CompactId::new(id)))
    }

    /// All records of a kind.
    pub(crate) fn of_kind(&self, kind: RecordKind) -> String {
        let depth = match kind {
            RecordKind::Monitor => "*.*",
            RecordKind::Channel
            | RecordKind::Key
            | RecordKind::Token
            | RecordKind::Maintenance
            | RecordKind::Rebuild
            | RecordKind::Turn => "*",
        };
        format!("{}{}.{depth}", self.root, kind.as_str())
    }

    /// All monitors of a partition.
    pub(crate) fn of_partition(&self, partition: PartitionId) -> String {
        format!("{}{}.{partition}.*", self.root, RecordKind::Monitor.as_str())
    }

    /// The subject of the pulses of one follower of a kind.
    pub(crate) fn pulse(&self, kind: RecordKind, name: &str) -> String {
        format!("{}{PULSE}.{}.{name}", self.root, kind.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_read_back() {
        let keys = Keys::new("some-registry", 4);
        let ids = ["0197c5a0-0000-7000-8000-000000000001", "a_b-C", "0197C5A0-0000-7000-8000-000000000001"];
        for kind in RecordKind::ALL {
            for id in ids {
                let key = RecordKey::new(kind, id);
                let subject = keys.subject(&key).expect("it fits");
                let (read, id) = keys.read(&subject).expect("a record");
                assert_eq!(RecordKey::new(read, id), key, "{subject}");
            }
        }
        RecordKind::ALL.into_iter().for_each(|kind| assert_eq!(keys.read(&keys.pulse(kind, "x")), None));
        assert_eq!(keys.read("$KV.other.key.a"), None);
    }

    #[test]
    fn what_cannot_be_an_id_has_no_subject() {
        let keys = Keys::new("some-registry", 4);
        for id in ["", "a.b", "*", ">", "a b", "ä", &"x".repeat(129)] {
            assert_eq!(keys.subject(&RecordKey::new(RecordKind::Key, id)), None, "{id}");
        }
    }
}
