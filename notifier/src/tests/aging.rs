//! A ledger that can be wiped, or set back to an older state.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use ports::ledger::{Ledger, LedgerError, LedgerPage};
use uuid::Uuid;

type Scopes = HashMap<Uuid, (u64, BTreeMap<Uuid, Bytes>)>;

/// Every state that it had, the newest last.
#[derive(Default)]
pub(super) struct AgingLedger {
    states: Mutex<Vec<Scopes>>,
}

impl AgingLedger {
    /// How often a scope was written.
    pub(super) fn writes(&self, scope: Uuid) -> usize {
        versions(&self.states.lock(), scope).len()
    }

    /// Sets it back by this many writes of a scope; by more than there were, it is empty.
    pub(super) fn set_back(&self, scope: Uuid, writes: usize) {
        let mut states = self.states.lock();
        let versions = versions(&states, scope);
        let left = versions.len().checked_sub(writes.saturating_add(1)).and_then(|index| versions.get(index));
        let older = left.and_then(|left| states.iter().rfind(|scopes| version(scopes, scope) == *left));
        let older = older.cloned().unwrap_or_default();
        // The states before stay, so that no version comes twice.
        states.push(older);
    }
}

fn version(scopes: &Scopes, scope: Uuid) -> u64 {
    scopes.get(&scope).map_or(0, |(version, _)| *version)
}

/// The states that lie between two writes of a scope are one.
fn versions(states: &[Scopes], scope: Uuid) -> Vec<u64> {
    let mut versions: Vec<u64> = states.iter().map(|scopes| version(scopes, scope)).collect();
    versions.dedup();
    versions
}

#[async_trait]
impl Ledger for AgingLedger {
    async fn load(&self, scope: Uuid) -> Result<LedgerPage, LedgerError> {
        let states = self.states.lock();
        let Some((version, rows)) = states.last().and_then(|newest| newest.get(&scope)) else {
            return Ok(LedgerPage::default());
        };
        let rows = rows.iter().map(|(key, row)| (*key, row.clone())).collect();
        Ok(LedgerPage { version: *version, rows })
    }

    async fn write(
        &self,
        scope: Uuid,
        expected: u64,
        changes: Vec<(Uuid, Option<Bytes>)>,
    ) -> Result<u64, LedgerError> {
        let mut states = self.states.lock();
        let mut newest = states.last().cloned().unwrap_or_default();
        let found = newest.get(&scope).map_or(0, |(version, _)| *version);
        if found != expected {
            return Err(LedgerError::Conflict { found });
        }
        let version = states.len() as u64 + 1;
        let (scope_version, rows) = newest.entry(scope).or_default();
        *scope_version = version;
        for (key, row) in changes {
            match row {
                Some(row) => drop(rows.insert(key, row)),
                None => drop(rows.remove(&key)),
            }
        }
        let is_empty = rows.is_empty();
        if is_empty {
            newest.remove(&scope);
        }
        states.push(newest);
        Ok(if is_empty { 0 } else { version })
    }
}
