//! The mark by which an installation knows its Redis.
//!
//! Redis keeps what follows from the heartbeat log. What it keeps of one installation is nothing to another
//! one, and an empty server is no installation's: so it holds the name of the one that it is of.

use ::redis::InfoDict;
use model::ids::PartitionId;
use model::role::Role;
use ports::BackendError;

use super::connection::{Link, Server};
use super::keys::{BUCKETS, Keys};
use super::trouble::RedisTrouble;

/// The field of the mark. The mark is a hash, for every role may read and write hashes of its own already.
const ID: &str = "id";

/// Keys that are looked at in one step.
const SCANNED: usize = 5_000;

/// The most partitions that an installation can have.
const PARTITIONS: u16 = 64;

/// What a look at Redis found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The installation whose Redis it is, as for [`RedisMark::read`].
    pub mark: Option<String>,
    /// The policy by which it throws keys away when its memory is full; `None`: it throws none away.
    pub evicts: Option<String>,
}

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

    /// Whether a node of `role` can use it as it is now: it is asked whose it is, how it is set up, and, if
    /// it is `own`, whether it can be written.
    ///
    /// # Errors
    /// [`RedisTrouble`].
    pub async fn look(&self, role: Role, own: &str) -> Result<Look, RedisTrouble> {
        let mark = self.read().await.map_err(RedisTrouble::of)?;
        let info = self.link.ask::<InfoDict>(&::redis::cmd("INFO")).await.map_err(RedisTrouble::of)?;
        let evicts = Server::judge(&info).map_err(|found| RedisTrouble::Version { found })?;
        if mark.as_deref() == Some(own) {
            let mut set = ::redis::cmd("HSET");
            set.arg(self.keys.probe()).arg(role.name()).arg(1);
            self.link.ask::<u64>(&set).await.map_err(RedisTrouble::of)?;
        }
        Ok(Look { mark, evicts })
    }

    /// Removes everything that it keeps of an installation.
    ///
    /// # Errors
    /// Redis does not answer, or forbids it, or cannot be written.
    pub async fn forget(&self) -> Result<(), BackendError> {
        if self.link.is_cluster() {
            // The client asks every server of a cluster for its keys.
            let mut keys = ::redis::cmd("KEYS");
            keys.arg(self.keys.all());
            let found = self.link.ask::<Vec<Vec<u8>>>(&keys).await?;
            for key in found {
                self.link.ask::<u64>(::redis::cmd("UNLINK").arg(key)).await?;
            }
            return Ok(());
        }
        let mut cursor = 0_u64;
        loop {
            let mut scan = ::redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(self.keys.all()).arg("COUNT").arg(SCANNED);
            let (next, found) = self.link.ask::<(u64, Vec<Vec<u8>>)>(&scan).await?;
            if !found.is_empty() {
                self.link.ask::<u64>(::redis::cmd("UNLINK").arg(found)).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
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
