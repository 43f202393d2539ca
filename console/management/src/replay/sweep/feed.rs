//! The thread that works on what is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::chain::Chain;
use model::ids::Offset;
use model::time::Interval;
use ports::heartbeat_log::LogEntry;
use tokio::sync::{mpsc, oneshot};

use super::report::Report;
use super::running::Running;
use super::work::Work;
use crate::replay::source::Start;

/// How long after the end of the window a sweep waits for late entries.
const BEYOND: Duration = Duration::from_secs(60);

/// How much less urgent its thread is than the others, as a nice value.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// The messages to the thread.
pub(crate) enum Feed {
    /// A partition begins. Its reader sets the flag when the partition is decided beyond the window.
    Begin(Box<Start>, Arc<AtomicBool>),
    Entries(Vec<LogEntry>),
    /// Entries up to this one are gone.
    Expired {
        incarnation: String,
        applied: Offset,
    },
    End,
}

/// Works on what it is sent until the sender is gone. The thread holds the request's permit meanwhile.
pub(crate) struct Thread<W> {
    work: W,
    window: Interval,
    /// The partition that is worked on is decided beyond the window.
    enough: Arc<AtomicBool>,
    report: Report,
    running: Arc<Running>,
}

impl<W: Work> Thread<W> {
    pub(crate) fn new(work: W, window: Interval, running: Arc<Running>) -> Self {
        Self { work, window, enough: Arc::default(), report: Report::new(window), running }
    }

    /// Starts the thread. It answers when the sender is gone.
    pub(crate) fn start(
        mut self,
        mut waiting: mpsc::Receiver<Feed>,
    ) -> std::io::Result<oneshot::Receiver<(W, Report)>> {
        let (answer, answered) = oneshot::channel();
        std::thread::Builder::new().name("lubdub-replay".to_owned()).spawn(move || {
            yield_to_others();
            while let Some(feed) = waiting.blocking_recv() {
                if answer.is_closed() {
                    return;
                }
                self.take(feed);
            }
            let Self { work, report, running, .. } = self;
            // Before the answer: when the request ends, its permit must be free, also if this thread waits
            // for a processor.
            drop(running);
            // The request may have ended before.
            let _ = answer.send((work, report));
        })?;
        Ok(answered)
    }

    fn take(&mut self, feed: Feed) {
        match feed {
            Feed::Begin(start, enough) => {
                self.enough = enough;
                self.report.begin(&start);
                self.work.begin(*start);
            }
            Feed::Entries(entries) => {
                for entry in &entries {
                    self.apply(entry);
                }
            }
            Feed::Expired { incarnation, applied } => {
                self.report.expired();
                self.work.re_anchor(&incarnation, applied);
            }
            Feed::End => self.report.end(&self.work.end()),
        }
    }

    fn apply(&mut self, entry: &LogEntry) {
        // The reader did not know yet that this entry is not needed. A partition ends where the window ends,
        // whatever was read.
        if self.enough.load(Ordering::Acquire) {
            return;
        }
        match &entry.frame {
            Ok(frame) => {
                self.work.apply(entry.offset, entry.logged_at, frame);
                self.report.applied(frame, self.work.watermark());
            }
            Err(_) => {
                self.work.skip(entry.offset);
                self.report.skipped(entry.offset);
            }
        }
        if self.work.watermark().is_some_and(|watermark| watermark > self.window.end + BEYOND) {
            self.enough.store(true, Ordering::Release);
        }
    }
}

/// Lets every other thread go first, where the system can say so of one thread.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(error = %Chain(&error), "a replay runs with the same priority as everything else");
    }
}
