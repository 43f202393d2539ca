//! Shares: which partitions are this scheduler's, and when it may take them from another one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::ids::PartitionId;
use parking_lot::Mutex;
use ports::clock::Clock;
use ports::roster::{Member, Roster, RosterError};
use ports::shares::{Liveness, assign};
use ports::state_store::{Lease, Leases, StateError};

/// The time without a new beat after which a scheduler counts as dead, and its partitions are taken over.
const LEASE: Duration = Duration::from_secs(5);
/// The time without a look at the roster after which this scheduler was frozen itself and cannot judge the
/// others.
const LOOKED_AWAY: Duration = Duration::from_secs(2);

/// The schedulers and their shares, as this scheduler sees them.
pub(crate) struct Shares {
    name: String,
    partitions: u16,
    clock: Arc<dyn Clock>,
    seen: Mutex<RosterView>,
}

struct RosterView {
    liveness: Liveness,
    looked_at: Duration,
    /// Those that lived when the roster was last read: what is forgiven later makes none of them live.
    living: Vec<String>,
    /// Whether the last beat reached the roster.
    reached: bool,
}

/// How a scheduler stands among the others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    /// Its own name.
    pub(crate) name: String,
    /// The names of those that lived when the roster was last read, in order; none if it was never read.
    pub(crate) living: Vec<String>,
    /// Whether that was just now.
    pub(crate) is_current: bool,
}

impl Standing {
    /// Whether it is the first of those that live.
    pub(crate) fn is_first(&self) -> bool {
        self.living.first() == Some(&self.name)
    }
}

impl Shares {
    pub(crate) fn new(name: String, partitions: u16, clock: Arc<dyn Clock>) -> Self {
        let seen = RosterView {
            liveness: Liveness::new(LEASE),
            looked_at: clock.elapsed(),
            living: Vec::new(),
            reached: false,
        };
        Self { name, partitions, clock, seen: Mutex::new(seen) }
    }

    /// Beats on the roster, and works out which partitions are this scheduler's own.
    ///
    /// # Errors
    /// When the roster cannot be reached; the shares stay as they are then.
    pub(crate) async fn beat(&self, roster: &dyn Roster) -> Result<BTreeSet<PartitionId>, RosterError> {
        let beat = roster.beat(&self.name).await;
        let now = self.clock.elapsed();
        let mut seen = self.seen.lock();
        seen.reached = beat.is_ok();
        match beat {
            Ok(members) => Ok(self.look(&mut seen, &members, now)),
            Err(error) => {
                seen.liveness.forgive(now);
                Err(error)
            }
        }
    }

    fn look(&self, seen: &mut RosterView, members: &[Member], now: Duration) -> BTreeSet<PartitionId> {
        if now.saturating_sub(seen.looked_at) > LOOKED_AWAY {
            seen.liveness.forgive(now);
        }
        seen.looked_at = now;
        seen.liveness.look(members, now);
        let living = seen.liveness.living(now);
        let me = living.iter().position(|name| *name == self.name);
        let owners = (0..self.partitions).map(PartitionId).zip(assign(&living, self.partitions));
        let mine = owners
            .filter(|(_, owner)| owner.is_some() && *owner == me)
            .map(|(partition, _)| partition)
            .collect();
        seen.living = living;
        mine
    }

    /// How this scheduler stands among the others.
    pub(crate) fn standing(&self) -> Standing {
        let now = self.clock.elapsed();
        let seen = self.seen.lock();
        let is_current = seen.reached && now.saturating_sub(seen.looked_at) <= LOOKED_AWAY;
        Standing { name: self.name.clone(), living: seen.living.clone(), is_current }
    }

    fn lives(&self, name: &str) -> Option<bool> {
        self.seen.lock().liveness.lives(name, self.clock.elapsed())
    }
}

/// Takes one partition as soon as it is free.
pub(crate) struct Taker {
    shares: Arc<Shares>,
    /// A lease whose holder is not on the roster, and when it was first seen.
    stray: Option<(String, Duration)>,
}

impl Taker {
    pub(crate) const fn new(shares: Arc<Shares>) -> Self {
        Self { shares, stray: None }
    }

    /// Takes the partition if it is free, or if its holder is dead.
    ///
    /// # Errors
    /// `Held` while its holder lives or is not known to be dead, `Unavailable`.
    pub(crate) async fn take(
        &mut self,
        leases: &dyn Leases,
        partition: PartitionId,
    ) -> Result<Lease, StateError> {
        let held = match leases.acquire(partition, &self.shares.name).await {
            Err(StateError::Held { owner, token }) => (owner, token),
            other => return other,
        };
        let (owner, token) = held;
        if !self.is_dead(&owner, &token) {
            return Err(StateError::Held { owner, token });
        }
        tracing::warn!(partition.id = %partition, owner, "taking a partition over from a dead scheduler");
        leases.take_over(partition, &token, &self.shares.name).await
    }

    /// A holder is dead if its beat stands still. One that is not on the roster left without giving the
    /// partition back, or the roster was wiped: it counts as dead after the same time.
    fn is_dead(&mut self, owner: &str, token: &str) -> bool {
        if let Some(lives) = self.shares.lives(owner) {
            self.stray = None;
            return !lives;
        }
        let now = self.shares.clock.elapsed();
        match &self.stray {
            Some((known, since)) if known == token => now.saturating_sub(*since) >= LEASE,
            Some(_) | None => {
                self.stray = Some((token.to_owned(), now));
                false
            }
        }
    }
}
