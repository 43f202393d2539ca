//! The ledger in Redis: a hash for each scope, with its rows and its version.

use ::redis::Script;
use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::connection::Link;
use super::hot::PackedError;
use super::keys::Keys;
use super::packer::Packer;
use ports::BackendError;
use ports::ledger::{Ledger, LedgerError, LedgerPage};

/// The field of the version. Rows have the 16 bytes of their keys as fields.
const VERSION: &[u8] = b"version";

const DAMAGED: PackedError = PackedError::Damaged { name: "ledger" };

/// A [`Ledger`] in Redis.
pub struct RedisLedger {
    link: Link,
    keys: Keys,
    write: Script,
}

impl RedisLedger {
    pub(super) fn new(link: Link, keys: Keys) -> Self {
        Self { link, keys, write: Script::new(include_str!("ledger.lua")) }
    }

    /// One command, so version and rows are of one moment.
    async fn read(&self, scope: Uuid) -> Result<LedgerPage, BackendError> {
        let mut command = ::redis::cmd("HGETALL");
        command.arg(self.keys.ledger(scope));
        let fields: Vec<(Vec<u8>, Vec<u8>)> = self.link.ask(&command).await?;
        let mut page = LedgerPage::default();
        for (field, value) in fields {
            if field == VERSION {
                page.version = str::from_utf8(&value).map_err(|_| DAMAGED)?.parse()?;
            } else {
                page.rows.push((Uuid::from_slice(&field)?, Bytes::from(value)));
            }
        }
        // Rows without a version: no write could ever match it.
        if page.version == 0 && !page.rows.is_empty() {
            return Err(DAMAGED.into());
        }
        Ok(page)
    }
}

#[async_trait]
impl Ledger for RedisLedger {
    async fn load(&self, scope: Uuid) -> Result<LedgerPage, LedgerError> {
        self.read(scope).await.map_err(LedgerError::Unavailable)
    }

    async fn write(
        &self,
        scope: Uuid,
        expected: u64,
        changes: Vec<(Uuid, Option<Bytes>)>,
    ) -> Result<u64, LedgerError> {
        let mut items = Packer::default();
        for (key, row) in &changes {
            items.push(key.as_bytes());
            items.push(if row.is_some() { b"1" } else { b"0" });
            items.push(row.as_deref().unwrap_or_default());
        }
        let mut script = self.write.key(self.keys.ledger(scope));
        script.arg(expected).arg(items.finish());
        let (outcome, version): (String, u64) =
            self.link.run(&script).await.map_err(LedgerError::Unavailable)?;
        match outcome.as_str() {
            "written" => Ok(version),
            "conflict" => Err(LedgerError::Conflict { found: version }),
            other => Err(LedgerError::Unavailable(format!("Redis answered {other:?}").into())),
        }
    }
}
