//! The first admin key.

use std::sync::Arc;

use model::channel::Secret;
use model::ids::{KeyId, Revision};
use model::key::{ApiKey, Scope};
use model::wire;
use ports::clock::Clock;
use ports::registry::{Expected, RecordKey, RecordKind, Registry, RegistryError};
use uuid::Uuid;

use crate::mint;

/// Id of the key that a start makes or is given: fixed, so that of several consoles that start at once one
/// makes it, and so that a key that is given later takes its place.
const FIRST_KEY: KeyId = KeyId::from_uuid(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));

/// How many keys are read at a time.
const PAGE: usize = 500;

/// How the registry stands with admin keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminKey {
    /// The given key is an admin key.
    Given,
    /// The given key took the place of an earlier one, which is valid no more.
    Replaced,
    /// A key that was just made, because there was none. It can be shown now and never again.
    Made(Secret),
    /// A key that exists already. Only its hash is stored, so it cannot be shown.
    Present,
}

/// Why there is no admin key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key of one's own is too easy to guess.
    #[error("use the given API key: it must be at least 16 visible ASCII characters")]
    WeakKey,
    /// The given key exists and was made for reading only. Its owners must not become admins.
    #[error("use the given API key: it is a read key of this server, and an admin key is needed")]
    ReadKey,
    /// The registry failed.
    #[error("look after the admin key")]
    Registry(#[from] RegistryError),
}

impl KeyError {
    /// Whether trying again can help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::WeakKey | Self::ReadKey => false,
            Self::Registry(error) => error.is_transient(),
        }
    }
}

/// Checks what can be said of an admin key of one's own without a registry.
///
/// # Errors
/// [`KeyError::WeakKey`] for a key of fewer than 16 characters, or with others than visible ASCII.
pub fn check_admin_key(given: &str) -> Result<(), KeyError> {
    let strong = given.len() >= 16 && given.bytes().all(|byte| byte.is_ascii_graphic());
    if strong { Ok(()) } else { Err(KeyError::WeakKey) }
}

/// Makes sure that there is an admin key: the given one, or else any.
///
/// A given key takes the place of the one that was made or given at an earlier start: that one ends. Keys
/// that were made by the API stay.
///
/// # Errors
/// [`KeyError::WeakKey`] as [`check_admin_key`], [`KeyError::ReadKey`], [`KeyError::Registry`].
pub async fn ensure_admin_key(
    registry: &Arc<dyn Registry>,
    clock: &dyn Clock,
    given: Option<&str>,
) -> Result<AdminKey, KeyError> {
    match given {
        Some(given) => ensure_given(registry.as_ref(), clock, given).await,
        None => ensure_any(registry.as_ref(), clock).await,
    }
}

async fn ensure_given(registry: &dyn Registry, clock: &dyn Clock, given: &str) -> Result<AdminKey, KeyError> {
    check_admin_key(given)?;
    let hash = mint::hash(given);
    loop {
        let keys = keys(registry).await?;
        match keys.iter().find(|(_, key)| key.hash == hash) {
            Some((_, key)) if key.scope == Scope::Admin => return Ok(AdminKey::Given),
            Some(_) => return Err(KeyError::ReadKey),
            None => {}
        }
        let earlier = keys.iter().find(|(_, key)| key.id == FIRST_KEY);
        let expected = earlier.map_or(Expected::Absent, |(revision, _)| Expected::At(*revision));
        match put_first(registry, clock, expected, &hash).await {
            Ok(()) if earlier.is_some() => {
                tracing::warn!(
                    "the given admin key took the place of an earlier one, which is valid no more"
                );
                return Ok(AdminKey::Replaced);
            }
            Ok(()) => return Ok(AdminKey::Given),
            // Another console was first, perhaps with the same key.
            Err(RegistryError::Conflict) => {}
            Err(error @ RegistryError::Unavailable(_)) => return Err(error.into()),
        }
    }
}

async fn ensure_any(registry: &dyn Registry, clock: &dyn Clock) -> Result<AdminKey, KeyError> {
    if keys(registry).await?.iter().any(|(_, key)| key.scope == Scope::Admin) {
        return Ok(AdminKey::Present);
    }
    let made = mint::api_key();
    match put_first(registry, clock, Expected::Absent, &mint::hash(made.expose())).await {
        Ok(()) => Ok(AdminKey::Made(made)),
        // Another console was first.
        Err(RegistryError::Conflict) => Ok(AdminKey::Present),
        Err(error @ RegistryError::Unavailable(_)) => Err(error.into()),
    }
}

async fn put_first(
    registry: &dyn Registry,
    clock: &dyn Clock,
    expected: Expected,
    hash: &[u8],
) -> Result<(), RegistryError> {
    let key = ApiKey {
        id: FIRST_KEY,
        name: "admin".to_owned(),
        scope: Scope::Admin,
        hash: hash.to_vec(),
        created_at: clock.now(),
    };
    registry.put(&RecordKey::new(RecordKind::Key, FIRST_KEY), expected, wire::encode(&key)).await?;
    Ok(())
}

/// Every key that can be read.
pub async fn keys(registry: &dyn Registry) -> Result<Vec<(Revision, ApiKey)>, RegistryError> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = registry.list(RecordKind::Key, after.as_deref(), PAGE).await?;
        after = page.last().map(|record| record.key.id.clone());
        let full = page.len() == PAGE;
        found.extend(
            page.iter()
                .filter_map(|record| Some((record.revision, wire::decode::<ApiKey>(&record.value).ok()?))),
        );
        if !full {
            return Ok(found);
        }
    }
}
