//! Turns: consoles change one thing at a time where a rule binds several records together.
//!
//! "No monitor depends on itself" and "there is always an admin key" are checked on some records and broken
//! by a write to another one. Compare-and-set guards a single record, so two consoles that check at the same
//! time would both find the rule kept and break it together. A console therefore takes a turn before
//! such a change: a record of the registry says which console has it, decided by compare-and-set.
//!
//! A console may die or freeze in its turn. So a turn that stands still is taken over. The next console
//! first writes the record that the late console wanted to change once more, as it is. That gives the record
//! another revision, so the late console's write is refused.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::ids::Revision;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep, timeout};

use super::registry::{Expected, Record, RecordKey, RecordKind, Registry, RegistryError};

/// A turn that has not moved for this long is taken over.
pub const STANDS_STILL: Duration = Duration::from_secs(3);

/// Longest wait for a turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// The wait between two looks at a turn that another console has.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The id of the one record.
const ID: &str = "rules";

/// The value while no console has the turn.
const FREE: &str = "free";

/// The turns of one console.
pub struct Turns {
    registry: Arc<dyn Registry>,
    /// Those who wait in this console wait here, and only the first of them asks the registry.
    line: Arc<Mutex<()>>,
}

/// The first place in the line of a console. Whoever has it may give it up; from [`FirstInLine::take`] on,
/// the change must go on to its end.
pub struct FirstInLine {
    registry: Arc<dyn Registry>,
    began: Instant,
    line: OwnedMutexGuard<()>,
}

/// A turn. If it is dropped without [`Turn::end`], the others wait until it stands still.
pub struct Turn {
    registry: Arc<dyn Registry>,
    revision: Revision,
    _line: OwnedMutexGuard<()>,
}

impl Turns {
    /// Takes turns with everybody who uses this registry.
    pub fn new(registry: Arc<dyn Registry>) -> Self {
        Self { registry, line: Arc::default() }
    }

    /// Waits until nobody else of this console has a turn or is about to take one.
    ///
    /// # Errors
    /// `Conflict` if that took 30 s.
    pub async fn wait(&self) -> Result<FirstInLine, RegistryError> {
        let (began, line) = (Instant::now(), Arc::clone(&self.line));
        let line = timeout(PATIENCE, line.lock_owned()).await.map_err(|_elapsed| RegistryError::Conflict)?;
        Ok(FirstInLine { registry: Arc::clone(&self.registry), began, line })
    }
}

impl FirstInLine {
    /// Waits for a turn, in which the caller changes no record but `changed`; `None`: the caller makes a new
    /// one, which a turn that is taken over does not stop.
    ///
    /// In this order the caller reads the revision of `changed`, asks [`Turn::check`], checks the rule,
    /// writes at that revision, and calls [`Turn::end`].
    ///
    /// # Errors
    /// `Unavailable`; `Conflict` if it was the turn of others for 30 s, those of this console included.
    pub async fn take(self, changed: Option<&RecordKey>) -> Result<Turn, RegistryError> {
        let Self { registry: shared, began, line } = self;
        let registry = shared.as_ref();
        let mut watched: Option<(Revision, Instant)> = None;
        while began.elapsed() < PATIENCE {
            let found = registry.get(&key()).await?;
            if let Some(record) = found.as_ref().filter(|record| *record.value != *FREE.as_bytes()) {
                let since = match watched {
                    Some((revision, since)) if revision == record.revision => since,
                    Some(_) | None => watched.insert((record.revision, Instant::now())).1,
                };
                if since.elapsed() < STANDS_STILL {
                    sleep(LOOK_AGAIN).await;
                    continue;
                }
            }
            let late = found.as_ref().map(wanted).unwrap_or_default();
            let expected = found.map_or(Expected::Absent, |record| Expected::At(record.revision));
            match registry.put(&key(), expected, held(&late, changed)).await {
                Ok(revision) => {
                    for record in &late {
                        outdate(registry, record).await?;
                    }
                    return Ok(Turn { registry: shared, revision, _line: line });
                }
                // Another console was faster.
                Err(RegistryError::Conflict) => {}
                Err(error @ RegistryError::Unavailable(_)) => return Err(error),
            }
        }
        Err(RegistryError::Conflict)
    }
}

impl Turn {
    /// Whether it is still the caller's turn.
    ///
    /// # Errors
    /// `Conflict` if it was taken over; `Unavailable`.
    pub async fn check(&self) -> Result<(), RegistryError> {
        let found = self.registry.get(&key()).await?;
        let is_own = found.is_some_and(|record| record.revision == self.revision);
        if is_own { Ok(()) } else { Err(RegistryError::Conflict) }
    }

    /// Ends the turn. If that cannot be written now, the next one waits until the turn stands still.
    pub async fn end(self) {
        let free = Bytes::from_static(FREE.as_bytes());
        let _ = self.registry.put(&key(), Expected::At(self.revision), free).await;
    }
}

fn key() -> RecordKey {
    RecordKey::new(RecordKind::Turn, ID)
}

/// The value of a turn: the records that may still be written by those who had it, and by who has it now.
fn held(late: &[RecordKey], changed: Option<&RecordKey>) -> Bytes {
    let mut lines = vec!["held".to_owned()];
    for key in late.iter().chain(changed.filter(|changed| !late.contains(changed))) {
        lines.push(format!("{} {}", key.kind.as_str(), key.id));
    }
    Bytes::from(lines.join("\n"))
}

/// The records that those who had a turn wanted to change.
fn wanted(turn: &Record) -> Vec<RecordKey> {
    let text = String::from_utf8_lossy(&turn.value);
    let key = |line: &str| {
        let (word, id) = line.split_once(' ')?;
        let kind = RecordKind::ALL.into_iter().find(|kind| kind.as_str() == word)?;
        Some(RecordKey::new(kind, id))
    };
    text.lines().filter_map(key).collect()
}

/// Gives a record another revision, so that the write of a console that read it before is refused.
async fn outdate(registry: &dyn Registry, key: &RecordKey) -> Result<(), RegistryError> {
    let Some(record) = registry.get(key).await? else { return Ok(()) };
    match registry.put(key, Expected::At(record.revision), record.value).await {
        // The faster writer gave it another revision as well.
        Ok(_) | Err(RegistryError::Conflict) => Ok(()),
        Err(error @ RegistryError::Unavailable(_)) => Err(error),
    }
}
