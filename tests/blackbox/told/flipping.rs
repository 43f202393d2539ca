//! Monitors that flip on and on because their clients say so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use crate::api::Monitor;
use crate::harness::PATIENCE;
use crate::http::Client;

/// Between an answer other than 200, or none, and the next try.
const RETRY_AFTER: Duration = Duration::from_millis(30);

/// Pushes a state until it is answered 200, as `curl --retry` does.
#[track_caller]
pub(crate) fn say(ingest: SocketAddr, monitor: &Monitor, status: &str) {
    let mut client = Client::new(ingest, PATIENCE);
    crate::harness::eventually(&format!("{} is heard", monitor.name), || {
        let heard = push(&mut client, monitor, status);
        if !heard {
            sleep(RETRY_AFTER);
        }
        heard.then_some(())
    });
}

fn push(client: &mut Client, monitor: &Monitor, status: &str) -> bool {
    let line = format!("POST /api/push/{}?status={status}&msg=disk+full", monitor.token);
    client.ask(&line, "", b"").is_ok_and(|answer| answer.status == 200)
}

/// A client that takes monitors down in turn, and up again in turn, in a thread of its own.
#[derive(Debug)]
pub(crate) struct Flipping {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flipping {
    /// Pauses for `pause` after each push that was heard.
    pub(crate) fn start(ingest: SocketAddr, monitors: Vec<Monitor>, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut client = Client::new(ingest, PATIENCE);
            for status in ["down", "up"].into_iter().cycle() {
                for monitor in &monitors {
                    while !push(&mut client, monitor, status) && !stopped.load(Ordering::Relaxed) {
                        sleep(RETRY_AFTER);
                    }
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    sleep(pause);
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }

    /// Ends it after the push that it is at.
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "a client does not panic");
        }
    }
}

impl Drop for Flipping {
    fn drop(&mut self) {
        self.stop();
    }
}
