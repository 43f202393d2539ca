//! Pure. Flips in words: notifications and the management API say the same.

use std::borrow::Cow;

use model::duration::rounded;
use model::flip::{Flip, Reason};

/// The text of a flip for people: the client's message if its heartbeat had one, otherwise Lubdub's own;
/// `None` = none.
pub fn flip_text(flip: &Flip) -> Option<Cow<'_, str>> {
    match &flip.message {
        Some(message) => Some(Cow::Borrowed(message)),
        None => own_words(flip).map(Cow::Owned),
    }
}

fn own_words(flip: &Flip) -> Option<String> {
    match flip.reason {
        Reason::Missed => flip.silent_for.map(|span| format!("no heartbeat for {}", rounded(span))),
        Reason::Recovered => flip.down_for.map(|span| format!("heard again after {}", rounded(span))),
        Reason::Changed => flip.down_for.map(|_| "its schedule was changed".to_owned()),
        Reason::First | Reason::Reported | Reason::Paused | Reason::Resumed => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::flip::State;
    use model::ids::{AlertId, MonitorId};
    use model::time::EventTime;
    use uuid::Uuid;

    use super::*;

    fn flip(reason: Reason) -> Flip {
        Flip {
            id: AlertId::from_uuid(Uuid::nil()),
            monitor: MonitorId::from_uuid(Uuid::nil()),
            sequence: 1,
            from: State::Up,
            to: State::Down,
            reason,
            at: EventTime::EPOCH,
            message: None,
            value: None,
            last_heartbeat_at: None,
            deadline: None,
            deaf: Duration::ZERO,
            down_for: None,
            trace: None,
            silent_for: None,
        }
    }

    fn text(flip: &Flip) -> Option<String> {
        flip_text(flip).map(Cow::into_owned)
    }

    #[test]
    fn silence_and_recovery_are_said_with_their_length() {
        for (secs, words) in [
            (5, "5 s"),
            (66, "1 min 6 s"),
            (599, "9 min 59 s"),
            (1_530, "25 min 30 s"),
            (10_800, "3 h"),
            (11_400, "3 h 10 min"),
            (187_200, "2 d 4 h"),
        ] {
            let span = Some(Duration::from_secs(secs));
            let missed = Flip { silent_for: span, ..flip(Reason::Missed) };
            assert_eq!(text(&missed), Some(format!("no heartbeat for {words}")));
            let recovered = Flip { down_for: span, ..flip(Reason::Recovered) };
            assert_eq!(text(&recovered), Some(format!("heard again after {words}")));
        }
        let changed = Flip { down_for: Some(Duration::from_secs(5)), ..flip(Reason::Changed) };
        assert_eq!(text(&changed).as_deref(), Some("its schedule was changed"));
    }

    #[test]
    fn the_words_of_the_client_come_first_and_some_flips_say_nothing() {
        let silent_for = Some(Duration::from_secs(66));
        let said = Flip { message: Some("disk full".to_owned()), silent_for, ..flip(Reason::Missed) };
        assert_eq!(text(&said).as_deref(), Some("disk full"));
        for reason in [Reason::First, Reason::Missed, Reason::Reported, Reason::Paused, Reason::Resumed] {
            assert_eq!(text(&flip(reason)), None, "{reason:?}");
        }
    }
}
