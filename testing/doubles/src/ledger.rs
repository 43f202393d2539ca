//! The ledger in memory.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use uuid::Uuid;

use ports::ledger::{Ledger, LedgerError, LedgerPage};

/// A [`Ledger`] in memory, for tests.
#[derive(Default)]
pub struct InMemoryLedger {
    scopes: Mutex<Scopes>,
}

#[derive(Default)]
struct Scopes {
    /// The newest version of all scopes, so that none comes twice.
    newest: u64,
    rows: HashMap<Uuid, (u64, BTreeMap<Uuid, Bytes>)>,
}

#[async_trait]
impl Ledger for InMemoryLedger {
    async fn load(&self, scope: Uuid) -> Result<LedgerPage, LedgerError> {
        let scopes = self.scopes.lock();
        let Some((version, rows)) = scopes.rows.get(&scope) else { return Ok(LedgerPage::default()) };
        Ok(LedgerPage {
            version: *version,
            rows: rows.iter().map(|(key, row)| (*key, row.clone())).collect(),
        })
    }

    async fn write(
        &self,
        scope: Uuid,
        expected: u64,
        changes: Vec<(Uuid, Option<Bytes>)>,
    ) -> Result<u64, LedgerError> {
        let mut scopes = self.scopes.lock();
        let Scopes { newest, rows: scopes } = &mut *scopes;
        let found = scopes.get(&scope).map_or(0, |(version, _)| *version);
        if found != expected {
            return Err(LedgerError::Conflict { found });
        }
        let (version, rows) = scopes.entry(scope).or_default();
        for (key, row) in changes {
            match row {
                Some(row) => drop(rows.insert(key, row)),
                None => drop(rows.remove(&key)),
            }
        }
        *newest += 1;
        *version = *newest;
        if rows.is_empty() {
            scopes.remove(&scope);
            return Ok(0);
        }
        Ok(*newest)
    }
}
