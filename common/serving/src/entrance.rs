//! The entrance to a node: whether its listener could take connections. Time is vouched for by that alone.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ports::clock::Clock;

/// How often a listener that waits for a connection says so; shorter than any B.
pub(super) const STATE_EVERY: Duration = Duration::from_millis(200);

/// What keeps a listener from taking a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// Every connection that it may have is taken, and none can be closed.
    Full,
    /// The system gives the process no further file, or no memory for it.
    System(std::io::ErrorKind, Option<i32>),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("all connections are taken"),
            Self::System(_, Some(code)) => {
                write!(f, "accept fails: {}", std::io::Error::from_raw_os_error(*code))
            }
            Self::System(kind, None) => write!(f, "accept fails: {kind}"),
        }
    }
}

/// Why one client was turned away although there was room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its address has as many connections as it may, and uses all of them.
    Address,
    /// The heads of requests fill their share of the memory.
    Heads,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "a client's address has all the connections that it may have, and uses them",
            Self::Heads => "there is no memory for a further request's head",
        })
    }
}

/// How often refusals are logged while they go on.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// What is known of a listener: it states that it could take a connection, others ask. Cloning shares it.
///
/// Silence of more than B between two statements is a lapse: nobody was known to be able to get in. So is a
/// refusal: somebody did not get in, and nobody knows who it was.
#[derive(Clone)]
pub struct Entrance(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    silence: Duration,
    watched: bool,
    state: Mutex<State>,
    pulse: Pulse,
}

#[derive(Default)]
struct State {
    address: Option<SocketAddr>,
    /// When it last could take a connection, by `clock.elapsed()`.
    stated_at: Option<Duration>,
    lapses: u64,
    obstacle: Option<Obstacle>,
    /// When a client was turned away last, and why.
    refused: Option<(Duration, Refusal)>,
    refusals: u64,
    said_at: Option<Duration>,
    /// Why the node's own push did not get in.
    shut_out: Option<String>,
}

/// The lapses of a listener that one who vouches knows of.
#[derive(Debug, Default)]
pub struct KnownLapses(u64);

impl Entrance {
    /// Of a listener that has not begun.
    ///
    /// `silence` is B: the longest time between two statements that is no lapse.
    pub fn new(clock: Arc<dyn Clock>, silence: Duration) -> Self {
        Self::with(clock, silence, true)
    }

    /// Of a listener that nobody doubts: for tests and benches that have none, or look at something else.
    pub fn undoubted(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, Duration::MAX, false)
    }

    fn with(clock: Arc<dyn Clock>, silence: Duration, watched: bool) -> Self {
        let pulse = Pulse::new(clock.elapsed());
        Self(Arc::new(Shared { clock, silence, watched, state: Mutex::default(), pulse }))
    }

    /// Where the listener listens, once it has begun.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.state.lock().address
    }

    /// Notes whether the node's own push got in; why not is a fragment that fits after "its own push failed:
    /// ".
    pub fn own_push(&self, outcome: Result<(), String>) {
        let mut state = self.0.state.lock();
        state.lapses += u64::from(outcome.is_err());
        state.shut_out = outcome.err();
    }

    /// Declares that no moment before this one is to be vouched for: the listener had nothing yet to answer
    /// clients by.
    pub fn begin(&self) {
        self.0.state.lock().lapses += 1;
    }

    /// Whether every moment since the last call with these `known` lapses, or since the beginning, can be
    /// vouched for: the listener never was silent for longer than B, and is not now.
    pub fn vouches(&self, known: &mut KnownLapses) -> bool {
        if !self.0.watched {
            return true;
        }
        let state = self.0.state.lock();
        let unbroken = state.lapses == std::mem::replace(&mut known.0, state.lapses);
        unbroken && self.trouble_in(&state).is_none()
    }

    /// Why the listener is not known to take connections: a fragment that fits after "ingest is not ready: ".
    pub fn trouble(&self) -> Option<String> {
        if self.0.watched { self.trouble_in(&self.0.state.lock()) } else { None }
    }

    fn trouble_in(&self, state: &State) -> Option<String> {
        let Some(stated_at) = state.stated_at else {
            return Some("its listener has not begun to take connections".to_owned());
        };
        let silent = self.0.clock.elapsed().saturating_sub(stated_at);
        if silent > self.0.silence {
            let silent = silent.as_secs();
            return Some(match state.obstacle {
                Some(obstacle) => {
                    format!("its listener has taken no connections for {silent} s ({obstacle})")
                }
                None => format!("its listener has not said for {silent} s that it takes connections"),
            });
        }
        if let Some(why) = &state.shut_out {
            return Some(format!("its own push failed: {why}"));
        }
        let now = self.0.clock.elapsed();
        let refused = state.refused.filter(|(at, _)| now.saturating_sub(*at) <= self.0.silence);
        refused.map(|(_, why)| format!("its listener refuses connections ({why})"))
    }

    /// The number of clients that were turned away since the listener began.
    pub fn refusals(&self) -> u64 {
        self.0.state.lock().refusals
    }

    /// A client was turned away. Whoever it was cannot be heard, so nothing is vouched for.
    pub(super) fn refused(&self, why: Refusal) {
        let now = self.0.clock.elapsed();
        let mut state = self.0.state.lock();
        state.lapses += 1;
        state.refusals += 1;
        state.refused = Some((now, why));
        if state.said_at.is_none_or(|at| now.saturating_sub(at) >= SAY_EVERY) {
            state.said_at = Some(now);
            tracing::warn!(reason = %why, refused = state.refusals, "refused a connection; nothing is vouched for");
        }
    }

    /// The number of times that the process stood still for longer than B. It counts up with the first look
    /// after a standstill, whoever looks.
    pub(super) fn standstills(&self) -> u32 {
        self.0.pulse.look(self.0.clock.elapsed(), self.0.silence)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.clock.elapsed()
    }

    pub(super) fn opened(&self, address: Option<SocketAddr>) {
        self.0.state.lock().address = address;
    }

    /// The listener could take a connection just now.
    pub(super) fn could_take_one(&self) {
        let now = self.0.clock.elapsed();
        let mut state = self.0.state.lock();
        let since = state.stated_at.replace(now);
        if since.is_some_and(|since| now.saturating_sub(since) > self.0.silence) {
            state.lapses += 1;
        }
        state.obstacle = None;
    }

    /// The listener could not take a connection just now.
    pub(super) fn could_take_none(&self, obstacle: Obstacle) {
        self.0.state.lock().obstacle = Some(obstacle);
    }
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrance").field("trouble", &self.trouble()).finish()
    }
}

/// When the process was last seen to run, and how often it had stood still before: in one word, so that no
/// look falls between the two.
struct Pulse(AtomicU64);

/// Bits of the milliseconds: 34 years.
const MILLIS_BITS: u32 = 40;

impl Pulse {
    fn new(now: Duration) -> Self {
        Self(AtomicU64::new(millis(now)))
    }

    fn look(&self, now: Duration, silence: Duration) -> u32 {
        let now = millis(now);
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let (standstills, at) = (seen >> MILLIS_BITS, seen & ((1 << MILLIS_BITS) - 1));
            // Looks come in thousands a second: one each millisecond suffices.
            if now <= at {
                return u32::try_from(standstills).unwrap_or(u32::MAX);
            }
            let stood_still = Duration::from_millis(now - at) > silence;
            let standstills = standstills + u64::from(stood_still);
            let next = standstills << MILLIS_BITS | now;
            match self.0.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return u32::try_from(standstills).unwrap_or(u32::MAX),
                Err(other) => seen = other,
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX) & ((1 << MILLIS_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use model::time::EventTime;
    use ports::clock::ManualClock;

    use super::*;

    const B: Duration = Duration::from_secs(1);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn entrance() -> (Arc<ManualClock>, Entrance) {
        let clock = Arc::new(ManualClock::new(EventTime::EPOCH));
        let entrance = Entrance::new(Arc::clone(&clock) as _, B);
        (clock, entrance)
    }

    #[test]
    fn only_time_with_a_statement_every_b_is_vouched_for() {
        let (clock, entrance) = entrance();
        let mut known = KnownLapses::default();
        assert!(!entrance.vouches(&mut known), "it has not begun");
        for (passed, states, vouches, why) in [
            (0, true, true, ""),
            (500, false, true, ""),
            (500, false, true, ""),
            (500, false, false, "not said for 1 s"),
            (0, true, false, ""), // The lapse is over, and the time until now is not vouched for.
            (500, true, true, ""),
            (1_001, true, false, ""), // Nobody asked while it was silent: it is known all the same.
            (1_000, true, true, ""),
        ] {
            clock.advance(ms(passed));
            if states {
                entrance.could_take_one();
            }
            let trouble = entrance.trouble().unwrap_or_default();
            assert!(trouble.contains(why) && trouble.is_empty() == why.is_empty(), "{trouble}");
            assert_eq!(entrance.vouches(&mut known), vouches, "{passed} ms, {why}");
        }
    }

    #[test]
    fn says_what_keeps_it_from_taking_connections() {
        let (clock, entrance) = entrance();
        entrance.could_take_one();
        entrance.could_take_none(Obstacle::Full);
        assert_eq!(entrance.trouble(), None, "for a moment that does no harm");
        clock.advance(ms(2_500));
        let full = entrance.trouble().unwrap_or_default();
        assert!(full.contains("for 2 s (all connections are taken)"), "{full}");
        let error = std::io::Error::from_raw_os_error(24);
        entrance.could_take_none(Obstacle::System(error.kind(), error.raw_os_error()));
        let files = entrance.trouble().unwrap_or_default();
        assert!(files.contains("Too many open files"), "{files}");
        entrance.could_take_one();
        assert_eq!(entrance.trouble(), None);
    }

    #[test]
    fn time_in_which_somebody_was_turned_away_is_not_vouched_for() {
        let (clock, entrance) = entrance();
        let mut known = KnownLapses::default();
        entrance.could_take_one();
        entrance.refused(Refusal::Address);
        assert!(!entrance.vouches(&mut known));
        let why = entrance.trouble().unwrap_or_default();
        assert!(why.contains("refuses connections (a client's address has all"), "{why}");
        clock.advance(ms(1_001));
        entrance.could_take_one();
        assert_eq!(entrance.trouble(), None);
        entrance.refused(Refusal::Heads);
        clock.advance(ms(800));
        entrance.could_take_one();
        clock.advance(ms(800));
        entrance.could_take_one();
        assert!(!entrance.vouches(&mut known), "nobody asked meanwhile: it is known all the same");
        assert!(entrance.vouches(&mut known));
        assert_eq!(entrance.refusals(), 2);
    }

    #[test]
    fn while_its_own_push_fails_nothing_is_vouched_for() {
        let (_, entrance) = entrance();
        let mut known = KnownLapses::default();
        entrance.could_take_one();
        entrance.own_push(Err("no answer within 3 s".to_owned()));
        assert!(!entrance.vouches(&mut known));
        assert!(entrance.trouble().is_some_and(|why| why.contains("own push failed: no answer")));
        entrance.own_push(Ok(()));
        assert!(entrance.vouches(&mut known));
    }

    #[test]
    fn a_standstill_is_noticed_by_the_first_who_looks() {
        let (clock, entrance) = entrance();
        assert_eq!(entrance.standstills(), 0);
        for (passed, expected) in [(900, 0), (1_000, 0), (1_001, 1), (0, 1), (10, 1), (3_600_000, 2)] {
            clock.advance(ms(passed));
            assert_eq!(entrance.standstills(), expected, "{passed} ms");
        }
    }
}
