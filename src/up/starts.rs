//! The starts of this installation, kept in its folder: a process that is started again and again is never
//! up for long enough to notice anything else.

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

/// So many starts within this time are an alert.
const MANY: usize = 3;
const WITHIN: Duration = Duration::from_secs(10 * 60);

/// The newest starts, and when the operator was last told of them.
pub(super) struct Starts {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    /// In order, the newest [`MANY`].
    starts: Vec<EventTime>,
    told: Option<EventTime>,
}

impl Starts {
    /// Notes another start. A file that cannot be read or written is no reason not to start.
    pub(super) fn another(folder: &Path, clock: Arc<dyn Clock>) -> Self {
        let path = folder.join("starts");
        let mut known = Known::read(&fs::read_to_string(&path).unwrap_or_default());
        known.starts.push(clock.now());
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
    /// Lines of a word and a time; others are left out.
    fn read(text: &str) -> Self {
        let mut known = Self::default();
        for line in text.lines() {
            let Some((word, time)) = line.split_once(' ') else { continue };
            let Some(time) = EventTime::parse_rfc3339(time) else { continue };
            match word {
                "started" => known.starts.push(time),
                "told" => known.told = Some(time),
                _ => {}
            }
        }
        known
    }

    fn text(&self) -> String {
        let starts = self.starts.iter().map(|at| format!("started {at}\n"));
        starts.chain(self.told.map(|at| format!("told {at}\n"))).collect()
    }

    /// Whether there were too many starts shortly before `now`, of which nobody was told yet.
    fn too_many(&self, now: EventTime) -> bool {
        let begin = now - WITHIN;
        self.starts.iter().filter(|at| **at > begin).count() >= MANY
            && self.told.is_none_or(|told| told <= begin)
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

    fn told(&self) {
        self.known.lock().told = Some(self.clock.now());
        self.keep();
    }
}

#[cfg(test)]
mod tests {
    use ports::clock::ManualClock;

    use super::*;

    #[tokio::test]
    async fn three_starts_within_ten_minutes_are_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(EventTime::from_secs(1_795_341_600)));
        let start = || Starts::another(folder.path(), Arc::clone(&clock) as _);
        for (minutes, alarms) in [(0, false), (5, false), (6, false), (1, true), (1, true)] {
            clock.advance(Duration::from_secs(minutes * 60));
            assert_eq!(start().trouble().await.is_some(), alarms);
        }
        let teller = start();
        teller.told();
        assert!(teller.trouble().await.is_none());
        assert!(start().trouble().await.is_none(), "it is known that the operator was told");
        clock.advance(Duration::from_secs(9 * 60));
        start();
        start();
        start();
        clock.advance(Duration::from_secs(2 * 60));
        assert!(start().trouble().await.is_some(), "it goes on");
    }

    #[test]
    fn a_damaged_file_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(EventTime::from_secs(1_795_341_600)));
        fs::write(folder.path().join("starts"), b"started never\nnonsense\n\xff\n").unwrap();
        let starts = Starts::another(folder.path(), clock);
        let known = starts.known.lock().clone();
        assert_eq!(known.starts.len(), 1);
        assert_eq!(Known::read(&known.text()), known);
    }
}
