//! Pure. Whether a channel works: ok → failing → disabled, and back by an attempt that is accepted.

use std::time::Duration;

use model::channel::{Channel, ChannelState};
use model::time::EventTime;

/// How many failed attempts in a row make a channel failing.
pub(crate) const FAILING_AFTER: u32 = 3;

/// How long a channel fails before it is disabled.
const DISABLED_AFTER: Duration = Duration::from_secs(5 * 24 * 3_600);

/// What attempts say about a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// The channel accepted a message; `test`: one that the owner sent to try the channel.
    Accepted { test: bool },
    /// The channel failed often enough, or for good, for this reason.
    Failing(String),
    /// The receiver answered that it wants no more messages.
    Gone(String),
}

/// The channel as it is from now on; `None`: as it was.
pub(crate) fn judged(channel: &Channel, evidence: &Evidence, now: EventTime) -> Option<Channel> {
    let ok =
        || Channel { state: ChannelState::Ok, state_detail: None, failing_since: None, ..channel.clone() };
    let disabled = |detail: String| Channel {
        state: ChannelState::Disabled,
        state_detail: Some(detail),
        ..channel.clone()
    };
    match (channel.state, evidence) {
        (ChannelState::Ok, Evidence::Accepted { .. }) => None,
        (ChannelState::Failing, Evidence::Accepted { .. }) => Some(ok()),
        // The owner tested it, and it works: nothing is left to be put right by hand.
        (ChannelState::Disabled, Evidence::Accepted { test: true }) => Some(ok()),
        (ChannelState::Disabled, Evidence::Accepted { test: false } | Evidence::Failing(_)) => None,
        (ChannelState::Ok, Evidence::Failing(detail)) => Some(Channel {
            state: ChannelState::Failing,
            state_detail: Some(detail.clone()),
            failing_since: Some(now),
            ..channel.clone()
        }),
        (ChannelState::Failing, Evidence::Failing(detail)) => {
            let since = channel.failing_since.unwrap_or(now);
            (since + DISABLED_AFTER <= now).then(|| disabled(format!("failing for 5 days: {detail}")))
        }
        (ChannelState::Disabled, Evidence::Gone(_)) => None,
        (ChannelState::Ok | ChannelState::Failing, Evidence::Gone(detail)) => Some(disabled(detail.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    const DAY: i64 = 24 * 3_600;

    fn at(secs: i64) -> EventTime {
        EventTime::from_secs(secs)
    }

    fn channel(state: ChannelState, since: Option<i64>) -> Channel {
        Channel { state, failing_since: since.map(at), ..sample::channel() }
    }

    #[test]
    fn goes_down_and_comes_back_as_the_evidence_says() {
        use ChannelState::{Disabled, Failing, Ok};
        let (accepted, tested) = (Evidence::Accepted { test: false }, Evidence::Accepted { test: true });
        let failing = Evidence::Failing("answered 500".to_owned());
        let gone = Evidence::Gone("answered 410".to_owned());
        for (state, since, evidence, now, expected) in [
            (Ok, None, &accepted, 0, None),
            (Ok, None, &failing, 7, Some((Failing, Some(7)))),
            (Ok, None, &gone, 7, Some((Disabled, None))),
            (Failing, Some(7), &failing, 8, None),
            (Failing, Some(7), &failing, 7 + 5 * DAY - 1, None),
            (Failing, Some(7), &failing, 7 + 5 * DAY, Some((Disabled, Some(7)))),
            (Failing, Some(7), &accepted, 9, Some((Ok, None))),
            (Failing, Some(7), &gone, 9, Some((Disabled, Some(7)))),
            (Disabled, Some(7), &accepted, 9, None),
            (Disabled, Some(7), &failing, 9, None),
            (Disabled, Some(7), &gone, 9, None),
            (Disabled, Some(7), &tested, 9, Some((Ok, None))),
        ] {
            let judged = judged(&channel(state, since), evidence, at(now));
            let found = judged.map(|channel| (channel.state, channel.failing_since));
            let expected = expected.map(|(state, since)| (state, since.map(at)));
            assert_eq!(found, expected, "{state:?} since {since:?}, {evidence:?} at {now}");
        }
    }
}
