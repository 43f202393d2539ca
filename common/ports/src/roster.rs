//! The roster: which nodes of a role are present.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::error::BackendError;

/// The roster cannot be reached now; the same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[error("reach the roster")]
pub struct RosterError(#[source] pub BackendError);

/// A node on the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The node's name, a new one for each start.
    pub name: String,
    /// Counts the node's beats. An observer that looks twice, some time apart by its own clock, sees whether
    /// the node lives.
    pub beat: u64,
}

/// The nodes of one role. The clocks of different nodes are never compared.
///
/// A member that has been silent for a day may be forgotten.
#[async_trait]
pub trait Roster: Send + Sync {
    /// Beats for `name`, and answers all nodes that ever beat and did not leave, `name` included, ordered by
    /// name.
    ///
    /// # Errors
    /// [`RosterError`].
    async fn beat(&self, name: &str) -> Result<Vec<Member>, RosterError>;

    /// Takes `name` off the roster.
    ///
    /// # Errors
    /// [`RosterError`].
    async fn leave(&self, name: &str) -> Result<(), RosterError>;
}

/// The roster of a role that has one node only, as in one process: each beat answers the node itself.
#[derive(Debug, Default)]
pub struct Alone(AtomicU64);

#[async_trait]
impl Roster for Alone {
    async fn beat(&self, name: &str) -> Result<Vec<Member>, RosterError> {
        Ok(vec![Member { name: name.to_owned(), beat: self.0.fetch_add(1, Ordering::Relaxed) + 1 }])
    }

    async fn leave(&self, _name: &str) -> Result<(), RosterError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lone_node_meets_itself_with_a_beat_that_moves() {
        let roster = Alone::default();
        for beat in [1, 2] {
            let met = roster.beat("a node").await.expect("it cannot fail");
            assert_eq!(met, [Member { name: "a node".to_owned(), beat }]);
        }
    }
}
