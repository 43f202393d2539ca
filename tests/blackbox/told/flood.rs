//! Very many monitors that are down within a moment.

use std::net::SocketAddr;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use super::audit::{self, Audit};
use super::{Channel, Ears, monitor};
use crate::api::{Api, Monitor};
use crate::harness::PATIENCE;
use crate::http::Client;

/// Monitors. The benchmarks have five times as many.
pub(crate) const MONITORS: usize = 2_000;
/// Clients at once, of the management API and of ingest.
const AT_ONCE: usize = 8;
/// The time within which a channel that gathers has its messages, two windows and what a loaded machine takes
/// besides; and the most messages: five at once, and a digest at the end of each window.
const TOLD_WITHIN: Duration = Duration::from_secs(65);
const HANDFUL: usize = 7;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Makes monitors, takes them all down, and checks the messages.
#[track_caller]
pub(crate) fn flood(api: &Api, ingest: SocketAddr, ears: &Ears) {
    let channels = [ears.channel(api, "plain", false), ears.channel(api, "digest", true)];
    let begin = Instant::now();
    let monitors = made(api, &channels);
    println!("{MONITORS} monitors made in {:?}", begin.elapsed());
    let begin = Instant::now();
    take_down(ingest, &monitors);
    println!("reported down in {:?}", begin.elapsed());
    let mut all_told = false;
    while audit::counted(ears, &channels[1]) < MONITORS as u64 {
        let plain = audit::counted(ears, &channels[0]);
        if !all_told && plain >= MONITORS as u64 {
            println!("each told by itself after {:?}", begin.elapsed());
            all_told = true;
        }
        assert!(begin.elapsed() < TOLD_WITHIN, "{plain} told in {TOLD_WITHIN:?}");
        sleep(LOOK_EVERY);
    }
    println!("told by digests after {:?}", begin.elapsed());
    let monitors: Vec<(Monitor, Vec<usize>)> =
        monitors.into_iter().map(|monitor| (monitor, vec![0, 1])).collect();
    let audit = Audit { api: *api, ears, channels: &channels, monitors: &monitors };
    let [plain, gathering] = audit.settled();
    println!("each flip by itself: {plain:?}\ngathering: {gathering:?}");
    assert_eq!((plain.flips, plain.messages, plain.folded), (MONITORS, MONITORS, 0));
    assert_eq!(gathering.flips, MONITORS);
    assert!(gathering.messages <= HANDFUL, "{gathering:?}");
    let told = channels.each_ref().map(|channel| audit::counted(ears, channel));
    assert_eq!(told, [MONITORS as u64; 2], "every flip is counted by one message");
}

fn made(api: &Api, channels: &[Channel; 2]) -> Vec<Monitor> {
    let make = |worker: usize| {
        let numbers = (worker..MONITORS).step_by(AT_ONCE);
        numbers.map(|n| monitor(api, &format!("host-{n}"), &[&channels[0], &channels[1]])).collect()
    };
    let made: Vec<Vec<Monitor>> = scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|worker| scope.spawn(move || make(worker))).collect();
        workers.into_iter().map(|worker| worker.join().expect("monitors are made")).collect()
    });
    made.into_iter().flatten().collect()
}

fn take_down(ingest: SocketAddr, monitors: &[Monitor]) {
    scope(|scope| {
        for share in monitors.chunks(monitors.len().div_ceil(AT_ONCE)) {
            scope.spawn(move || {
                let mut client = Client::new(ingest, PATIENCE);
                for monitor in share {
                    let line = format!("POST /api/push/{}?status=down", monitor.token);
                    let answer = client.ask(&line, "", b"").expect("an answer");
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            });
        }
    });
}
