//! The clock and the monitors of the tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use doubles::samples;
use model::ids::MonitorId;
use model::monitor::{Monitor, OldToken, Token};
use model::time::EventTime;
use ports::clock::Clock;
use uuid::Uuid;

pub(crate) const START: EventTime = EventTime::from_secs(1_795_341_600);

/// A clock that follows tokio's time, which tests may pause, and that can jump ahead of it.
pub(crate) struct TokioClock {
    began: tokio::time::Instant,
    frozen_micros: AtomicU64,
}

impl TokioClock {
    pub(crate) fn new() -> Self {
        Self { began: tokio::time::Instant::now(), frozen_micros: AtomicU64::new(0) }
    }

    /// Lets time pass without running any task.
    pub(crate) fn freeze(&self, time: Duration) {
        self.frozen_micros.fetch_add(u64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TokioClock {
    fn now(&self) -> EventTime {
        START + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed() + Duration::from_micros(self.frozen_micros.load(Ordering::SeqCst))
    }
}

pub(crate) fn monitor_id(n: u128) -> MonitorId {
    MonitorId::from_uuid(Uuid::from_u128(n))
}

/// A monitor with this token, and with old tokens that expire the given number of seconds after [`START`].
pub(crate) fn monitor(n: u128, token: &str, old: &[(&str, i64)]) -> Monitor {
    let old_token = |(token, secs): &(&str, i64)| OldToken {
        token: Token::parse(token).unwrap(),
        expires_at: EventTime::from_millis(START.as_millis() + secs * 1_000),
    };
    Monitor {
        name: format!("monitor {n}"),
        token: Token::parse(token).unwrap(),
        old_tokens: old.iter().map(old_token).collect(),
        created_at: START,
        updated_at: START,
        ..samples::monitor(monitor_id(n))
    }
}
