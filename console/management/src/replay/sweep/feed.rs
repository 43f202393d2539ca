//! The thread that works on what is read.

use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::ids::Offset;
use model::time::Interval;
use model::wire::frame::Frame;
use ports::heartbeat_log::LogEntry;
use tokio::sync::{mpsc, oneshot};

use super::report::Report;
use super::running::Running;
use super::work::Work;
use crate::replay::source::Start;

/// How long after the end of the window a sweep takes every entry, for late ones.
const BEYOND: Duration = Duration::from_secs(60);

/// How much less urgent its thread is than the others, as a nice value.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// The messages to the thread.
pub(crate) enum Feed {
    /// A partition begins.
    Begin(Box<Start>),
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
    /// The partition that is worked on is decided beyond the window. Only histories that were imported later
    /// matter then.
    is_decided: bool,
    report: Report,
    running: Arc<Running>,
}

impl<W: Work> Thread<W> {
    pub(crate) fn new(work: W, window: Interval, running: Arc<Running>) -> Self {
        Self { work, window, is_decided: false, report: Report::new(window), running }
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
            Feed::Begin(start) => {
                self.is_decided = false;
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
        match &entry.frame {
            Ok(frame) if self.is_decided => {
                if frame.imported.iter().any(|imported| self.work.wants(imported.monitor)) {
                    let late =
                        Frame { heartbeats: Vec::new(), definitions: Vec::new(), ..Frame::clone(frame) };
                    self.work.apply(entry.offset, entry.logged_at, &late);
                    self.report.applied(&late, self.work.watermark(), |id| self.work.wants(id));
                }
            }
            Ok(frame) => {
                self.work.apply(entry.offset, entry.logged_at, frame);
                self.report.applied(frame, self.work.watermark(), |id| self.work.wants(id));
            }
            Err(_) => {
                self.work.skip(entry.offset);
                self.report.skipped(entry.offset);
            }
        }
        self.is_decided = self.work.watermark().is_some_and(|watermark| watermark > self.window.end + BEYOND);
    }
}

/// Lets every other thread go first, where the system can say so of one thread.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(error = %Chain(&error), "a replay runs with the same priority as everything else");
    }
}
