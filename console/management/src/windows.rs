//! Changes of maintenance windows.

use std::ops::ControlFlow;
use std::sync::Arc;

use model::ids::{MonitorId, WindowId};
use model::maintenance::MaintenanceWindow;
use model::time::EventTime;
use model::wire;
use ports::registry::{RecordKey, RecordKind};

use crate::app::App;
use crate::directory::StoredMonitor;
use crate::draft::maintenance::{NewWindow, WindowDraft};
use crate::labels::Labels;
use crate::names;
use crate::precondition::Precondition;
use crate::records::{Records, Stored};
use crate::refusal::Refusal;

/// Most windows that there can be: the notifier looks at all of them for each alert.
pub(crate) const MAX_WINDOWS: usize = 1_000;

impl App {
    /// The stored maintenance windows.
    pub fn windows(&self) -> Records<MaintenanceWindow> {
        Records::new(&self.ports.registry)
    }

    /// Makes a window.
    ///
    /// # Errors
    /// A field is refused, the name is to be its own and is taken, there are 1,000 windows, or the registry
    /// cannot be reached.
    pub async fn create_window(
        self: &Arc<Self>,
        mut draft: WindowDraft,
    ) -> Result<Stored<MaintenanceWindow>, Refusal> {
        self.check_named_monitors(&mut draft).await?;
        let now = self.ports.clock.now();
        let own_name = draft.own_name();
        let new = draft.into_new(now).map_err(Refusal::fields)?;
        let app = Arc::clone(self);
        let make = move |_| async move {
            if let Some(name) = own_name {
                let is_it = |window: &MaintenanceWindow| window.name == name;
                names::check_is_free(&app.windows(), is_it).await?;
            }
            app.create_within_limit(new, now).await
        };
        self.in_turn(None, make).await
    }

    async fn create_within_limit(
        &self,
        new: NewWindow,
        now: EventTime,
    ) -> Result<Stored<MaintenanceWindow>, Refusal> {
        let windows = self.windows();
        if windows.count(MAX_WINDOWS).await? >= MAX_WINDOWS {
            return Err(Refusal::conflict(format!(
                "there are {MAX_WINDOWS} maintenance windows, and no more are allowed; delete one that is past"
            )));
        }
        let window = MaintenanceWindow {
            id: WindowId::from_uuid(self.ids.next(self.ports.clock.as_ref())),
            name: new.name,
            monitors: new.monitors,
            tags: new.tags,
            span: new.span,
            created_at: now,
        };
        windows.create(window.id, window).await
    }

    /// Changes a window: only the fields that are given.
    ///
    /// # Errors
    /// A field is refused, or the record cannot be changed.
    pub async fn change_window(
        &self,
        id: WindowId,
        precondition: &Precondition,
        mut draft: WindowDraft,
    ) -> Result<Stored<MaintenanceWindow>, Refusal> {
        self.check_named_monitors(&mut draft).await?;
        let change = |old: &MaintenanceWindow| draft.clone().onto(old).map_err(Refusal::fields);
        Ok(self.windows().change(id, precondition, change).await?.after)
    }

    /// Those of some tags that no monitor has.
    pub async fn unused_tags(&self, tags: &[String]) -> Vec<String> {
        let mut unused = tags.to_vec();
        let look = |stored: &StoredMonitor| {
            if let Ok(labels) = wire::decode::<Labels>(&stored.value) {
                unused.retain(|tag| !labels.tags.contains(tag));
            }
            if unused.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        self.look_through(look).await;
        unused
    }

    /// Says which of the named monitors do not exist.
    async fn check_named_monitors(&self, draft: &mut WindowDraft) -> Result<(), Refusal> {
        let named = draft.named_monitors().iter().copied();
        let unknown: Vec<MonitorId> = named.filter(|id| !self.directory.monitor_exists(*id)).collect();
        for monitor in unknown {
            // Another console may have made it a moment ago.
            if self.ports.registry.get(&RecordKey::new(RecordKind::Monitor, monitor)).await?.is_none() {
                draft.refuse_monitor(monitor);
            }
        }
        Ok(())
    }
}
