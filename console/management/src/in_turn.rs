//! Changes that a rule over several records forbids together: each is made in a turn of its own.

use ports::registry::{RecordKey, RegistryError};
use ports::turns::Turn;

use crate::app::App;
use crate::refusal::{Refusal, RefusalKind};

impl App {
    /// Waits for a turn to change this record, or to make one.
    pub(crate) async fn take_turn(&self, changed: Option<&RecordKey>) -> Result<Turn<'_>, Refusal> {
        self.turns.take(changed).await.map_err(refused)
    }
}

/// Asks whether a turn is still the caller's, after the record that it changes was read.
pub(crate) async fn check(turn: &Turn<'_>) -> Result<(), Refusal> {
    turn.check().await.map_err(refused)
}

/// Ends a turn. One that ended in doubt is left: the change may still arrive, and the console that takes the
/// turn over sees to it that it then comes to nothing.
pub(crate) async fn end<T>(turn: Turn<'_>, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
    let in_doubt = outcome.as_ref().is_err_and(|refusal| refusal.kind == RefusalKind::Unavailable);
    if !in_doubt {
        turn.end().await;
    }
    outcome
}

fn refused(error: RegistryError) -> Refusal {
    match error {
        RegistryError::Conflict => Refusal::contended(),
        RegistryError::Unavailable(_) => error.into(),
    }
}
