//! The clocks that a role may read. No other part of the project asks the system for the time.

use std::time::Duration;

use parking_lot::Mutex;

use model::time::EventTime;

/// A node's two clocks.
pub trait Clock: Send + Sync {
    /// The time of day. It never goes back while the node runs.
    fn now(&self) -> EventTime;

    /// Time since a fixed moment. This clock runs on while the process is frozen or the machine asleep.
    fn elapsed(&self) -> Duration;
}

/// The system's clocks.
///
/// The time of day follows the system's, forwards at once. When the system's clock is set back, this clock
/// runs on from where it was: event time must not stand still.
#[derive(Debug)]
pub struct SystemClock {
    last: Mutex<(EventTime, Duration)>,
}

impl SystemClock {
    /// A clock that shows the system's time.
    pub fn new() -> Self {
        Self { last: Mutex::new((system_time(), boot_time())) }
    }

    /// Moves the clock to `not_before`, the newest time in the log, if it is behind.
    pub fn not_before(&self, not_before: EventTime) {
        let now = self.now();
        self.last.lock().0 = now.max(not_before);
    }

    /// How far this clock is ahead of the system's, after that one was set back.
    pub fn ahead(&self) -> Duration {
        self.now().since(system_time())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> EventTime {
        let mut last = self.last.lock();
        let elapsed = boot_time();
        let run_on = last.0 + elapsed.saturating_sub(last.1);
        let system = system_time();
        // The two clocks drift apart by microseconds; only a real step back is overridden.
        let stepped_back = run_on.since(system) > Duration::from_millis(100);
        let now = if stepped_back { run_on } else { system.max(last.0) };
        *last = (now, elapsed);
        now
    }

    fn elapsed(&self) -> Duration {
        boot_time()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's clock")]
fn system_time() -> EventTime {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    EventTime::EPOCH + since_epoch
}

fn boot_time() -> Duration {
    #[cfg(target_os = "linux")]
    let id = rustix::time::ClockId::Boottime;
    // Elsewhere the monotonic clock runs on while the machine sleeps.
    #[cfg(not(target_os = "linux"))]
    let id = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(id);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A clock that stands still until it is moved: for tests and simulation.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<(EventTime, Duration)>,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub const fn new(now: EventTime) -> Self {
        Self { now: Mutex::new((now, Duration::ZERO)) }
    }

    /// Moves both clocks on.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock();
        *now = (now.0 + by, now.1 + by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> EventTime {
        self.now.lock().0
    }

    fn elapsed(&self) -> Duration {
        self.now.lock().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_on_from_the_newest_time_of_the_log() {
        let future = system_time() + Duration::from_secs(3_600);
        let clock = SystemClock::new();
        clock.not_before(future);
        let first = clock.now();
        assert!(first >= future);
        std::thread::sleep(Duration::from_millis(5));
        assert!(clock.now() > first, "it runs on");
        assert!(clock.ahead() > Duration::from_secs(3_599));
    }
}
