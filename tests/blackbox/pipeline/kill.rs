//! kill -9 at random moments under load.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use super::pusher::{Attempt, Habit, Pusher, check_answers, check_recorded};
use super::server::{ALLOW, Server};
use crate::api::{Flip, Monitor};
use crate::harness::eventually;
use crate::receiver::Receiver;

const ROUNDS: u32 = 30;
/// The length of a round after the server was ready, milliseconds.
const ROUND_MS: std::ops::Range<u64> = 100..1_000;
/// Timeout and grace of every monitor, seconds.
const TIMEOUT: (u32, u32) = (3, 2);
/// In which rounds clients fall silent for good.
const SILENT_AFTER: [u32; 5] = [0, 3, 9, 20, 29];
/// Pauses of clients that push all the time: load, and what a person would do.
const STEADY_MS: [u64; 9] = [10, 10, 10, 10, 10, 10, 500, 500, 500];

/// A client and the monitor that it pushes to.
struct WatchedMonitor {
    monitor: Monitor,
    pusher: Pusher,
}

fn watch(server: &Server, name: &str, habit: Habit) -> WatchedMonitor {
    let monitor = server.monitor(name, TIMEOUT.0, TIMEOUT.1);
    let pusher = Pusher::start(server.address(), &monitor, name, habit);
    WatchedMonitor { monitor, pusher }
}

impl WatchedMonitor {
    /// Ends the client and checks that the answers that it got are true.
    #[track_caller]
    fn end(self, server: &Server) -> (Monitor, Vec<Attempt>) {
        let attempts = self.pusher.stop();
        check_answers(&attempts);
        check_recorded(server, &self.monitor, &attempts);
        (self.monitor, attempts)
    }
}

/// Checks that a monitor's flips follow on each other.
#[track_caller]
fn check_order(name: &str, flips: &[Flip]) {
    let mut state = "new";
    for (flip, sequence) in flips.iter().zip(1..) {
        assert_eq!((&*flip.from, flip.sequence), (state, sequence), "{name}: {flips:?}");
        assert_ne!(flip.from, flip.to, "{name}: {flips:?}");
        state = &flip.to;
    }
}

/// Waits until every flip that pages was received. Repeats carry the id of the first.
#[track_caller]
fn check_delivered(receiver: &Receiver, monitor: &Monitor, flips: &[Flip]) {
    let paging: BTreeSet<&str> = flips
        .iter()
        .filter(|flip| ["missed", "reported", "recovered"].contains(&&*flip.reason))
        .map(|flip| &*flip.id)
        .collect();
    eventually(&format!("every flip of {} is delivered", monitor.name), || {
        let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for request in receiver.requests() {
            let event = request.json();
            if event["data"]["monitor"]["id"] == monitor.id {
                let flip = event["data"]["flip"]["id"].as_str().expect("a text").to_owned();
                ids.entry(flip).or_default().insert(request.header("webhook-id").to_owned());
            }
        }
        for (flip, ids) in &ids {
            assert!(paging.contains(&**flip), "{}: {flip} is in no history", monitor.name);
            assert_eq!(ids.len(), 1, "{}: {flip} came under several ids: {ids:?}", monitor.name);
        }
        (ids.len() == paging.len()).then_some(())
    });
}

#[test]
fn thirty_kills_lose_nothing_and_alarm_nobody_without_need() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let receiver = Receiver::start();
    let flags = [ALLOW[0], ALLOW[1], "--push-limit", "0", "--history", "1000000"];
    let mut server = Server::start(&flags);
    server.channel("ops", &receiver.url());

    let steady: Vec<WatchedMonitor> = STEADY_MS
        .iter()
        .enumerate()
        .map(|(n, pause)| watch(&server, &format!("steady-{n}"), Habit::every(Duration::from_millis(*pause))))
        .collect();
    let half_a_second = Habit::every(Duration::from_millis(500));
    let silent: Vec<WatchedMonitor> =
        SILENT_AFTER.iter().map(|n| watch(&server, &format!("silent-{n}"), half_a_second)).collect();
    let pause = Duration::from_millis(700);
    let reporting = Habit { statuses: &["up", "down"], ..Habit::every(pause) };
    let reporting = watch(&server, "reporting", reporting);

    for round in 0..ROUNDS {
        if let Some(index) = SILENT_AFTER.iter().position(|after| *after == round) {
            // The monitor has been heard at least once: the server is ready.
            let silent = &silent[index];
            eventually("it was heard", || (!server.heartbeats(&silent.monitor).is_empty()).then_some(()));
            silent.pusher.tell_to_stop();
        }
        std::thread::sleep(Duration::from_millis(random.random_range(ROUND_MS)));
        server.kill();
        // Sometimes it is killed while it starts, too.
        if random.random_bool(0.3) {
            server.launch();
            std::thread::sleep(Duration::from_millis(random.random_range(0..150)));
            server.kill();
        }
        server.start_again();
    }

    let silent: Vec<(Monitor, Vec<Attempt>)> = silent.into_iter().map(|one| one.end(&server)).collect();
    for (monitor, _) in &silent {
        let flips = server.until_reasons(monitor, &["first", "missed"]);
        check_order(&monitor.name, &flips);
    }
    let mut pushes = 0;
    for watched in steady {
        let (monitor, attempts) = watched.end(&server);
        pushes += attempts.iter().filter(|attempt| attempt.status == 200).count();
        assert_eq!(server.reasons(&monitor), ["first"], "seed {seed}: {} has flapped", monitor.name);
    }
    let (reporting, attempts) = reporting.end(&server);
    let flips = server.flips(&reporting);
    check_order("reporting", &flips);
    let acknowledged = attempts.iter().filter(|attempt| attempt.status == 200).count();
    assert!(flips.len() >= acknowledged, "every one was a change: {acknowledged}, {flips:?}");
    assert!(flips.iter().all(|flip| flip.reason != "missed"), "{flips:?}");

    check_delivered(&receiver, &reporting, &flips);
    for (monitor, _) in &silent {
        check_delivered(&receiver, monitor, &server.flips(monitor));
    }
    eventually("nothing is pending", || server.list("/deliveries?state=pending").is_empty().then_some(()));
    assert_eq!(server.list("/deliveries?state=dead"), Vec::<Value>::new());
    println!("{pushes} pushes were answered 200, {} webhooks came", receiver.requests().len());
}
