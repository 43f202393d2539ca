//! The starts of this installation, kept in its folder: a process that is started again and again is never
//! up for long enough to notice anything else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::chain::Chain;
use model::time::EventTime;
use parking_lot::Mutex;
use ports::clock::Clock;
use scheduler::Concern;

/// So many starts within this time are an alert, until there was none for as long.
const MANY: usize = 3;
const WITHIN: Duration = Duration::from_secs(10 * 60);

/// The newest starts, and when the operator was told of them.
pub(super) struct Starts {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    /// In order, the newest [`MANY`].
    starts: Vec<EventTime>,
    /// For each way by which the operator was told, when; until it was told of the end.
    told: BTreeMap<String, EventTime>,
}

impl Starts {
    /// Notes another start. A file that cannot be read or written is no reason not to start.
    pub(super) fn another(folder: &Path, clock: Arc<dyn Clock>) -> Self {
        let path = folder.join("starts");
        let mut known = Known::read(&fs::read_to_string(&path).unwrap_or_default());
        let now = clock.now();
        // A clock that was wrong then must not keep the trouble going.
        known.starts.retain(|at| *at <= now);
        known.starts.push(now);
        let old = known.starts.len().saturating_sub(MANY);
        known.starts.drain(..old);
        let starts = Self { path, clock, known: Mutex::new(known) };
        starts.keep();
        starts
    }

    fn keep(&self) {
        let text = self.known.lock().text();
        if let Err(error) = fs::write(&self.path, text) {
            tracing::warn!(error = %Chain(&error), "failed to note this start; restarts are not noticed");
        }
    }
}

impl Known {
    /// Lines of words and a time; others are left out.
    fn read(text: &str) -> Self {
        let mut known = Self::default();
        for line in text.lines() {
            let Some((words, time)) = line.rsplit_once(' ') else { continue };
            let Some(time) = EventTime::parse_rfc3339(time) else { continue };
            match words.split_once(' ') {
                None if words == "started" => known.starts.push(time),
                Some(("told", way)) => {
                    let _ = known.told.insert(way.to_owned(), time);
                }
                None | Some(_) => {}
            }
        }
        known
    }

    fn text(&self) -> String {
        let starts = self.starts.iter().map(|at| format!("started {at}\n"));
        starts.chain(self.told.iter().map(|(way, at)| format!("told {way} {at}\n"))).collect()
    }

    /// Whether there were too many starts, and they have not stopped for long.
    fn too_many(&self, now: EventTime) -> bool {
        let Some((newest, before)) = self.starts.split_last() else { return false };
        let together = before.iter().filter(|at| **at > *newest - WITHIN).count() + 1;
        together >= MANY && *newest > now - WITHIN
    }
}

#[async_trait]
impl Concern for Starts {
    fn kind(&self) -> &'static str {
        "lubdub.restarting"
    }

    fn subject(&self) -> &'static str {
        "Lubdub is started again and again"
    }

    /// The process may not live long.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    async fn trouble(&self) -> Option<String> {
        let many = self.known.lock().too_many(self.clock.now());
        many.then(|| format!("Lubdub was started {MANY} times within {} minutes", WITHIN.as_secs() / 60))
    }

    fn was_told(&self, way: &'static str) -> Option<EventTime> {
        self.known.lock().told.get(way).copied()
    }

    fn told(&self, way: &'static str, of: Option<EventTime>) {
        let mut known = self.known.lock();
        let _ = match of {
            Some(at) => known.told.insert(way.to_owned(), at),
            None => known.told.remove(way),
        };
        drop(known);
        self.keep();
    }
}

#[cfg(test)]
mod tests {
    use ports::clock::ManualClock;

    use super::*;

    #[tokio::test]
    async fn three_starts_within_ten_minutes_are_trouble_until_there_was_none_for_as_long() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(EventTime::from_secs(1_795_341_600)));
        let start = || Starts::another(folder.path(), Arc::clone(&clock) as _);
        for (minutes, alarms) in [(0, false), (5, false), (6, false), (1, true), (1, true), (4, true)] {
            clock.advance(Duration::from_secs(minutes * 60));
            assert_eq!(start().trouble().await.is_some(), alarms);
        }
        let last = start();
        last.told("webhook", Some(clock.now()));
        for (minutes, alarms) in [(0, true), (9, true), (1, false)] {
            clock.advance(Duration::from_secs(minutes * 60));
            assert_eq!(last.trouble().await.is_some(), alarms, "nobody starts it any more");
        }
        // A clock that was an hour ahead for a while.
        clock.advance(Duration::from_secs(3_600));
        let _ = (start(), start(), start());
        let right = Arc::new(ManualClock::new(clock.now() - Duration::from_secs(3_600)));
        assert!(Starts::another(folder.path(), right).trouble().await.is_none());
    }

    #[test]
    fn the_next_process_knows_who_was_told_until_the_end_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(EventTime::from_secs(1_795_341_600)));
        let start = || Starts::another(folder.path(), Arc::clone(&clock) as _);
        let at = clock.now();
        start().told("webhook", Some(at));
        let next = start();
        assert_eq!((next.was_told("webhook"), next.was_told("mail")), (Some(at), None));
        next.told("webhook", None);
        assert_eq!(start().was_told("webhook"), None);
    }

    #[test]
    fn a_damaged_file_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(EventTime::from_secs(1_795_341_600)));
        fs::write(
            folder.path().join("starts"),
            b"started never\ntold \ntold 2026-11-22T10:00:00Z\nnonsense\n\xff\n",
        )
        .unwrap();
        let starts = Starts::another(folder.path(), clock);
        let known = starts.known.lock().clone();
        assert_eq!(known.starts.len(), 1);
        assert_eq!(Known::read(&known.text()), known);
    }
}
