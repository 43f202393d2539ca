//! Which stray chunks may be removed: those that have had no object for so long that no writer can still be
//! at work.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

/// Age at which a stray chunk is removed, much longer than a write may take.
const OLD: Duration = Duration::from_secs(600);

/// Subjects of stray chunks, with the time of the first look that found them so.
#[derive(Debug, Default)]
pub(super) struct Strays {
    first_seen: HashMap<String, Instant>,
}

impl Strays {
    /// The subjects to remove among those that are `present` at `now`.
    pub(super) fn old(&mut self, present: Vec<String>, used: &HashSet<String>, now: Instant) -> Vec<String> {
        let strays = present.into_iter().filter(|subject| !used.contains(subject));
        let seen = strays.map(|subject| {
            let first = self.first_seen.get(&subject).copied().unwrap_or(now);
            (subject, first)
        });
        self.first_seen = seen.collect();
        let old = self.first_seen.iter().filter(|(_, first)| now.duration_since(**first) >= OLD);
        old.map(|(subject, _)| subject.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_stray_for_long_is_removed() {
        let mut strays = Strays::default();
        let start = Instant::now();
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let used = HashSet::from(["used".to_owned()]);
        let none: Vec<String> = Vec::new();
        assert_eq!(strays.old(names(&["used", "dead", "being written"]), &used, start), none);
        assert_eq!(strays.old(names(&["used", "dead"]), &used, start + OLD / 2), none);
        assert_eq!(strays.old(names(&["used", "dead", "new"]), &used, start + OLD), ["dead"]);
        assert_eq!(strays.old(names(&["used", "dead"]), &used, start + OLD), ["dead"], "it is still there");
        assert_eq!(strays.old(names(&["used", "new"]), &used, start + OLD), none);
    }
}
