//! `lubdub init` where NATS is away.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::harness::{PATIENCE, Process, directory, eventually_within, lubdub};

/// By so many tries it has begun to connect anew, which it does after 10 s.
const TRIES: usize = 50;

#[test]
fn a_nats_that_is_away_is_told_once_and_by_its_address() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    // Hangs up on everybody. It ends with the process of this test.
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            drop(connection);
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let directory = directory();
    let nats = format!("nats://user:s3cret@{address}");
    let process = Process::start(lubdub(directory.path()).args(["init", "--nats", &nats]));
    eventually_within(PATIENCE + Duration::from_secs(30), "it connects again and again", || {
        (tries.load(Ordering::Relaxed) >= TRIES).then_some(())
    });
    let told = process.kill().stderr;
    // The library says for itself that what hangs up is no NATS.
    let lines: Vec<&str> = told.lines().filter(|line| !line.contains(" async_nats::")).collect();
    assert_eq!(lines.len(), 1, "{told}");
    assert!(lines[0].contains("NATS cannot be reached") && lines[0].contains(&address), "{told}");
    assert!(!told.contains("s3cret"), "{told}");
}
