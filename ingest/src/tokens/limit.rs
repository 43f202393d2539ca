//! Pushes and bytes of output per token. The limiters' states lie in the token's entry, so there is no second
//! map.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use model::heartbeat::HeartbeatKind;
use parking_lot::RwLock;
use ports::clock::Clock;

use super::digest::{Digest, TokenRef};
use super::table::{Budget, Entry, Table};

/// The reserve for changes of state: a job that pushes too often must still be able to say that it failed.
/// Changes at once, and then in a minute.
const CHANGES: NonZeroU32 = NonZeroU32::new(6).expect("it is not zero");

/// The bytes that are kept of an output that is over the limit.
const SHORT_OUTPUT: usize = 500;

const HOUR: Duration = Duration::from_secs(3_600);

/// The limit of every token.
pub(super) struct PushLimit {
    pushes: Limit,
    changes: Limit,
    table: Arc<RwLock<Table>>,
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
        let pushes = Limit::new(quota, |budget| &budget.pushes, &table, &clock);
        let changes = Limit::new(Quota::per_minute(CHANGES), |budget| &budget.changes, &table, &clock);
        Some(Self { pushes, changes, table })
    }

    /// Charges a push; what is over the limit is charged to the reserve if it changes the state.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn charge(this: &Arc<Self>, token: TokenRef, kind: HeartbeatKind) -> Result<Charge, Duration> {
        let charge = |from| Charge {
            push: Some(Charged { limit: Arc::clone(this), token, kind, from }),
            output: None,
        };
        let Err(wait) = this.pushes.charge(token) else { return Ok(charge(Fund::Pushes)) };
        if !this.is_a_change(token, kind) {
            return Err(wait);
        }
        match this.changes.charge(token) {
            Ok(()) => Ok(charge(Fund::Changes)),
            Err(until_a_change) => Err(wait.min(until_a_change)),
        }
    }

    /// Takes from the token what a compressed body costs that is unpacked in vain, whatever it says: that is
    /// known afterwards only. The reserve for changes pays as well, so that a failure is heard.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn unpacking(this: &Arc<Self>, token: TokenRef) -> Result<Charge, Duration> {
        let charge = |from| Charge {
            push: Some(Charged { limit: Arc::clone(this), token, kind: HeartbeatKind::Up, from }),
            output: None,
        };
        let Err(wait) = this.pushes.charge(token) else { return Ok(charge(Fund::Pushes)) };
        match this.changes.charge(token) {
            Ok(()) => Ok(charge(Fund::Changes)),
            Err(until_a_change) => Err(wait.min(until_a_change)),
        }
    }

    fn is_a_change(&self, token: TokenRef, kind: HeartbeatKind) -> bool {
        let table = self.table.read();
        table.find(&token.0).is_some_and(|entry| entry.last.load(Ordering::Relaxed) != mark(kind))
    }

    fn recorded(&self, token: TokenRef, kind: HeartbeatKind) {
        if let Some(entry) = self.table.read().find(&token.0) {
            entry.last.store(mark(kind), Ordering::Relaxed);
        }
    }
}

const fn mark(kind: HeartbeatKind) -> u8 {
    match kind {
        HeartbeatKind::Up => 1,
        HeartbeatKind::Down => 2,
    }
}

/// The limit of every token's outputs, in bytes.
pub(super) struct OutputLimit(Limit);

impl OutputLimit {
    /// `None` if there is no limit.
    pub(super) fn new(per_hour: u64, table: &Arc<RwLock<Table>>, clock: &Arc<dyn Clock>) -> Option<Self> {
        let bytes = NonZeroU32::new(u32::try_from(per_hour).unwrap_or(u32::MAX))?;
        let quota = Quota::with_period(HOUR / bytes.get())?.allow_burst(bytes);
        Some(Self(Limit::new(quota, |budget| &budget.outputs, table, clock)))
    }

    /// How many bytes of an output of this length are to be kept; they become part of the push's charge.
    pub(super) fn take(this: &Arc<Self>, token: TokenRef, length: usize, charge: &mut Charge) -> usize {
        let fits = |length: usize| {
            let bytes = NonZeroU32::new(u32::try_from(length).ok()?)?;
            let fits = matches!(this.0.limiter.check_key_n(&token.0, bytes), Ok(Ok(())));
            fits.then_some((length, bytes.get()))
        };
        let Some((kept, bytes)) = [length, SHORT_OUTPUT.min(length)].into_iter().find_map(fits) else {
            return 0;
        };
        charge.forgo_output();
        charge.output = Some(ChargedOutput { limit: Arc::clone(this), token, bytes });
        kept
    }
}

/// A body that is being read for a token. When this is dropped, the token may send another one.
#[must_use]
pub(crate) struct BodyInHand {
    table: Arc<RwLock<Table>>,
    token: TokenRef,
    counts: u16,
}

impl BodyInHand {
    /// `None` if `most` bodies are being read for the token. This one counts as so many.
    pub(super) fn begin(table: &Arc<RwLock<Table>>, token: TokenRef, counts: u16, most: u16) -> Option<Self> {
        if let Some(entry) = table.read().find(&token.0) {
            let more = |bodies: u16| bodies.checked_add(counts).filter(|bodies| *bodies <= most);
            entry.bodies.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        }
        Some(Self { table: Arc::clone(table), token, counts })
    }
}

impl Drop for BodyInHand {
    fn drop(&mut self) {
        if let Some(entry) = self.table.read().find(&self.token.0) {
            // A token that was deleted and made again begins at 0.
            let less = |bodies: u16| bodies.checked_sub(self.counts);
            let _ = entry.bodies.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}

/// A limit whose states lie in the table.
struct Limit {
    limiter: RateLimiter<Digest, States, Elapsed, NoOpMiddleware<Duration>>,
    states: States,
    clock: Arc<dyn Clock>,
    /// The price of one push, or of one byte.
    price: u64,
}

impl Limit {
    fn new(
        quota: Quota,
        of: fn(&Budget) -> &AtomicU64,
        table: &Arc<RwLock<Table>>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let price = u64::try_from(quota.replenish_interval().as_nanos()).unwrap_or(u64::MAX);
        let states = States { of, table: Arc::clone(table) };
        let limiter = RateLimiter::new(quota, states.clone(), Elapsed(Arc::clone(clock)));
        Self { limiter, states, clock: Arc::clone(clock), price }
    }

    fn charge(&self, token: TokenRef) -> Result<(), Duration> {
        self.limiter.check_key(&token.0).map_err(|not_until| not_until.wait_time_from(self.clock.elapsed()))
    }

    /// Gives back what so many pushes or bytes cost.
    fn refund(&self, token: TokenRef, count: u32) {
        let States { of, table } = &self.states;
        if let Some(entry) = table.read().find(&token.0) {
            // The state is the time at which everything taken is paid for; never below what governor would
            // make of an earlier one, because it begins again from now.
            let _ = of(&entry.budget).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
                Some(state.saturating_sub(self.price.saturating_mul(count.into())))
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

#[derive(Clone)]
struct States {
    of: fn(&Budget) -> &AtomicU64,
    table: Arc<RwLock<Table>>,
}

impl StateStore for States {
    type Key = Digest;

    fn measure_and_replace<T, F, E>(&self, token: &Digest, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let table = self.table.read();
        let Some(Entry { budget, .. }) = table.find(token) else {
            // The token was deleted since it was looked up.
            return decide(None).map(|(outcome, _)| outcome);
        };
        let kept = (self.of)(budget);
        let mut state = kept.load(Ordering::Relaxed);
        loop {
            let (outcome, next) = decide((state != 0).then_some(Nanos::new(state)))?;
            match kept.compare_exchange_weak(state, next.as_u64(), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(outcome),
                Err(changed) => state = changed,
            }
        }
    }
}

/// The charges of a push on its token: for itself, and for the bytes of its output. When this is dropped,
/// both are given back.
#[must_use]
pub(crate) struct Charge {
    push: Option<Charged>,
    output: Option<ChargedOutput>,
}

struct Charged {
    limit: Arc<PushLimit>,
    token: TokenRef,
    kind: HeartbeatKind,
    from: Fund,
}

struct ChargedOutput {
    limit: Arc<OutputLimit>,
    token: TokenRef,
    bytes: u32,
}

#[derive(Clone, Copy)]
enum Fund {
    Pushes,
    Changes,
}

impl Charge {
    pub(crate) const fn free() -> Self {
        Self { push: None, output: None }
    }

    /// It was for work that was done in vain.
    pub(crate) fn spend(mut self) {
        self.push = None;
    }

    /// The push was recorded, with the output that is still charged.
    pub(crate) fn keep(mut self) {
        self.output = None;
        if let Some(Charged { limit, token, kind, .. }) = self.push.take() {
            limit.recorded(token, kind);
        }
    }

    /// The output is not kept: gives its bytes back.
    pub(crate) fn forgo_output(&mut self) {
        if let Some(ChargedOutput { limit, token, bytes }) = self.output.take() {
            limit.0.refund(token, bytes);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.forgo_output();
        if let Some(Charged { limit, token, from, .. }) = self.push.take() {
            match from {
                Fund::Pushes => limit.pushes.refund(token, 1),
                Fund::Changes => limit.changes.refund(token, 1),
            }
        }
    }
}
