//! Lubdub itself stands still, or is away, for longer than the timeouts. No monitor goes down for that.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use super::pusher::{Attempt, Habit, Pusher, check_answers, check_recorded};
use super::server::{ALLOW, Server};
use crate::api::Monitor;
use crate::harness::{Process, python_with};
use crate::receiver::Receiver;

/// Timeout and grace of every monitor, seconds.
const TIMEOUT: (u32, u32) = (2, 1);
/// Longer than timeout and grace.
const OUTAGE: Duration = Duration::from_secs(8);
/// A push is answered 200 only within 2 s of its receipt.
const ANSWERED_WITHIN_MS: i64 = 2_000;

/// A server, monitors whose clients go on through the outage, and one whose client is dead.
struct Scene {
    receiver: Receiver,
    server: Server,
    alive: Vec<(Monitor, Pusher)>,
    dead: Monitor,
}

impl Scene {
    /// Clients enough that some push is in hand at every moment.
    fn start() -> Self {
        let receiver = Receiver::start();
        let server = Server::start(&[ALLOW[0], ALLOW[1], "--push-limit", "0", "--history", "1000000"]);
        server.channel("ops", &receiver.url());
        let monitors: Vec<Monitor> =
            (0..4).map(|n| server.monitor(&format!("alive-{n}"), TIMEOUT.0, TIMEOUT.1)).collect();
        let alive = (0..32)
            .map(|n| {
                let monitor = monitors[n % 4].clone();
                let habit =
                    Habit { patience: Duration::from_secs(30), ..Habit::every(Duration::from_millis(15)) };
                let pusher = Pusher::start(server.address(), &monitor, &format!("client-{n}"), habit);
                (monitor, pusher)
            })
            .collect();
        let dead = server.monitor("dead", TIMEOUT.0, TIMEOUT.1);
        let mut scene = Self { receiver, server, alive, dead };
        scene.hasty_client();
        scene
    }

    /// A client that waits two seconds only and tries again, and pushes so seldom that it needs each of its
    /// pushes.
    fn hasty_client(&mut self) {
        let monitor = self.server.monitor("hasty", TIMEOUT.0, TIMEOUT.1);
        let habit = Habit { patience: Duration::from_secs(2), ..Habit::every(Duration::from_millis(1_900)) };
        let pusher = Pusher::start(self.server.address(), &monitor, "hasty", habit);
        self.alive.push((monitor, pusher));
    }

    /// Waits for the dead one's alarm, then checks that it is the only one, and that the living ones got true
    /// answers.
    #[track_caller]
    fn check(self, at_freeze: &BTreeSet<String>) {
        let Self { receiver, server, alive, dead } = self;
        let flips = server.until_reasons(&dead, &["first", "missed"]);
        assert!(flips[1].deaf_seconds >= OUTAGE.as_secs() - 1, "{flips:?}");
        let events = receiver.until_types(&dead.id, &["monitor.down"]);
        assert_eq!(events[0]["data"]["deaf_seconds"], flips[1].deaf_seconds);
        for (monitor, _) in &alive {
            assert_eq!(server.reasons(monitor), ["first"], "{} has flapped", monitor.name);
        }
        assert_eq!(receiver.requests().len(), 1, "{:?}", receiver.requests());
        let alive: Vec<_> = alive.into_iter().map(|(monitor, pusher)| (monitor, pusher.stop())).collect();
        for (monitor, attempts) in alive {
            check_answers(&attempts);
            check_recorded(&server, &monitor, &attempts);
            check_fresh(&server, &monitor, &attempts, at_freeze);
        }
    }
}

/// Says what lies in the log, while the process is frozen.
const LOGGED: &str = "
import re, sqlite3, sys
for frame, in sqlite3.connect(sys.argv[1]).execute('SELECT frame FROM entries'):
    for msg in re.findall(rb'client-[0-9-]+', frame):
        print(msg.decode())
";

/// The messages that are in the log. A reader of the database sees what is committed, also while the owner is
/// frozen.
fn logged(server: &Server) -> BTreeSet<String> {
    let mut python = Command::new(python_with("sqlite3"));
    let finished = Process::start(python.args(["-c", LOGGED]).arg(server.data().join("log.db"))).finish();
    assert!(finished.status.success(), "{finished:?}");
    finished.stdout.lines().map(str::to_owned).collect()
}

/// Checks that a push that was answered 200 was recorded shortly before, or that the push was in the log when
/// the freeze began and only the answer was on its way. A push that was not answered may be recorded as well.
#[track_caller]
fn check_fresh(server: &Server, monitor: &Monitor, attempts: &[Attempt], at_freeze: &BTreeSet<String>) {
    let heartbeats = server.heartbeats(monitor);
    let heard: BTreeMap<&str, i64> =
        heartbeats.iter().filter_map(|one| Some((one.msg.as_deref()?, one.at_ms))).collect();
    for told in attempts.iter().filter(|one| one.status == 200) {
        let late_ms = told.ended_ms - heard[&*told.msg];
        let in_time = late_ms <= ANSWERED_WITHIN_MS + 500 || at_freeze.contains(&told.msg);
        assert!(in_time, "answered 200 after {late_ms} ms: {told:?}");
    }
}

#[test]
fn a_freeze_pages_nobody_who_pushes_and_answers_no_old_push_200() {
    let scene = Scene::start();
    assert_eq!(scene.server.push(&scene.dead, "msg=farewell"), 200);
    std::thread::sleep(Duration::from_millis(500));
    scene.server.freeze();
    let at_freeze = logged(&scene.server);
    std::thread::sleep(OUTAGE);
    scene.server.thaw();
    scene.check(&at_freeze);
}

#[test]
fn a_push_that_was_in_hand_during_a_freeze_is_answered_503() {
    let server = Server::start(&["--push-limit", "0", "--history", "1000000"]);
    let monitor = server.monitor("busy", 60, None);
    // Which pushes are between their receipt and their acknowledgement at that moment is luck.
    for round in 0..5 {
        let habit = Habit { patience: Duration::from_secs(30), ..Habit::every(Duration::ZERO) };
        let start = |n| Pusher::start(server.address(), &monitor, &format!("client-{round}-{n}"), habit);
        let pushers: Vec<Pusher> = (0..48).map(start).collect();
        std::thread::sleep(Duration::from_millis(300));
        server.freeze();
        let at_freeze = logged(&server);
        std::thread::sleep(Duration::from_secs(3));
        pushers.iter().for_each(Pusher::tell_to_stop);
        server.thaw();
        let attempts: Vec<Attempt> = pushers.into_iter().flat_map(Pusher::stop).collect();
        check_answers(&attempts);
        check_recorded(&server, &monitor, &attempts);
        check_fresh(&server, &monitor, &attempts, &at_freeze);
        let through: Vec<_> = attempts.iter().filter(|one| one.ended_ms - one.began_ms > 2_000).collect();
        let refused = through.iter().filter(|one| one.status == 503).count();
        println!("{} pushes were open during the freeze, {refused} were answered 503", through.len());
        if refused > 0 {
            return;
        }
    }
    panic!("in five freezes no push was in hand");
}

#[test]
fn an_outage_longer_than_the_timeouts_pages_nobody_who_pushes() {
    let mut scene = Scene::start();
    assert_eq!(scene.server.push(&scene.dead, "msg=farewell"), 200);
    std::thread::sleep(Duration::from_millis(500));
    scene.server.kill();
    std::thread::sleep(OUTAGE);
    scene.server.start_again();
    scene.check(&BTreeSet::new());
}
