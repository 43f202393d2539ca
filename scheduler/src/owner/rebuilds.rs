//! The state of the rebuilds of a partition.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use model::ids::RebuildId;
use model::rebuild::RebuildState;
use model::time::TimeRules;
use tokio::task::JoinSet;

use crate::rebuild::{RebuiltPartition, Requests, Stopped, Ticket};

/// The interval between looks at rebuilds while no entry comes: with a rebuild under way, and without.
const LOOK_BUSY: Duration = Duration::from_millis(50);
const LOOK_IDLE: Duration = Duration::from_secs(1);

/// The rebuilds of a partition.
pub(super) struct Rebuilds {
    pub(super) requests: Arc<Requests>,
    pub(super) rules: TimeRules,
    /// The last entry that the owner applied, for the task beside it.
    pub(super) position: Arc<AtomicU64>,
    /// The rebuild that is being computed or compared, or else the last one that ended here.
    pub(super) newest: Option<RebuildId>,
    pub(super) computing: JoinSet<Result<Box<RebuiltPartition>, (Ticket, Stopped)>>,
    /// A rebuild that has caught up once.
    pub(super) computed: Option<Box<RebuiltPartition>>,
    pub(super) began_at: Duration,
    /// Tasks that write outcomes to the registry.
    pub(super) finishing: JoinSet<()>,
}

impl Rebuilds {
    pub(super) fn new(requests: Arc<Requests>, rules: TimeRules) -> Self {
        Self {
            requests,
            rules,
            position: Arc::default(),
            newest: None,
            computing: JoinSet::new(),
            computed: None,
            began_at: Duration::ZERO,
            finishing: JoinSet::new(),
        }
    }

    /// How long the owner may wait for entries before it looks at rebuilds again.
    pub(super) fn pause(&self) -> Duration {
        if self.computed.is_some() || !self.computing.is_empty() { LOOK_BUSY } else { LOOK_IDLE }
    }

    /// Writes the outcome of a rebuild to the registry.
    pub(super) fn finish(&mut self, ticket: Ticket, state: RebuildState) {
        self.newest = Some(ticket.id());
        self.finishing.spawn(ticket.finish(state));
    }
}
