//! Whether an alert is told at all: maintenance windows and monitors that depend on others.
//!
//! A flip to down is held back while its monitor is in a maintenance window, or while a monitor that it
//! depends on is down, if every channel that it would reach is told of that one. The alert stays in the alert
//! queue, and the later ones of its monitor behind it. When that is over, the alert is told if the monitor is
//! still down. If not, neither the failure nor its recovery is told: a row in the ledger says so until the
//! recovery has come.
//!
//! - `rule` (pure): decides about an alert. This file collects the facts that it needs.

mod rule;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use model::chain::Chain;
use model::channel::ChannelState;
use model::flip::{Alert, Flip, State};
use model::ids::{AlertId, ChannelId, MonitorId};
use model::maintenance::quiet_until;
use model::monitor::Monitor;
use model::natural::compare;
use model::notice::{Dependents, MAX_NAMES};
use model::time::EventTime;
use model::wire::{self, Message};
use ports::ledger::{Ledger, LedgerError};
use ports::registry::{RecordKey, RecordKind, Registry, RegistryError};
use ports::state_store::{StateError, StateReader};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::directory::Directory;
use crate::message::incident_of;
use rule::{Ancestor, DownFacts, OwnIncident, QuietSpan};
pub(crate) use rule::{SilenceReason, Verdict, was_held};

/// How many levels of parents are followed. The console allows no more.
const GENERATIONS: usize = 10;

/// How often a write is tried again when another notifier wrote to the ledger meanwhile.
const TRIES: usize = 50;

/// The means to decide.
pub(crate) struct Gate {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) states: Arc<dyn StateReader>,
    pub(crate) partitions: u16,
    pub(crate) ledger: Arc<dyn Ledger>,
}

/// Why nothing could be decided. It can be later.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateError {
    #[error("look a monitor up")]
    Registry(#[from] RegistryError),
    #[error("look at the state of a monitor")]
    States(#[from] StateError),
    #[error("use the ledger")]
    Ledger(#[from] LedgerError),
}

/// A row of the ledger, under the monitor that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Memory {
    /// This incident was not told, so its end is not told either. The row has the monitor's own id.
    Untold { incident: AlertId, reason: SilenceReason },
    /// A monitor that depends on this one is down, and that was not told. The row has the dependent's id.
    Dependent { name: String, since: EventTime },
}

impl Message for Memory {
    const NAME: &'static str = "memory of a monitor";
    const VERSION: u8 = 1;
    const NAMED: bool = false;
}

/// A row to write, or to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    scope: MonitorId,
    key: MonitorId,
    memory: Option<Memory>,
}

/// The decision about an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) verdict: Verdict,
    /// Rows to write before the alert is completed.
    pub(crate) notes: Vec<Note>,
    /// The monitors that depend on this one and are down, for the message.
    pub(crate) dependents: Dependents,
}

impl Gate {
    /// Decides about an alert of a monitor.
    pub(crate) async fn decide(
        &self,
        alert: &Alert,
        flip: &Flip,
        monitor: &Monitor,
        now: EventTime,
    ) -> Result<Decision, GateError> {
        let is_reminder = matches!(alert, Alert::Reminder { .. });
        if flip.to != State::Down {
            return self.recovery(flip, monitor).await;
        }
        // A flip is judged by its own time, a reminder by the current time.
        let at = if is_reminder { now } else { flip.at };
        let windows = self.directory.windows();
        let quiet = quiet_until(windows.iter().map(AsRef::as_ref), monitor.id, &monitor.tags, at);
        let quiet = quiet.map(|(until, window)| QuietSpan { until, window: window.name.clone() });
        let ancestors = self.ancestors(monitor).await?;
        if is_reminder {
            let every = u64::from(monitor.definition.remind_every);
            let late = every > 0 && now.since(alert.at()).as_secs() >= every;
            let verdict = rule::reminder(quiet, ancestors, late);
            let (_, dependents) = self.remembered(monitor.id).await?;
            return Ok(Decision { verdict, notes: Vec::new(), dependents });
        }
        let held = quiet.is_some() || !ancestors.is_empty();
        let own = if held { self.own(flip).await? } else { OwnIncident::Down };
        let chance = monitor.definition.chance();
        let verdict = rule::down(&DownFacts { now, at: flip.at, quiet, ancestors, own, chance });
        let mut notes = Vec::new();
        let dependent = |memory| monitor.parent.map(|scope| Note { scope, key: monitor.id, memory });
        match &verdict {
            Verdict::Hold { reason: SilenceReason::Depends { .. }, .. } => {
                let memory = Memory::Dependent { name: monitor.name.clone(), since: flip.at };
                notes.extend(dependent(Some(memory)));
            }
            Verdict::Hold { reason: SilenceReason::Window { .. } | SilenceReason::Late, .. } => {}
            Verdict::Tell => notes.extend(dependent(None)),
            Verdict::Silence(reason) => {
                notes.extend(dependent(None));
                let memory = Memory::Untold { incident: flip.id, reason: reason.clone() };
                notes.push(Note { scope: monitor.id, key: monitor.id, memory: Some(memory) });
            }
        }
        Ok(Decision { verdict, notes, dependents: Dependents::default() })
    }

    /// The end of an incident is told if its beginning was.
    async fn recovery(&self, flip: &Flip, monitor: &Monitor) -> Result<Decision, GateError> {
        let (untold, dependents) = self.remembered(monitor.id).await?;
        let Some((incident, reason)) = untold else {
            return Ok(Decision { verdict: Verdict::Tell, notes: Vec::new(), dependents });
        };
        if incident == incident_of(flip) {
            // The memory is kept: a notifier that dies before this is written down finds it again. The next
            // incident replaces it.
            return Ok(Decision { verdict: Verdict::Silence(reason), notes: Vec::new(), dependents });
        }
        let forget = Note { scope: monitor.id, key: monitor.id, memory: None };
        Ok(Decision { verdict: Verdict::Tell, notes: vec![forget], dependents })
    }

    /// The incident that was not told, and the dependents that are down.
    async fn remembered(
        &self,
        monitor: MonitorId,
    ) -> Result<(Option<(AlertId, SilenceReason)>, Dependents), GateError> {
        let page = self.ledger.load(monitor.as_uuid()).await?;
        let mut untold = None;
        let mut names = Vec::new();
        for (key, bytes) in page.rows {
            let memory: Memory = match wire::decode(&bytes) {
                Ok(memory) => memory,
                Err(error) => {
                    tracing::error!(error = %Chain(&error), monitor.id = %monitor, "failed to read what was remembered of a monitor");
                    continue;
                }
            };
            match memory {
                Memory::Untold { incident, reason } if key == monitor.as_uuid() => {
                    untold = Some((incident, reason));
                }
                Memory::Untold { .. } => {}
                Memory::Dependent { name, .. } => names.push(name),
            }
        }
        names.sort_unstable_by(|a, b| compare(a, b));
        let down = u32::try_from(names.len()).unwrap_or(u32::MAX);
        names.truncate(MAX_NAMES);
        Ok((untold, Dependents { down, names }))
    }

    /// The channels that an alert of the monitor reaches.
    async fn reached(&self, monitor: &Monitor) -> Result<BTreeSet<ChannelId>, RegistryError> {
        let channels = self.directory.of_monitor(monitor.channels.as_deref()).await?;
        let working = channels.iter().filter(|channel| channel.state != ChannelState::Disabled);
        Ok(working.map(|channel| channel.id).collect())
    }

    /// The monitors that this one depends on, directly or not, as far as they say something to each of its
    /// channels: a channel that does not hear of the parent would hear nothing at all.
    async fn ancestors(&self, monitor: &Monitor) -> Result<Vec<Ancestor>, GateError> {
        if monitor.parent.is_none() {
            return Ok(Vec::new());
        }
        let channels = self.reached(monitor).await?;
        let mut found = Vec::new();
        let mut seen = vec![monitor.id];
        let mut next = monitor.parent;
        for _ in 0..GENERATIONS {
            let Some(id) = next else { break };
            if seen.contains(&id) {
                // Two changes at once can make a circle, in which each monitor would wait for the others.
                return Ok(Vec::new());
            }
            seen.push(id);
            let Some(record) = self.registry.get(&RecordKey::new(RecordKind::Monitor, id)).await? else {
                break;
            };
            // A parent that cannot be read holds no alert back.
            let Ok(parent) = wire::decode::<Monitor>(&record.value) else { break };
            let state = self.states.states(id.partition(self.partitions), &[id]).await?.into_iter().next();
            if let Some(state) = state.flatten()
                && self.reached(&parent).await?.is_superset(&channels)
            {
                let down = state.incident.as_ref().filter(|_| state.state == State::Down);
                let down = down.map(|incident| incident.down.id);
                found.push(Ancestor { name: parent.name.clone(), down, since: state.since });
            }
            next = parent.parent;
        }
        Ok(found)
    }

    /// Whether the incident that a flip began goes on.
    async fn own(&self, flip: &Flip) -> Result<OwnIncident, GateError> {
        let id = flip.monitor;
        let state = self.states.states(id.partition(self.partitions), &[id]).await?.into_iter().next();
        let over = state.flatten().is_some_and(|state| {
            let same = state.incident.as_ref().is_some_and(|incident| incident.down.id == flip.id);
            state.sequence > flip.sequence && !(same && state.state == State::Down)
        });
        Ok(if over { OwnIncident::Over } else { OwnIncident::Down })
    }

    /// Writes notes down, all of a monitor's together.
    pub(crate) async fn remember(&self, notes: &[Note]) -> Result<(), GateError> {
        let mut scopes: HashMap<MonitorId, Vec<(Uuid, Option<Bytes>)>> = HashMap::new();
        for Note { scope, key, memory } in notes {
            let row = memory.as_ref().map(wire::encode);
            scopes.entry(*scope).or_default().push((key.as_uuid(), row));
        }
        for (scope, rows) in scopes {
            self.write(scope, &rows).await?;
        }
        Ok(())
    }

    async fn write(&self, scope: MonitorId, rows: &[(Uuid, Option<Bytes>)]) -> Result<(), GateError> {
        let mut conflict = None;
        for _ in 0..TRIES {
            let page = self.ledger.load(scope.as_uuid()).await?;
            let known: HashMap<Uuid, Bytes> = page.rows.into_iter().collect();
            let changed = rows.iter().filter(|(key, row)| known.get(key) != row.as_ref());
            let changed: Vec<_> = changed.cloned().collect();
            if changed.is_empty() {
                return Ok(());
            }
            match self.ledger.write(scope.as_uuid(), page.version, changed).await {
                Ok(_) => return Ok(()),
                Err(error @ LedgerError::Conflict { .. }) => conflict = Some(error),
                Err(error @ LedgerError::Unavailable(_)) => return Err(error.into()),
            }
        }
        conflict.map_or(Ok(()), |error| Err(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{at, check_golden};

    #[test]
    fn what_is_remembered_is_stored_as_it_was() {
        let time = at("2026-11-22T10:00:05Z");
        let incident = AlertId::from_uuid(Uuid::from_u128(1));
        let window = SilenceReason::Window { name: "new disks".to_owned() };
        for (name, memory) in [
            ("untold", Memory::Untold { incident, reason: window }),
            ("dependent", Memory::Dependent { name: "web".to_owned(), since: time }),
        ] {
            let bytes = wire::encode(&memory);
            check_golden(&format!("memory_{name}_v1"), &bytes);
            assert_eq!(wire::decode::<Memory>(&bytes).expect("readable"), memory);
        }
    }
}
