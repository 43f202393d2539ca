//! Looking through every monitor that the directory holds.

use std::ops::ControlFlow;

use crate::app::App;
use crate::directory::StoredMonitor;

/// The number of monitors that are looked at before other work gets its turn.
const CHUNK: usize = 1_000;

impl App {
    /// Lets `look` see each monitor, in the order of their creation, until it breaks: what it broke with.
    pub(crate) async fn look_through<B>(
        &self,
        mut look: impl FnMut(&StoredMonitor) -> ControlFlow<B>,
    ) -> Option<B> {
        let mut reached = None;
        loop {
            let chunk = self.directory.monitors(reached, CHUNK);
            let last = chunk.last()?;
            reached = Some(last.id);
            if let ControlFlow::Break(found) = chunk.iter().try_for_each(&mut look) {
                return Some(found);
            }
            tokio::task::yield_now().await;
        }
    }
}
