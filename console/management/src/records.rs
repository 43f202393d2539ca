//! Records of the registry as values of their types: reading, and compare-and-set in one place.

use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::Arc;

use model::channel::Channel;
use model::ids::{ChannelId, KeyId, MonitorId, PartitionId, Revision, WindowId};
use model::key::ApiKey;
use model::maintenance::MaintenanceWindow;
use model::monitor::Monitor;
use model::rebuild::Rebuild;
use model::wire::{self, Message};
use ports::registry::{Expected, Record, RecordKey, RecordKind, Registry, RegistryError};

use crate::precondition::Precondition;
use crate::refusal::Refusal;

/// How often a change is tried anew when others change the same record at the same time.
pub(crate) const WRITE_TRIES: usize = 8;

/// A type that the registry keeps, a record for each.
pub trait Kept: Message + PartialEq + Send + Sync {
    /// The id of a record.
    type Id: Display + Copy + Send + Sync;
    /// The kind of its records.
    const KIND: RecordKind;
    /// The word for one in refusals.
    const WORD: &'static str;
}

macro_rules! kept {
    ($type:ty, $id:ty, $kind:ident, $word:literal) => {
        impl Kept for $type {
            type Id = $id;
            const KIND: RecordKind = RecordKind::$kind;
            const WORD: &'static str = $word;
        }
    };
}

kept!(Monitor, MonitorId, Monitor, "monitor");
kept!(Channel, ChannelId, Channel, "channel");
kept!(MaintenanceWindow, WindowId, Maintenance, "maintenance window");
kept!(ApiKey, KeyId, Key, "key");
kept!(Rebuild, PartitionId, Rebuild, "rebuild");

/// A value at a revision of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// The record's revision.
    pub revision: Revision,
    /// The content of the record.
    pub value: T,
}

/// The outcome of a change. If it changed nothing, both are equal and nothing was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed<T> {
    /// The record before.
    pub before: Stored<T>,
    /// The record after.
    pub after: Stored<T>,
}

/// The number of records that are read at once.
const CHUNK: usize = 1_000;

/// The records of one type.
pub struct Records<T> {
    registry: Arc<dyn Registry>,
    of: PhantomData<fn() -> T>,
}

impl<T: Kept> Records<T> {
    /// The records of this type in a registry.
    pub fn new(registry: &Arc<dyn Registry>) -> Self {
        Self { registry: Arc::clone(registry), of: PhantomData }
    }

    /// A record, if there is one.
    ///
    /// # Errors
    /// The registry cannot be reached, or the record cannot be read.
    pub async fn find(&self, id: T::Id) -> Result<Option<Stored<T>>, Refusal> {
        self.registry.get(&key::<T>(id)).await?.map(|record| read(&record)).transpose()
    }

    /// A record that must be there.
    ///
    /// # Errors
    /// As [`Self::find`], or if there is no such record.
    pub async fn load(&self, id: T::Id) -> Result<Stored<T>, Refusal> {
        self.find(id).await?.ok_or_else(|| Refusal::not_found(T::WORD))
    }

    /// Up to `limit` records behind `after`, in the order of their ids.
    ///
    /// # Errors
    /// The registry cannot be reached, or a record cannot be read.
    pub async fn list(&self, after: Option<T::Id>, limit: usize) -> Result<Vec<Stored<T>>, Refusal> {
        let after = after.map(|id| id.to_string());
        let records = self.registry.list(T::KIND, after.as_deref(), limit).await?;
        records.iter().map(read).collect()
    }

    /// How many records there are, counted up to `limit`. Records that cannot be read count.
    ///
    /// # Errors
    /// The registry cannot be reached.
    pub async fn count(&self, limit: usize) -> Result<usize, Refusal> {
        Ok(self.registry.list(T::KIND, None, limit).await?.len())
    }

    /// The id of the first record that is like this. Records that cannot be read are none.
    ///
    /// # Errors
    /// The registry cannot be reached.
    pub async fn id_of_first(
        &self,
        is_it: impl Fn(&T) -> bool + Send + Sync,
    ) -> Result<Option<String>, Refusal> {
        let mut after: Option<String> = None;
        loop {
            let records = self.registry.list(T::KIND, after.as_deref(), CHUNK).await?;
            let found =
                records.iter().find(|record| wire::decode(&record.value).is_ok_and(|value| is_it(&value)));
            if let Some(found) = found {
                return Ok(Some(found.key.id.clone()));
            }
            match records.last() {
                Some(last) if records.len() == CHUNK => after = Some(last.key.id.clone()),
                Some(_) | None => return Ok(None),
            }
        }
    }

    /// Makes a record that is not there yet.
    ///
    /// # Errors
    /// The registry cannot be reached, or there is one.
    pub async fn create(&self, id: T::Id, value: T) -> Result<Stored<T>, Refusal> {
        let revision = self.registry.put(&key::<T>(id), Expected::Absent, wire::encode(&value)).await?;
        Ok(Stored { revision, value })
    }

    /// Changes a record to what `change` makes of it. `change` is asked again when another client was faster;
    /// one that returns the value as it is writes nothing.
    ///
    /// # Errors
    /// The refusals of `change`; or the record does not exist, has another revision than `precondition`
    /// demands, is changed by others all the time, or cannot be read or written.
    pub async fn change(
        &self,
        id: T::Id,
        precondition: &Precondition,
        change: impl Fn(&T) -> Result<T, Refusal> + Send + Sync,
    ) -> Result<Changed<T>, Refusal>
    where
        T: Clone,
    {
        for _ in 0..WRITE_TRIES {
            let before = self.load(id).await?;
            precondition.check(before.revision)?;
            let value = change(&before.value)?;
            if value == before.value {
                return Ok(Changed { after: before.clone(), before });
            }
            if let Some(after) = self.replace(id, before.revision, value).await? {
                return Ok(Changed { before, after });
            }
        }
        Err(Refusal::contended())
    }

    /// Replaces a record that is at this revision; `None` if another client was faster.
    ///
    /// # Errors
    /// The registry cannot be reached.
    pub async fn replace(
        &self,
        id: T::Id,
        revision: Revision,
        value: T,
    ) -> Result<Option<Stored<T>>, Refusal> {
        let expected = Expected::At(revision);
        match self.registry.put(&key::<T>(id), expected, wire::encode(&value)).await {
            Ok(revision) => Ok(Some(Stored { revision, value })),
            Err(RegistryError::Conflict) => Ok(None),
            Err(error @ RegistryError::Unavailable(_)) => Err(error.into()),
        }
    }

    /// The revision of a record that must be there, also of one that cannot be read.
    ///
    /// # Errors
    /// The record is not there, or the registry cannot be reached.
    pub async fn revision(&self, id: T::Id) -> Result<Revision, Refusal> {
        let record = self.registry.get(&key::<T>(id)).await?;
        Ok(record.ok_or_else(|| Refusal::not_found(T::WORD))?.revision)
    }

    /// Deletes a record that is at this revision, also one that cannot be read.
    ///
    /// # Errors
    /// Another client was faster, or the registry cannot be reached.
    pub async fn delete_at(&self, id: T::Id, revision: Revision) -> Result<(), Refusal> {
        Ok(self.registry.delete(&key::<T>(id), revision).await?)
    }

    /// Deletes a record, also one that cannot be read. Answers the revision that it had, and the value if it
    /// could be read.
    ///
    /// # Errors
    /// The record is not there, is at another revision than `precondition` demands, is changed by others all
    /// the time, or the registry cannot be reached.
    pub async fn delete(
        &self,
        id: T::Id,
        precondition: &Precondition,
    ) -> Result<(Revision, Option<T>), Refusal> {
        for _ in 0..WRITE_TRIES {
            let record = self.registry.get(&key::<T>(id)).await?;
            let record = record.ok_or_else(|| Refusal::not_found(T::WORD))?;
            precondition.check(record.revision)?;
            match self.registry.delete(&record.key, record.revision).await {
                Ok(()) => return Ok((record.revision, wire::decode(&record.value).ok())),
                Err(RegistryError::Conflict) => {}
                Err(error @ RegistryError::Unavailable(_)) => return Err(error.into()),
            }
        }
        Err(Refusal::contended())
    }
}

fn key<T: Kept>(id: T::Id) -> RecordKey {
    RecordKey::new(T::KIND, id)
}

fn read<T: Kept>(record: &Record) -> Result<Stored<T>, Refusal> {
    Ok(Stored { revision: record.revision, value: wire::decode(&record.value)? })
}
