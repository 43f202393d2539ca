//! Changes that a rule over several records forbids together: each is made in a turn of its own.

use std::sync::Arc;

use ports::registry::{RecordKey, RegistryError};
use ports::turns::Turn;
use tracing::Instrument;

use crate::app::App;
use crate::refusal::{Refusal, RefusalKind};

impl App {
    /// Waits for a turn to change this record, or to make one, and makes the change in it.
    ///
    /// A client that hangs up in the line leaves it. A change at the head of the line goes on without its
    /// client, so that the turn is ended and nobody waits until it stands still. One change of a console at
    /// most is under way, so none pile up.
    pub(crate) async fn in_turn<T, C>(
        &self,
        changed: Option<RecordKey>,
        change: impl FnOnce(Arc<Turn>) -> C + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        C: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let first = self.turns.wait().await.map_err(refused)?;
        let work = async move {
            let turn = Arc::new(first.take(changed.as_ref()).await.map_err(refused)?);
            let outcome = change(Arc::clone(&turn)).await;
            end(turn, outcome).await
        };
        match self.changes.spawn(work.in_current_span()).await {
            Ok(outcome) => outcome,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The console ends.
                Err(_) => Err(Refusal::unavailable("the console is stopping; try again")),
            },
        }
    }
}

/// Asks whether a turn is still the caller's, after the record that it changes was read.
pub(crate) async fn check(turn: &Turn) -> Result<(), Refusal> {
    turn.check().await.map_err(refused)
}

/// Ends a turn. One that ended in doubt is left: the change may still arrive, and the console that takes the
/// turn over sees to it that it then comes to nothing.
async fn end<T>(turn: Arc<Turn>, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
    let in_doubt = outcome.as_ref().is_err_and(|refusal| refusal.kind == RefusalKind::Unavailable);
    // The change is over, so nobody else has it.
    if !in_doubt && let Some(turn) = Arc::into_inner(turn) {
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
