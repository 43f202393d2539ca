//! Clients that push to monitors of their own, each push until it is answered 200, over whichever node of
//! ingest a proxy would choose.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ports::clock::{Clock, SystemClock};

use crate::api::{Api, Monitor};
use crate::harness::eventually;
use crate::http::Client;

/// For an answer, before the next node is tried.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// Between an answer other than 200, or none, and the next try.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// The interval at which nodes are asked whether they are ready, and the time that they have.
const PROBE_EVERY: Duration = Duration::from_millis(200);
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// The interval at which a client that pauses looks up.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The behaviour of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Pushes `up` on and on.
    Steady,
    /// As steady, until it falls silent for good.
    Mortal,
    /// Pushes `up` and `down` in turn.
    Flapping,
}

/// The rhythm of a client, and the settings of its monitor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) habit: Habit,
    /// Between a push that was answered 200 and the next.
    pub(crate) pause: Duration,
    /// Seconds.
    pub(crate) timeout: u32,
    /// Seconds.
    pub(crate) grace: u32,
}

impl Pace {
    /// Room for a node that does not answer for as long as the client's patience.
    pub(crate) const fn usual(habit: Habit) -> Self {
        Self { habit, pause: Duration::from_secs(2), timeout: 4, grace: 3 }
    }

    /// Flaps so often.
    pub(crate) const fn flapping(pause: Duration) -> Self {
        Self { habit: Habit::Flapping, pause, timeout: 20, grace: 10 }
    }

    /// The length of silence after which the monitor is down.
    pub(crate) const fn down_after(&self) -> Duration {
        Duration::from_secs(self.timeout as u64 + self.grace as u64)
    }
}

/// One attempt of a push.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    pub(crate) msg: String,
    /// Whether the push said `down`.
    pub(crate) down: bool,
    /// 0 = no answer.
    pub(crate) status: u16,
    /// Milliseconds of the time of day.
    pub(crate) began_ms: i64,
    pub(crate) ended_ms: i64,
}

/// The knowledge of a proxy: which nodes are ready.
#[derive(Debug)]
pub(crate) struct Proxy {
    doors: Arc<Vec<Door>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Door {
    address: SocketAddr,
    ready: AtomicBool,
}

impl Proxy {
    fn start(addresses: &[SocketAddr]) -> Self {
        let door = |address: &SocketAddr| Door { address: *address, ready: AtomicBool::new(true) };
        let doors: Arc<Vec<Door>> = Arc::new(addresses.iter().map(door).collect());
        let over = Arc::new(AtomicBool::new(false));
        let (theirs, until) = (Arc::clone(&doors), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                for door in theirs.iter() {
                    let asked = Client::new(door.address, PROBE_PATIENCE).ask("GET /readyz", "", b"");
                    door.ready.store(asked.is_ok_and(|answer| answer.status == 200), Ordering::Relaxed);
                }
                sleep(PROBE_EVERY);
            }
        });
        Self { doors, over, thread: Some(thread) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The node after `last`, in turn: of those that are ready, or of all when none is.
fn choose(doors: &[Door], last: usize) -> usize {
    let in_turn = (1..=doors.len()).map(|step| (last + step) % doors.len());
    let mut ready =
        in_turn.filter(|door| doors.get(*door).is_some_and(|door| door.ready.load(Ordering::Relaxed)));
    ready.next().unwrap_or((last + 1) % doors.len())
}

/// A client and its monitor.
#[derive(Debug)]
pub(crate) struct Loader {
    pub(crate) monitor: Monitor,
    pub(crate) pace: Pace,
    stop: Arc<AtomicBool>,
    tries: Arc<Mutex<Vec<Try>>>,
    thread: Option<JoinHandle<()>>,
}

impl Loader {
    fn start(proxy: &Proxy, monitor: Monitor, pace: Pace, first: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tries = Arc::new(Mutex::new(Vec::new()));
        let work = Work {
            doors: Arc::clone(&proxy.doors),
            clients: proxy.doors.iter().map(|door| Client::new(door.address, PATIENCE)).collect(),
            last: first,
            path: format!("/api/push/{}", monitor.token),
            label: monitor.name.clone(),
            pace,
            clock: SystemClock::new(),
            stop: Arc::clone(&stop),
            tries: Arc::clone(&tries),
        };
        Self { monitor, pace, stop, tries, thread: Some(std::thread::spawn(move || work.run())) }
    }

    /// The client dies after its present attempt.
    pub(crate) fn silence(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the client goes on.
    pub(crate) fn lives(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Every try that was made, in order.
    pub(crate) fn tries(&self) -> Vec<Try> {
        self.tries.lock().clone()
    }

    fn was_answered_since(&self, time_ms: i64) -> bool {
        self.tries.lock().iter().rev().any(|one| one.status == 200 && one.began_ms >= time_ms)
    }

    fn join(&mut self) {
        self.silence();
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(joined.is_ok() || std::thread::panicking(), "a client does not panic");
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.join();
    }
}

struct Work {
    doors: Arc<Vec<Door>>,
    clients: Vec<Client>,
    last: usize,
    path: String,
    label: String,
    pace: Pace,
    clock: SystemClock,
    stop: Arc<AtomicBool>,
    tries: Arc<Mutex<Vec<Try>>>,
}

impl Work {
    fn run(mut self) {
        for number in 0_u64.. {
            let down = self.pace.habit == Habit::Flapping && number % 2 == 1;
            let msg = format!("{}-{number}", self.label);
            loop {
                if self.stopped() {
                    return;
                }
                if self.push(&msg, down) == 200 {
                    break;
                }
                sleep(RETRY_AFTER);
            }
            self.pause();
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn pause(&self) {
        let begin = Instant::now();
        while begin.elapsed() < self.pace.pause && !self.stopped() {
            sleep(LOOK_EVERY.min(self.pace.pause));
        }
    }

    fn push(&mut self, msg: &str, down: bool) -> u16 {
        self.last = choose(&self.doors, self.last);
        let says = if down { "down" } else { "up" };
        let line = format!("POST {}?msg={msg}&status={says}", self.path);
        let began_ms = self.clock.now().as_millis();
        let client = self.clients.get_mut(self.last).expect("one for each node");
        let status = client.ask(&line, "", b"").map_or(0, |answer| answer.status);
        let ended_ms = self.clock.now().as_millis();
        self.tries.lock().push(Try { msg: msg.to_owned(), down, status, began_ms, ended_ms });
        status
    }
}

/// All clients.
#[derive(Debug)]
pub(crate) struct Load {
    proxy: Proxy,
    loaders: Vec<Loader>,
}

impl Load {
    /// A load without clients yet, on these nodes of ingest.
    pub(crate) fn before(addresses: &[SocketAddr]) -> Self {
        Self { proxy: Proxy::start(addresses), loaders: Vec::new() }
    }

    /// Adds this many clients with monitors of their own.
    #[track_caller]
    pub(crate) fn add(&mut self, api: &Api, count: usize, pace: Pace) {
        for _ in 0..count {
            let number = self.loaders.len();
            let kind = match pace.habit {
                Habit::Steady => "steady",
                Habit::Mortal => "mortal",
                Habit::Flapping => "flapping",
            };
            let monitor = api.monitor(&format!("{kind}-{number}"), pace.timeout, pace.grace);
            self.loaders.push(Loader::start(&self.proxy, monitor, pace, number));
        }
    }

    /// The clients.
    pub(crate) fn loaders(&self) -> &[Loader] {
        &self.loaders
    }

    /// The clients that fall silent, in the order of their making.
    pub(crate) fn mortals(&self) -> impl Iterator<Item = &Loader> {
        self.loaders.iter().filter(|loader| loader.pace.habit == Habit::Mortal)
    }

    /// Waits until every client that still pushes was answered 200 from now on.
    #[track_caller]
    pub(crate) fn until_answered(&self) {
        let since = SystemClock::new().now().as_millis();
        eventually("every client that pushes was answered 200", || {
            let mut pushing = self.loaders.iter().filter(|loader| loader.lives());
            pushing.all(|loader| loader.was_answered_since(since)).then_some(())
        });
    }

    /// Ends all clients.
    pub(crate) fn end(&mut self) {
        self.loaders.iter().for_each(Loader::silence);
        self.loaders.iter_mut().for_each(Loader::join);
    }

    /// The longest that a client that went on had to try until it was answered 200, milliseconds.
    pub(crate) fn longest_wait_ms(&self) -> i64 {
        self.loaders.iter().map(|loader| longest_wait_ms(&loader.tries())).max().unwrap_or(0)
    }
}

/// From the first try of a push to its answer 200.
fn longest_wait_ms(tries: &[Try]) -> i64 {
    let mut began: Option<&Try> = None;
    let mut longest_ms = 0;
    for one in tries {
        let first = began.filter(|first| first.msg == one.msg).unwrap_or(one);
        began = Some(first);
        if one.status == 200 {
            longest_ms = longest_ms.max(one.ended_ms - first.began_ms);
        }
    }
    longest_ms
}
