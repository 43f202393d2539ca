//! Claims on push tokens: no two monitors have the same.
//!
//! A claim is a registry record named by the token's hash, which holds the monitor's id and when it was made.
//! It is made before the monitor's own record is written. A console that dies between the two leaves a claim
//! without a monitor; after a minute another monitor may replace it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::chain::Chain;
use model::ids::MonitorId;
use model::monitor::{Monitor, Token};
use model::time::EventTime;
use model::wire;
use ports::clock::Clock;
use ports::registry::{Expected, Record, RecordKey, RecordKind, Registry, RegistryError};

use crate::mint;

/// A claim without a monitor behind it is left alone for this long: its monitor may be on its way.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// Whether a token is now this monitor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The token is this monitor's.
    Yes,
    /// The token is another monitor's.
    Taken,
}

/// Whether pushes to `token` count for the monitor.
pub fn holds(monitor: &Monitor, token: &str, now: EventTime) -> bool {
    monitor.token.expose() == token
        || monitor.old_tokens.iter().any(|old| old.token.expose() == token && old.expires_at > now)
}

/// Claims a token for a monitor.
pub async fn claim(
    registry: &dyn Registry,
    clock: &dyn Clock,
    token: &Token,
    monitor: MonitorId,
) -> Result<Claimed, RegistryError> {
    let key = key(token);
    // The loser of a race looks once more; after that another monitor has the token.
    for _ in 0..3 {
        let now = clock.now();
        let expected = match registry.get(&key).await? {
            None => Expected::Absent,
            Some(record) if owner(&record).is_some_and(|(owner, _)| owner == monitor) => {
                return Ok(Claimed::Yes);
            }
            Some(record) if is_stale(registry, &record, token, now).await? => Expected::At(record.revision),
            Some(_) => return Ok(Claimed::Taken),
        };
        let value = Bytes::from(format!("{monitor} {}", now.as_micros()));
        match registry.put(&key, expected, value).await {
            Ok(_) => return Ok(Claimed::Yes),
            Err(RegistryError::Conflict) => {}
            Err(error @ RegistryError::Unavailable(_)) => return Err(error),
        }
    }
    Ok(Claimed::Taken)
}

/// Gives up a monitor's claims on tokens. A claim that cannot be given up now is replaced by the next monitor
/// that wants the token.
pub async fn release(registry: &Arc<dyn Registry>, tokens: Vec<Token>, monitor: MonitorId) {
    for token in tokens {
        if let Err(error) = release_one(registry.as_ref(), &token, monitor).await {
            tracing::info!(error = %Chain(&error), "left a token claim behind");
        }
    }
}

async fn release_one(
    registry: &dyn Registry,
    token: &Token,
    monitor: MonitorId,
) -> Result<(), RegistryError> {
    let key = key(token);
    match registry.get(&key).await? {
        Some(record) if owner(&record).is_some_and(|(owner, _)| owner == monitor) => {
            registry.delete(&key, record.revision).await
        }
        Some(_) | None => Ok(()),
    }
}

async fn is_stale(
    registry: &dyn Registry,
    claim: &Record,
    token: &Token,
    now: EventTime,
) -> Result<bool, RegistryError> {
    let Some((owner, claimed_at)) = owner(claim) else { return Ok(true) };
    if now.since(claimed_at) <= STALE_AFTER {
        return Ok(false);
    }
    let record = registry.get(&RecordKey::new(RecordKind::Monitor, owner)).await?;
    // A monitor that cannot be read may hold it.
    let held = record.is_some_and(|record| {
        wire::decode::<Monitor>(&record.value).map_or(true, |monitor| holds(&monitor, token.expose(), now))
    });
    Ok(!held)
}

fn key(token: &Token) -> RecordKey {
    RecordKey::new(RecordKind::Token, mint::hex_hash(token.expose()))
}

/// The monitor that made a claim, and the time.
fn owner(claim: &Record) -> Option<(MonitorId, EventTime)> {
    let text = std::str::from_utf8(&claim.value).ok()?;
    let (id, at) = text.split_once(' ')?;
    Some((id.parse().ok()?, EventTime::from_micros(at.parse().ok()?)))
}
