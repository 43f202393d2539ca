//! Whether roles can do their jobs, and what keeps them from it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ports::repeats::Said;

/// What keeps a role from its job, those first that are the cause of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The role is about to stop.
    Draining,
    /// What the role stands on is not one installation.
    Installation,
    /// NATS.
    Nats,
    /// The registry was lost.
    Registry,
    /// Redis.
    Redis,
    /// The listener.
    Listener,
    /// Something in the role's own work.
    Work,
}

/// Whether a role can do its job. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Readiness {
    role: &'static str,
    reasons: Arc<Mutex<BTreeMap<Cause, String>>>,
    lacks: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Readiness {
    /// A role that is not ready yet.
    pub fn new(role: &'static str) -> Self {
        let reasons = BTreeMap::from([(Cause::Work, "it is starting".to_owned())]);
        Self { role, reasons: Arc::new(Mutex::new(reasons)), lacks: Arc::default() }
    }

    /// The name of the role.
    pub const fn role(&self) -> &'static str {
        self.role
    }

    /// Declares that nothing in its own work keeps the role from its job.
    pub fn set_ready(&self) {
        self.set(Cause::Work, None);
    }

    /// Declares that something in its own work keeps the role from its job. The reason is a fragment that
    /// fits after "ingest is not ready: ".
    pub fn set_not_ready(&self, reason: impl Into<String>) {
        self.set(Cause::Work, Some(reason.into()));
    }

    /// Declares why a cause keeps the role from its job; `None`: it does not.
    pub fn set(&self, cause: Cause, reason: Option<String>) {
        let mut reasons = self.reasons.lock();
        match reason {
            Some(reason) => reasons.insert(cause, reason),
            None => reasons.remove(&cause),
        };
    }

    /// Declares that the role is about to stop.
    pub fn drain(&self) {
        self.set(Cause::Draining, Some("it is draining".to_owned()));
    }

    /// Declares what the role cannot do although it is ready, or may lose, until its operator mends it;
    /// `None`: nothing. `subject` tells apart what is declared by several. `/readyz` says each in a line of
    /// its own.
    pub fn set_lack(&self, subject: &'static str, lack: Option<String>) {
        let mut lacks = self.lacks.lock();
        match lack {
            Some(lack) => lacks.insert(subject, lack),
            None => lacks.remove(subject),
        };
    }

    /// What the role cannot do although it is ready.
    pub fn lacks(&self) -> Vec<String> {
        self.lacks.lock().values().cloned().collect()
    }

    /// What keeps the role from its job, the first cause first.
    pub fn reasons(&self) -> Vec<(Cause, String)> {
        self.reasons.lock().iter().map(|(cause, reason)| (*cause, reason.clone())).collect()
    }

    /// `Ok`, or all reasons in one line.
    ///
    /// # Errors
    /// The role and why it is not ready.
    pub fn check(&self) -> Result<(), String> {
        let reasons = self.reasons.lock();
        if reasons.is_empty() {
            return Ok(());
        }
        let reasons: Vec<&str> = reasons.values().map(String::as_str).collect();
        Err(format!("{} is not ready: {}", self.role, reasons.join("; ")))
    }
}

/// How often the reasons are looked at, and how many looks a reason must last before the log tells it: what
/// is over within a moment is no news.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOKS: u32 = 2;

/// Lets the log say each change of what keeps roles from their jobs, and what they lack; it does not end.
pub async fn tell_reasons(roles: Vec<Readiness>) -> Infallible {
    let mut told = vec![Told::default(); roles.len()];
    loop {
        for (role, told) in roles.iter().zip(&mut told) {
            for line in told.look(role, Instant::now()) {
                match line {
                    Line::NotReady(reason) => tracing::warn!(role = role.role(), reason, "not ready"),
                    Line::Ready => tracing::info!(role = role.role(), "ready"),
                    Line::Lack(lack) => tracing::warn!(role = role.role(), "{lack}"),
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What the log is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    NotReady(String),
    Ready,
    Lack(String),
}

/// What the log said of a role.
#[derive(Debug, Clone, Default)]
struct Told {
    was_ready: bool,
    lasting: BTreeMap<Cause, u32>,
    said: Said,
    /// The reasons that stand as they were at the last look.
    standing: BTreeMap<Cause, String>,
    lacks: Vec<String>,
}

impl Told {
    fn look(&mut self, role: &Readiness, now: Instant) -> Vec<Line> {
        let (reasons, lacks) = (role.reasons(), role.lacks());
        let mut lines = Vec::new();
        self.lasting.retain(|cause, _| reasons.iter().any(|(of, _)| of == cause));
        for (cause, reason) in &reasons {
            let looks = self.lasting.entry(*cause).or_default();
            *looks = looks.saturating_add(1);
            let stands = self.standing.get(cause) == Some(reason);
            if *looks < LOOKS || stands {
                continue;
            }
            self.standing.insert(*cause, reason.clone());
            if self.said.is_news(reason, now) {
                self.was_ready = false;
                lines.push(Line::NotReady(reason.clone()));
            }
        }
        self.standing.retain(|cause, _| reasons.iter().any(|(of, _)| of == cause));
        if reasons.is_empty() && !std::mem::replace(&mut self.was_ready, true) {
            lines.push(Line::Ready);
        }
        lines.extend(lacks.iter().filter(|lack| !self.lacks.contains(lack)).cloned().map(Line::Lack));
        self.lacks = lacks;
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_said_the_first_cause_first() {
        let role = Readiness::new("scheduler");
        assert_eq!(role.check(), Err("scheduler is not ready: it is starting".to_owned()));
        role.set(Cause::Redis, Some("Redis is full".to_owned()));
        assert_eq!(role.check(), Err("scheduler is not ready: Redis is full; it is starting".to_owned()));
        role.set_ready();
        role.drain();
        let reasons =
            vec![(Cause::Draining, "it is draining".to_owned()), (Cause::Redis, "Redis is full".to_owned())];
        assert_eq!(role.reasons(), reasons);
        role.set(Cause::Redis, None);
        role.set(Cause::Draining, None);
        assert_eq!(role.check(), Ok(()));
    }

    #[test]
    fn the_log_says_each_change_of_reason_once() {
        let (role, mut told, begin) = (Readiness::new("notifier"), Told::default(), Instant::now());
        let mut seconds = 0;
        let mut look = |role: &Readiness| {
            seconds += 1;
            told.look(role, begin + Duration::from_secs(seconds))
        };
        let not_ready = |reason: &str| vec![Line::NotReady(reason.to_owned())];
        assert_eq!(look(&role), [], "a moment is no news");
        role.set_ready();
        assert_eq!(look(&role), [Line::Ready]);
        role.set(Cause::Redis, Some("away".to_owned()));
        assert_eq!(look(&role), []);
        assert_eq!(look(&role), not_ready("away"));
        assert_eq!(look(&role), [], "once");
        role.set(Cause::Nats, Some("gone".to_owned()));
        assert_eq!((look(&role), look(&role)), (vec![], not_ready("gone")));
        role.set(Cause::Redis, Some("full".to_owned()));
        assert_eq!(look(&role), not_ready("full"));
        let alternating = (0..60).flat_map(|n| {
            role.set(Cause::Redis, Some(if n % 2 == 0 { "full" } else { "away" }.to_owned()));
            look(&role)
        });
        assert!(alternating.count() <= 2, "each once a minute");
        let lasting = (0..60).flat_map(|seconds| {
            role.set(Cause::Nats, Some(format!("silent for {seconds} s")));
            look(&role)
        });
        assert_eq!(lasting.filter(|line| format!("{line:?}").contains("silent")).count(), 1);
        role.set(Cause::Redis, None);
        assert_eq!(look(&role), []);
        role.set(Cause::Nats, None);
        role.set_lack("mail", Some("no mail is sent".to_owned()));
        assert_eq!(look(&role), [Line::Ready, Line::Lack("no mail is sent".to_owned())]);
        assert_eq!(look(&role), []);
    }
}
