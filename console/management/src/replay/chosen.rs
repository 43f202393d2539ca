//! The monitors that are asked about, as they are now.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use model::ids::{MonitorId, PartitionId, Revision};
use model::monitor::{Definition, Monitor};
use model::validation::FieldError;
use model::wire;

use crate::app::App;
use crate::directory::StoredMonitor;
use crate::draft::replay::Selection;
use crate::labels::Labels;
use crate::refusal::{Refusal, RefusalKind};
use crate::selection::no_monitor_has;

/// A monitor that is asked about.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// The revision of its record.
    pub revision: Revision,
    /// Its definition.
    pub definition: Definition,
    /// Whether its grace was given.
    pub own_grace: bool,
}

/// All of them.
#[derive(Debug)]
pub struct ChosenMonitors {
    /// The monitors by their ids.
    pub monitors: BTreeMap<MonitorId, Chosen>,
    /// Whether these are all that there are.
    pub all: bool,
}

impl ChosenMonitors {
    /// Finds them, at most `most`.
    ///
    /// # Errors
    /// 422: there is no such monitor, no monitor has the tag, or there are too many.
    pub async fn find(app: &App, selection: &Selection, most: usize) -> Result<Self, Refusal> {
        let mut monitors = BTreeMap::new();
        match selection {
            Selection::Monitors(ids) => {
                let mut missing = Vec::new();
                for id in ids {
                    match app.load_monitor(*id).await {
                        Ok(held) => {
                            monitors.insert(*id, Chosen::new(held.value, held.revision));
                        }
                        Err(refusal) if refusal.kind == RefusalKind::NotFound => {
                            missing.push(FieldError::new("monitor", format!("there is no monitor {id}")));
                        }
                        Err(refusal) => return Err(refusal),
                    }
                }
                if !missing.is_empty() {
                    return Err(Refusal::fields(missing));
                }
            }
            Selection::Tag(tag) => {
                scan(app, &mut monitors, ("tag", most), |stored| {
                    wire::decode::<Labels>(&stored.value).is_ok_and(|labels| labels.tags.contains(tag))
                })
                .await?;
                if monitors.is_empty() {
                    return Err(Refusal::fields(vec![no_monitor_has(tag)]));
                }
            }
            Selection::All => scan(app, &mut monitors, ("all", most), |_| true).await?,
        }
        Ok(Self { monitors, all: *selection == Selection::All })
    }

    /// The partitions that the monitors are in, of `count` in all.
    pub fn partitions(&self, count: u16) -> Vec<PartitionId> {
        let mut partitions: Vec<PartitionId> = self.monitors.keys().map(|id| id.partition(count)).collect();
        partitions.sort_unstable();
        partitions.dedup();
        partitions
    }
}

impl Chosen {
    fn new(monitor: Monitor, revision: Revision) -> Self {
        let own_grace = monitor.has_own_grace();
        Self { name: monitor.name, revision, definition: monitor.definition, own_grace }
    }
}

async fn scan(
    app: &App,
    monitors: &mut BTreeMap<MonitorId, Chosen>,
    (field, most): (&str, usize),
    fits: impl Fn(&StoredMonitor) -> bool,
) -> Result<(), Refusal> {
    let look = |stored: &StoredMonitor| {
        // A monitor that cannot be read is left out of every list, which logs it.
        if fits(stored)
            && let Ok(monitor) = wire::decode::<Monitor>(&stored.value)
        {
            monitors.insert(stored.id, Chosen::new(monitor, stored.revision));
        }
        if monitors.len() > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    if app.look_through(look).await.is_some() {
        let message = format!("these are more than {most} monitors: ask for fewer at a time");
        return Err(Refusal::fields(vec![FieldError::new(field, message)]));
    }
    Ok(())
}
