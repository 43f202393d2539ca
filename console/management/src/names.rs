//! Names. They may repeat, but a client can ask for one that no other record of the kind has: a script that
//! makes monitors, channels, maintenance windows or keys can then be run twice.

use std::ops::ControlFlow;
use std::time::Duration;

use model::ids::MonitorId;
use model::monitor::Monitor;
use model::validation::FieldError;
use model::wire;
use uuid::Uuid;

use crate::app::App;
use crate::directory::StoredMonitor;
use crate::labels::Labels;
use crate::records::{Kept, Records};
use crate::refusal::Refusal;

/// How old a monitor of another console may be that the directory does not know yet. A console whose
/// directory is further behind answers no request, and clocks that are further apart are reported.
const UNHEARD_OF: Duration = Duration::from_secs(30);

/// The number of monitors that are read at once.
const CHUNK: usize = 5_000;

/// Refuses a name if one of these records has it; records that cannot be read have none. To be called in a
/// turn, as [`App::check_name_is_free`] is.
///
/// # Errors
/// The name is taken, or the registry cannot be reached.
pub(crate) async fn check_is_free<T: Kept>(
    records: &Records<T>,
    has_name: impl Fn(&T) -> bool + Send + Sync,
) -> Result<(), Refusal> {
    let taken = records.id_of_first(has_name).await?;
    taken.map_or(Ok(()), |id| Err(taken_by(T::WORD, &id)))
}

/// The refusal of a name that this record has.
fn taken_by(word: &str, id: &str) -> Refusal {
    let refusal = Refusal::conflict(format!("there is a {word} of that name already: {id}"));
    refusal.with_errors(vec![FieldError::new("name", format!("is the name of {word} {id}"))])
}

impl App {
    /// Refuses a name that a monitor has. To be called in a turn: those who make such monitors take turns, so
    /// two of them cannot take one name. A monitor that is given the name meanwhile by a change, or by a
    /// client that does not ask, is not stopped.
    ///
    /// # Errors
    /// The name is taken, or the registry cannot be reached.
    pub(crate) async fn check_name_is_free(&self, name: &str) -> Result<(), Refusal> {
        let Some(id) = self.monitor_named(name).await? else { return Ok(()) };
        Err(taken_by(Monitor::WORD, &id.to_string()))
    }

    /// The first monitor of this name.
    async fn monitor_named(&self, name: &str) -> Result<Option<MonitorId>, Refusal> {
        let is_named = |stored: &StoredMonitor| {
            wire::decode::<Labels>(&stored.value).is_ok_and(|labels| labels.name == name)
        };
        let look = |stored: &StoredMonitor| match is_named(stored) {
            true => ControlFlow::Break(stored.id),
            false => ControlFlow::Continue(()),
        };
        if let Some(found) = self.look_through(look).await {
            return Ok(Some(found));
        }
        self.young_monitor_named(name).await
    }

    /// Among the monitors that another console may have made a moment ago. Ids begin with the time.
    async fn young_monitor_named(&self, name: &str) -> Result<Option<MonitorId>, Refusal> {
        let since = (self.ports.clock.now() - UNHEARD_OF).as_millis();
        let mut after = MonitorId::from_uuid(Uuid::from_u128(u128::try_from(since).unwrap_or(0) << 80));
        loop {
            let young = self.monitors().list(Some(after), CHUNK).await?;
            if let Some(found) = young.iter().find(|stored| stored.value.name == name) {
                return Ok(Some(found.value.id));
            }
            match young.last() {
                Some(last) if young.len() == CHUNK => after = last.value.id,
                Some(_) | None => return Ok(None),
            }
        }
    }
}
