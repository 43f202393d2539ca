//! Pure. When a scheduler tells the operator itself, although another one may do so.
//!
//! The first of the living schedulers tells, the others stand by. News that are told twice are better than
//! news that nobody tells.

use std::time::Duration;

/// How much later another scheduler than the first does what the first has not done.
pub(super) const STAND_BY: Duration = Duration::from_secs(30);
/// How much later it does so while the roster cannot be used, and nothing says what the first has done.
pub(super) const BLIND: Duration = Duration::from_secs(5 * 60);

/// What a scheduler knows about whose turn it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Whether this scheduler was the first that lives, when the roster was last read.
    pub(super) is_first: bool,
    /// For how long the roster could be used without a break; `None` if it cannot be used.
    pub(super) known_for: Option<Duration>,
}

impl Turn {
    /// Whether it tells of trouble that has lasted for this long beyond its patience. `unnoted_for`: the time
    /// since another scheduler's note of it stood, if one did.
    pub(super) fn tells(self, lasts: Duration, unnoted_for: Option<Duration>) -> bool {
        // After another one told, even the first waits: the trouble may be over here a little later than
        // there.
        if self.is_first && unnoted_for.is_none() {
            return true;
        }
        let untold = unnoted_for.map_or(lasts, |unnoted| unnoted.min(lasts));
        untold >= BLIND || self.known_for.is_some_and(|known| known.min(untold) >= STAND_BY)
    }

    /// Whether it takes on the note of a scheduler that has been known to be dead for this long.
    pub(super) fn takes_on(self, dead_for: Duration) -> bool {
        self.is_first || dead_for >= STAND_BY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_first_tells_at_once_and_the_others_when_it_does_not() {
        let first = |known_for| Turn { is_first: true, known_for };
        let other = |known_for| Turn { is_first: false, known_for };
        let long = Some(secs(1_000));
        for (turn, lasts, unnoted_for, tells) in [
            (first(long), 0, None, true),
            (first(None), 0, None, true),
            (other(long), 29, None, false),
            (other(long), 30, None, true),
            // It cannot know, until it has been able to for a while.
            (other(None), 299, None, false),
            (other(None), 300, None, true),
            (other(Some(secs(29))), 299, None, false),
            (other(Some(secs(29))), 300, None, true),
            // Another one told, and of the end too, or its note is lost.
            (first(long), 600, Some(secs(29)), false),
            (first(long), 600, Some(secs(30)), true),
            (other(long), 600, Some(secs(29)), false),
            (first(None), 600, Some(secs(299)), false),
            (other(None), 600, Some(secs(300)), true),
        ] {
            assert_eq!(turn.tells(secs(lasts), unnoted_for), tells, "{turn:?}, {lasts} s, {unnoted_for:?}");
        }
        assert!(first(long).takes_on(Duration::ZERO) && other(long).takes_on(STAND_BY));
        assert!(!other(long).takes_on(secs(29)));
    }
}
