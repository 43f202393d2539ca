//! Which calls fail, and which one is the last of a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use ports::BackendError;

/// The fault of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The call does not happen, and fails.
    Before,
    /// The call happens, and its caller hears that it failed.
    After,
    /// The process of the caller dies, and the call does not happen.
    DeathBefore,
    /// The call happens, and the process of the caller dies before it hears of it.
    DeathAfter,
}

/// Decides what goes wrong with each call.
pub trait FaultPlan: Send + Sync {
    /// Asked once for each call that may go wrong.
    fn next(&self) -> Fault;

    /// Called when the process of the callers dies. A plan that lets none die needs nothing here.
    fn die(&self) {}

    /// Whether the process of the callers has died. Then no call of it ends.
    fn is_dead(&self) -> bool {
        false
    }
}

/// Lets one call in eight fail, half of them after their work was done, by a seed. Clones share the sequence.
#[derive(Debug, Clone)]
pub struct SeededFaults(Arc<AtomicU64>);

impl SeededFaults {
    /// The same seed gives the same faults for the same calls.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// The next number of the sequence, by SplitMix64.
    pub fn random(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl FaultPlan for SeededFaults {
    fn next(&self) -> Fault {
        match self.random() % 16 {
            0 => Fault::Before,
            1 => Fault::After,
            _ => Fault::None,
        }
    }
}

/// Lets every call fail while it is set, before its work is done. It is not set at first; clones share it.
#[derive(Debug, Default, Clone)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Sets or clears it.
    pub fn set(&self, broken: bool) {
        self.0.store(broken, Ordering::SeqCst);
    }

    /// Whether the switch is set.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl FaultPlan for Switch {
    fn next(&self) -> Fault {
        if self.is_set() { Fault::Before } else { Fault::None }
    }
}

/// Lets one call go wrong. Clones share the count of calls, and the death of the process.
#[derive(Debug, Clone)]
pub struct FaultAt {
    fault: Fault,
    call: usize,
    calls: Arc<AtomicUsize>,
    dead: Switch,
}

impl FaultAt {
    /// The fault meets this call, counted from zero over all ports that have this plan.
    pub fn new(fault: Fault, call: usize) -> Self {
        Self { fault, call, calls: Arc::default(), dead: Switch::default() }
    }

    /// Whether the call that was to go wrong was made.
    pub fn was_met(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > self.call
    }
}

impl FaultPlan for FaultAt {
    fn next(&self) -> Fault {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        if number == self.call { self.fault } else { Fault::None }
    }

    fn die(&self) {
        self.dead.set(true);
    }

    fn is_dead(&self) -> bool {
        self.dead.is_set()
    }
}

/// Hangs for ever in a process that has died.
pub(super) async fn live(plan: &dyn FaultPlan) {
    if plan.is_dead() {
        std::future::pending::<()>().await;
    }
}

/// Makes a call as the plan says. Other tasks get their turn before and after it, as with a real server.
pub(super) async fn call<T, E>(
    plan: &dyn FaultPlan,
    work: impl Future<Output = Result<T, E>>,
    error: impl Fn(BackendError) -> E,
) -> Result<T, E> {
    tokio::task::yield_now().await;
    live(plan).await;
    let fault = plan.next();
    if fault == Fault::Before {
        return Err(error("the call did not happen".into()));
    }
    if fault == Fault::DeathBefore {
        plan.die();
    }
    live(plan).await;
    let done = work.await;
    if fault == Fault::DeathAfter {
        plan.die();
    }
    tokio::task::yield_now().await;
    live(plan).await;
    if fault == Fault::After {
        return Err(error("the call happened and its answer was lost".into()));
    }
    done
}
