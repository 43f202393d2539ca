//! Selections: the monitors that a stream is about.

use std::ops::ControlFlow;
use std::sync::Arc;

use hashbrown::HashSet;
use model::ids::MonitorId;
use model::validation::FieldError;
use model::wire;

use crate::app::App;
use crate::directory::StoredMonitor;
use crate::labels::Labels;
use crate::refusal::{Refusal, RefusalKind};

/// The monitors of a request, as they were when it came.
#[derive(Debug, Clone)]
pub struct Selection {
    ids: Arc<HashSet<MonitorId>>,
    /// Whether the selection covers every monitor.
    pub is_all: bool,
}

/// The refusal of a tag that no monitor has: it is mistyped more likely than meant.
pub(crate) fn no_monitor_has(tag: &str) -> FieldError {
    FieldError::new("tag", format!("is a tag that no monitor has: {tag:?}"))
}

impl Selection {
    /// The monitors that are `named` by id and those with the `tag`; every one if neither is given.
    ///
    /// # Errors
    /// [`RefusalKind::Malformed`] if an id cannot be read, [`RefusalKind::NotFound`] if there is no such
    /// monitor, and a refused `tag` if no monitor has it.
    pub async fn read<'a>(
        app: &App,
        named: impl Iterator<Item = &'a str>,
        tag: Option<&str>,
    ) -> Result<Self, Refusal> {
        let mut named = named.peekable();
        if named.peek().is_none() {
            return Self::scan(app, tag).await;
        }
        let mut ids = HashSet::new();
        for text in named {
            let id: MonitorId = text.parse().map_err(|_| {
                Refusal::bad_parameter("monitor", "must be a monitor's id; it may be repeated")
            })?;
            if app.directory.monitor(id).is_none() {
                // Another console may have made it a moment ago.
                app.load_monitor(id).await.map_err(|refusal| {
                    if refusal.kind == RefusalKind::NotFound {
                        Refusal::not_found(&format!("monitor: {id}"))
                    } else {
                        refusal
                    }
                })?;
            }
            ids.insert(id);
        }
        if let Some(tag) = tag {
            ids.extend(Self::scan(app, Some(tag)).await?.ids.iter());
        }
        Ok(Self { ids: Arc::new(ids), is_all: false })
    }

    async fn scan(app: &App, tag: Option<&str>) -> Result<Self, Refusal> {
        let mut ids = HashSet::new();
        let is_tagged = |stored: &StoredMonitor, tag: &str| {
            wire::decode::<Labels>(&stored.value)
                .is_ok_and(|labels| labels.tags.iter().any(|found| found == tag))
        };
        app.look_through(|stored| {
            if tag.is_none_or(|tag| is_tagged(stored, tag)) {
                ids.insert(stored.id);
            }
            ControlFlow::<()>::Continue(())
        })
        .await;
        match tag.filter(|_| ids.is_empty()) {
            None => Ok(Self { ids: Arc::new(ids), is_all: tag.is_none() }),
            Some(tag) => Err(Refusal::fields(vec![no_monitor_has(tag)])),
        }
    }

    /// Whether the monitor is one of them.
    pub fn contains(&self, id: MonitorId) -> bool {
        self.ids.contains(&id)
    }

    /// How many monitors there are.
    pub fn count(&self) -> usize {
        self.ids.len()
    }

    /// The ids, in the order of creation.
    pub fn sorted(&self) -> Vec<MonitorId> {
        let mut ids: Vec<MonitorId> = self.ids.iter().copied().collect();
        ids.sort_unstable();
        ids
    }
}
