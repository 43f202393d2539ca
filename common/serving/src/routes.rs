//! The routes behind a listener, exchanged while it runs.

use std::sync::Arc;

use axum::Router;
use parking_lot::RwLock;

/// What a listener serves. Cloning shares it.
///
/// A role listens before it has what it stands on: then these routes say what it waits for, and those of its
/// work take their place later. A request is answered by the routes that are there when it comes.
#[derive(Debug, Clone)]
pub struct Routes(Arc<RwLock<Router>>);

impl Routes {
    /// Serves these from now on.
    pub fn exchange(&self, router: Router) {
        *self.0.write() = router;
    }

    pub(super) fn current(&self) -> Router {
        self.0.read().clone()
    }
}

impl From<Router> for Routes {
    fn from(router: Router) -> Self {
        Self(Arc::new(RwLock::new(router)))
    }
}
