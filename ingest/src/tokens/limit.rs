//! Pushes per token. The limiter's 8 bytes of state lie in the token's entry, so there is no second map.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use parking_lot::RwLock;
use ports::clock::Clock;

use super::digest::{Digest, TokenRef};
use super::table::Table;

/// The limit of every token.
pub(super) struct PushLimit {
    limiter: RateLimiter<Digest, Budgets, Elapsed, NoOpMiddleware<Duration>>,
    table: Arc<RwLock<Table>>,
    clock: Arc<dyn Clock>,
    /// The price of one push.
    price: u64,
}

impl PushLimit {
    /// `None` if there is no limit.
    pub(super) fn new(
        per_minute: u32,
        burst: u32,
        table: Arc<RwLock<Table>>,
        clock: Arc<dyn Clock>,
    ) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute)?).allow_burst(NonZeroU32::new(burst)?);
        let price = u64::try_from(quota.replenish_interval().as_nanos()).unwrap_or(u64::MAX);
        let limiter = RateLimiter::new(quota, Budgets(Arc::clone(&table)), Elapsed(Arc::clone(&clock)));
        Some(Self { limiter, table, clock, price })
    }

    pub(super) fn charge(&self, token: &Digest) -> Result<(), Duration> {
        self.limiter.check_key(token).map_err(|not_until| not_until.wait_time_from(self.clock.elapsed()))
    }

    fn refund(&self, token: &Digest) {
        let table = self.table.read();
        if let Some(entry) = table.find(token) {
            // The state is the time at which everything taken is paid for; never below what governor would
            // make of an earlier one, because it begins again from now.
            let _ = entry.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
                Some(state.saturating_sub(self.price))
            });
        }
    }
}

struct Elapsed(Arc<dyn Clock>);

impl governor::clock::Clock for Elapsed {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

struct Budgets(Arc<RwLock<Table>>);

impl StateStore for Budgets {
    type Key = Digest;

    fn measure_and_replace<T, F, E>(&self, token: &Digest, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let table = self.0.read();
        let Some(entry) = table.find(token) else {
            // The token was deleted since it was looked up.
            return decide(None).map(|(outcome, _)| outcome);
        };
        let mut state = entry.budget.load(Ordering::Relaxed);
        loop {
            let (outcome, next) = decide((state != 0).then_some(Nanos::new(state)))?;
            match entry.budget.compare_exchange_weak(
                state,
                next.as_u64(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(outcome),
                Err(changed) => state = changed,
            }
        }
    }
}

/// A push's charge on its token. When it is dropped, the charge is given back.
#[must_use]
pub(crate) struct Charge(Option<(Arc<PushLimit>, TokenRef)>);

impl Charge {
    pub(crate) const fn free() -> Self {
        Self(None)
    }

    pub(super) const fn of(limit: Arc<PushLimit>, token: TokenRef) -> Self {
        Self(Some((limit, token)))
    }

    /// The push was recorded.
    pub(crate) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some((limit, token)) = self.0.take() {
            limit.refund(&token.0);
        }
    }
}
