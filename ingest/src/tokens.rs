//! Token → monitor, in memory, following the registry.
//!
//! No plain token is kept: an entry is found by the first 128 bits of the token's SHA-256.

mod digest;
mod limit;
mod table;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use model::chain::Chain;
use model::heartbeat::HeartbeatKind;
use model::ids::MonitorId;
use model::monitor::{Monitor, Token};
use model::wire;
use parking_lot::{Mutex, RwLock};
use ports::clock::Clock;
use ports::registry::{Record, RecordKey, RecordKind, RegistryObserver};

pub(crate) use digest::TokenRef;
use digest::digest;
pub(crate) use limit::{BodyInHand, Charge};
use limit::{OutputLimit, PushLimit};
use table::{NEVER, Table};

use crate::config::Config;
use crate::metrics::Metrics;

/// The time for which the list counts as complete after the watch last said so.
const TRUSTED_FOR: Duration = Duration::from_secs(5);

/// The most unreadable records that are remembered, so that each is logged once.
const REMEMBERED_UNREADABLE: usize = 1_000;

/// The result of looking a token up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// The token belongs to this monitor.
    Monitor(MonitorId, TokenRef),
    /// The token belongs to no monitor.
    Unknown,
    /// The token is not on the list, but the list may be incomplete.
    Unsure,
}

/// How good the list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The list has never been complete.
    Loading,
    /// The list was complete, and may lack later changes.
    Stale,
    /// Nothing is missing.
    Current,
}

/// Every token of every monitor, with its rate limit.
pub(crate) struct Tokens {
    table: Arc<RwLock<Table>>,
    limit: Option<Arc<PushLimit>>,
    outputs: Option<Arc<OutputLimit>>,
    clock: Arc<dyn Clock>,
    loaded: AtomicBool,
    /// When the watch last said that nothing is missing: nanoseconds of `clock.elapsed()`.
    current_at: AtomicU64,
    unreadable: Mutex<HashSet<String>>,
    metrics: Arc<Metrics>,
}

impl Tokens {
    pub(crate) fn new(config: &Config, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        let table = Arc::new(RwLock::new(Table::default()));
        let limit =
            PushLimit::new(config.push_limit, config.push_burst, Arc::clone(&table), Arc::clone(&clock));
        let outputs = OutputLimit::new(config.output_limit.0, &table, &clock);
        Self {
            table,
            limit: limit.map(Arc::new),
            outputs: outputs.map(Arc::new),
            clock,
            loaded: AtomicBool::new(false),
            current_at: AtomicU64::new(0),
            unreadable: Mutex::default(),
            metrics,
        }
    }

    /// The monitor of a token. No I/O.
    pub(crate) fn resolve(&self, token: &str) -> Resolved {
        // A text that is not a token cannot be on any list.
        let Some(token) = Token::parse(token) else { return Resolved::Unknown };
        let digest = digest(&token);
        let found = self.table.read().find(&digest).map(|entry| (entry.monitor, entry.expires_at));
        if let Some((monitor, expires_at)) = found
            && (expires_at == NEVER || self.clock.now() < expires_at)
        {
            return Resolved::Monitor(monitor, TokenRef(digest));
        }
        match self.standing() {
            Standing::Current => Resolved::Unknown,
            Standing::Loading | Standing::Stale => Resolved::Unsure,
        }
    }

    /// Charges a push to its token; gives it back if the charge is dropped without [`Charge::keep`].
    ///
    /// # Errors
    /// How long to wait, if the token is over its limit.
    pub(crate) fn charge(&self, token: TokenRef, kind: HeartbeatKind) -> Result<Charge, Duration> {
        let Some(limit) = &self.limit else { return Ok(Charge::free()) };
        PushLimit::charge(limit, token, kind)
    }

    /// Charges a compressed body to its token in case that it is unpacked in vain; gives it back if the
    /// charge is dropped without [`Charge::spend`].
    ///
    /// # Errors
    /// How long to wait, if the token is over its limit.
    pub(crate) fn charge_unpacking(&self, token: TokenRef) -> Result<Charge, Duration> {
        let Some(limit) = &self.limit else { return Ok(Charge::free()) };
        PushLimit::unpacking(limit, token)
    }

    /// Begins to read a body for the token, which counts as so many; `None` if it has as many as it may.
    pub(crate) fn begin_body(&self, token: TokenRef, counts: u16, most: u16) -> Option<BodyInHand> {
        BodyInHand::begin(&self.table, token, counts, most)
    }

    /// How many bytes of an output of this length the token may have kept; they become part of the charge.
    pub(crate) fn output_bytes(&self, token: TokenRef, length: usize, charge: &mut Charge) -> usize {
        self.outputs.as_ref().map_or(length, |limit| OutputLimit::take(limit, token, length, charge))
    }

    pub(crate) fn standing(&self) -> Standing {
        if !self.loaded.load(Ordering::Acquire) {
            return Standing::Loading;
        }
        let current_at = Duration::from_nanos(self.current_at.load(Ordering::Relaxed));
        if self.clock.elapsed().saturating_sub(current_at) < TRUSTED_FOR {
            Standing::Current
        } else {
            Standing::Stale
        }
    }

    fn set(&self, monitor: &Monitor) {
        let now = self.clock.now();
        let old = monitor.old_tokens.iter().filter(|old| old.expires_at > now);
        let tokens: Vec<_> = std::iter::once((digest(&monitor.token), NEVER))
            .chain(old.map(|old| (digest(&old.token), old.expires_at)))
            .collect();
        let mut table = self.table.write();
        table.set(monitor.id, &tokens);
        self.count(&table);
    }

    fn count(&self, table: &Table) {
        self.metrics.tokens.set(i64::try_from(table.len()).unwrap_or(i64::MAX));
    }
}

impl RegistryObserver for Tokens {
    fn put(&self, record: &Record) {
        if record.key.kind != RecordKind::Monitor {
            return;
        }
        match wire::decode::<Monitor>(&record.value) {
            Ok(monitor) => {
                self.unreadable.lock().remove(&record.key.id);
                self.set(&monitor);
            }
            Err(error) => {
                self.metrics.undecodable.inc();
                let mut unreadable = self.unreadable.lock();
                if unreadable.len() < REMEMBERED_UNREADABLE && unreadable.insert(record.key.id.clone()) {
                    tracing::error!(
                        monitor.id = record.key.id,
                        error = %Chain(&error),
                        "a monitor of the registry cannot be read; its tokens stay as they were"
                    );
                }
            }
        }
    }

    fn deleted(&self, key: &RecordKey) {
        if key.kind != RecordKind::Monitor {
            return;
        }
        if let Ok(monitor) = key.id.parse() {
            let mut table = self.table.write();
            table.set(monitor, &[]);
            self.count(&table);
        }
        self.unreadable.lock().remove(&key.id);
    }

    fn current(&self) {
        let elapsed = u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.current_at.store(elapsed, Ordering::Relaxed);
        self.loaded.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
