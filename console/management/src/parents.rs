//! Which monitor may depend on which: none on itself, and only so many in a row.

use std::sync::Arc;

use model::ids::MonitorId;
use model::monitor::Monitor;
use ports::registry::{RecordKey, RecordKind};
use ports::turns::Turn;

use crate::app::App;
use crate::draft::monitor::MonitorDraft;
use crate::in_turn;
use crate::precondition::Precondition;
use crate::records::{Changed, Stored, WRITE_TRIES};
use crate::refusal::Refusal;

/// Most monitors that a monitor depends on, one through the other.
pub const MAX_PARENTS: usize = 10;

impl App {
    /// Changes a monitor: only the fields that are given.
    ///
    /// # Errors
    /// A field is refused, or the record cannot be changed.
    pub async fn edit_monitor(
        self: &Arc<Self>,
        id: MonitorId,
        precondition: &Precondition,
        mut draft: MonitorDraft,
    ) -> Result<Stored<Monitor>, Refusal> {
        self.check_channels(&mut draft).await?;
        if draft.named_parent().is_none() {
            let change = |old: &Monitor| draft.clone().onto(old).map_err(Refusal::fields);
            return self.change_monitor(id, precondition, change).await;
        }
        let (app, precondition) = (Arc::clone(self), precondition.clone());
        let edit = move |turn: Arc<Turn>| async move {
            app.edit_with_parent(&turn, id, &precondition, &draft).await
        };
        self.record_definition(self.in_turn(Some(RecordKey::new(RecordKind::Monitor, id)), edit).await?).await
    }

    async fn edit_with_parent(
        &self,
        turn: &Turn,
        id: MonitorId,
        precondition: &Precondition,
        draft: &MonitorDraft,
    ) -> Result<Changed<Monitor>, Refusal> {
        for _ in 0..WRITE_TRIES {
            let before = self.load_monitor(id).await?;
            precondition.check(before.revision)?;
            in_turn::check(turn).await?;
            let mut draft = draft.clone();
            self.check_parent(&mut draft, Some(id)).await?;
            let changed = draft.onto(&before.value).map_err(Refusal::fields)?;
            let changed = self.dated(&before.value, changed);
            if changed == before.value {
                return Ok(Changed { after: before.clone(), before });
            }
            if let Some(after) = self.monitors().replace(id, before.revision, changed).await? {
                return Ok(Changed { before, after });
            }
        }
        Err(Refusal::contended())
    }

    /// Makes a monitor in a turn: meanwhile a monitor above it must not move below others, and no other
    /// monitor be made of a name that is to be its own.
    pub(crate) async fn store_in_turn(
        self: &Arc<Self>,
        mut draft: MonitorDraft,
    ) -> Result<Stored<Monitor>, Refusal> {
        let app = Arc::clone(self);
        let make = move |_| async move {
            app.check_parent(&mut draft, None).await?;
            if let Some(name) = draft.own_name() {
                app.check_name_is_free(&name).await?;
            }
            app.store_monitor(draft.into_new().map_err(Refusal::fields)?).await
        };
        self.in_turn(None, make).await
    }

    /// Says why the named parent cannot be that of `child`, which is none yet if it is new.
    ///
    /// What depends on `child` is known from memory. In a cluster that may lack what another console did a
    /// moment ago: then a row becomes too long, and notifiers follow the first of it only.
    async fn check_parent(&self, draft: &mut MonitorDraft, child: Option<MonitorId>) -> Result<(), Refusal> {
        let Some(parent) = draft.named_parent() else { return Ok(()) };
        if child == Some(parent) {
            draft.refuse_parent("must be another monitor");
            return Ok(());
        }
        let mut next = Some(parent);
        let mut levels = 0;
        while let Some(id) = next {
            if child == Some(id) {
                draft.refuse_parent("depends on this monitor itself");
                return Ok(());
            }
            if levels > MAX_PARENTS {
                break;
            }
            let Some(found) = self.monitors().find(id).await? else {
                if id == parent {
                    draft.refuse_parent(format!("there is no monitor {parent}"));
                }
                // A parent that is gone counts as none.
                break;
            };
            levels += 1;
            next = found.value.parent;
        }
        let below = child.map_or(0, |child| self.directory.levels_below(child, MAX_PARENTS));
        if levels > MAX_PARENTS {
            draft.refuse_parent(format!(
                "has too many above it: a monitor may depend on {MAX_PARENTS} in a row"
            ));
        } else if levels + below > MAX_PARENTS {
            draft.refuse_parent(format!(
                "has too many above it for those that depend on this monitor: one may depend on {MAX_PARENTS} in a row"
            ));
        }
        Ok(())
    }
}
