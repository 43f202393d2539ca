//! Clients that push on and on, each push until it is answered 200, as `curl --retry` does.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ports::clock::{Clock, SystemClock};

use super::server::Server;
use crate::api::Monitor;
use crate::harness::eventually;
use crate::http::Client;

/// Between an answer other than 200, or none, and the next try.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// How a client pushes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habit {
    /// Between a push that was answered 200 and the next.
    pub(super) pause: Duration,
    /// For each answer.
    pub(super) patience: Duration,
    /// The statuses of the pushes, in turn.
    pub(super) statuses: &'static [&'static str],
    /// The client's address, if it is not the server's.
    pub(super) from: Option<Ipv4Addr>,
}

impl Habit {
    /// Pushes `up` so often and waits 5 s for an answer.
    pub(super) const fn every(pause: Duration) -> Self {
        Self { pause, patience: Duration::from_secs(5), statuses: &["up"], from: None }
    }
}

/// One attempt.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) msg: String,
    /// 0 = no answer.
    pub(super) status: u16,
    /// Milliseconds of the time of day.
    pub(super) began_ms: i64,
    pub(super) ended_ms: i64,
}

/// A client in a thread of its own.
#[derive(Debug)]
pub(super) struct Pusher {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Attempt>>>,
}

impl Pusher {
    /// Starts pushing. Every push says `<label>-<number>`, so that it is found again.
    pub(super) fn start(address: SocketAddr, monitor: &Monitor, label: &str, habit: Habit) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = Client::new(address, habit.patience);
        let work = Work {
            client: match habit.from {
                Some(from) => client.at(from),
                None => client,
            },
            path: format!("/api/push/{}", monitor.token),
            label: label.to_owned(),
            habit,
            clock: SystemClock::new(),
            stop: Arc::clone(&stop),
        };
        Self { stop, thread: Some(std::thread::spawn(move || work.run())) }
    }

    /// Tells it to end after the try that it is at.
    pub(super) fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Ends it: every try that it made, in order.
    pub(super) fn stop(mut self) -> Vec<Attempt> {
        self.tell_to_stop();
        self.thread.take().expect("it is taken once").join().expect("a pusher does not panic")
    }
}

impl Drop for Pusher {
    fn drop(&mut self) {
        self.tell_to_stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    client: Client,
    path: String,
    label: String,
    habit: Habit,
    clock: SystemClock,
    stop: Arc<AtomicBool>,
}

impl Work {
    fn run(mut self) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        for (number, status) in self.habit.statuses.iter().cycle().enumerate() {
            let msg = format!("{}-{number}", self.label);
            loop {
                if self.stop.load(Ordering::Relaxed) {
                    return attempts;
                }
                let attempt = self.attempt(&msg, status);
                let answered = attempt.status == 200;
                attempts.push(attempt);
                std::thread::sleep(if answered { self.habit.pause } else { RETRY_AFTER });
                if answered {
                    break;
                }
            }
        }
        attempts
    }

    fn attempt(&mut self, msg: &str, says: &str) -> Attempt {
        let line = format!("POST {}?msg={msg}&status={says}", self.path);
        let began_ms = self.clock.now().as_millis();
        let status = self.client.ask(&line, "", b"").map_or(0, |answer| answer.status);
        Attempt { msg: msg.to_owned(), status, began_ms, ended_ms: self.clock.now().as_millis() }
    }
}

/// Checks what clients may receive: 200, 503, or nothing.
#[track_caller]
pub(super) fn check_answers(attempts: &[Attempt]) {
    let odd: Vec<&Attempt> =
        attempts.iter().filter(|attempt| ![0, 200, 503].contains(&attempt.status)).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

/// Checks that every push that was answered 200 is in the history, as soon as the entries that were read from
/// the log are committed.
#[track_caller]
pub(super) fn check_recorded(server: &Server, monitor: &Monitor, attempts: &[Attempt]) {
    let acknowledged = attempts.iter().filter(|attempt| attempt.status == 200).map(|attempt| &*attempt.msg);
    let acknowledged: BTreeSet<&str> = acknowledged.collect();
    eventually(&format!("all that was answered 200 is in the history of {}", monitor.name), || {
        let heartbeats = server.heartbeats(monitor);
        let recorded: BTreeSet<&str> = heartbeats.iter().filter_map(|one| one.msg.as_deref()).collect();
        acknowledged.is_subset(&recorded).then_some(())
    });
}
