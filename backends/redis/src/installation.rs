//! The mark by which an installation knows its Redis.
//!
//! Redis keeps what follows from the heartbeat log. What it keeps of one installation is nothing to another
//! one, and an empty server is no installation's: so it holds the name of the one that it is of.

use model::ids::PartitionId;
use ports::BackendError;

use super::connection::Link;
use super::keys::{BUCKETS, Keys};

/// The field of the mark. The mark is a hash, for every role may read and write hashes of its own already.
const ID: &str = "id";

/// The most partitions that an installation can have.
const PARTITIONS: u16 = 64;

/// The mark in Redis.
pub struct RedisMark {
    link: Link,
    keys: Keys,
}

impl RedisMark {
    pub(super) const fn new(link: Link, keys: Keys) -> Self {
        Self { link, keys }
    }

    /// The installation whose Redis this is; `None`: it has no mark, so it is new, or was emptied.
    ///
    /// # Errors
    /// Redis does not answer, or forbids it.
    pub async fn read(&self) -> Result<Option<String>, BackendError> {
        let mut get = ::redis::cmd("HGET");
        get.arg(self.keys.installation()).arg(ID);
        self.link.ask(&get).await
    }

    /// Marks it as an installation's, whatever it was before.
    ///
    /// # Errors
    /// Redis does not answer, or forbids it, or cannot be written.
    pub async fn set(&self, installation: &str) -> Result<(), BackendError> {
        let mut set = ::redis::cmd("HSET");
        set.arg(self.keys.installation()).arg(ID).arg(installation);
        self.link.ask::<u64>(&set).await.map(|_| ())
    }

    /// How many monitors' states it keeps.
    ///
    /// # Errors
    /// Redis does not answer, or forbids it.
    pub async fn monitors(&self) -> Result<u64, BackendError> {
        let mut monitors = 0;
        for partition in (0..PARTITIONS).map(PartitionId) {
            let keys = self.keys.partition(partition);
            let mut exists = ::redis::cmd("EXISTS");
            exists.arg(&keys.meta);
            if self.link.ask::<u64>(&exists).await? == 0 {
                continue;
            }
            let mut counts = ::redis::pipe();
            for bucket in 0..BUCKETS {
                counts.cmd("HLEN").arg(keys.hot(bucket));
            }
            monitors += self.link.pipe::<Vec<u64>>(&counts).await?.iter().sum::<u64>();
        }
        Ok(monitors)
    }
}
