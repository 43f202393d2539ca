//! A monitor as its owner describes it.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;
use super::ids::{ChannelId, MonitorId, Revision};
use super::schedule::Schedule;
use super::time::EventTime;

/// A push token: 8 to 64 of `A–Z a–z 0–9 _ -`. A holder can push, so its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

/// Length of a push token, in characters.
pub const TOKEN_CHARS: RangeInclusive<usize> = 8..=64;

/// Length of a push token that the user chose, in characters.
pub const OWN_TOKEN_CHARS: RangeInclusive<usize> = 16..=64;

/// The fewest different characters in a push token that the user chose.
pub const OWN_TOKEN_DIFFERENT: usize = 8;

impl Token {
    /// Reads a token; `None` if it breaks the rules.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let good = TOKEN_CHARS.contains(&text.len()) && text.chars().all(allowed);
        good.then(|| Self(text.to_owned()))
    }

    /// Whether a stranger could guess it: it has fewer than 8 different characters, is one pattern again and
    /// again, or little more than characters in their order: of the alphabet, of numbers, of a keyboard.
    pub fn is_easy_to_guess(&self) -> bool {
        let bytes = self.0.as_bytes();
        let is_new = |(at, byte): &(usize, &u8)| !bytes.iter().take(*at).any(|earlier| earlier == *byte);
        let repeats = |period| bytes.iter().zip(bytes.iter().skip(period)).all(|(one, next)| one == next);
        bytes.iter().enumerate().filter(is_new).count() < OWN_TOKEN_DIFFERENT
            || (1..=bytes.len().div_ceil(2)).any(repeats)
            || (1..=MOST_INTERLEAVED).any(|apart| pieces_in_order(bytes, apart) < OWN_TOKEN_DIFFERENT)
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Characters that people type one after another.
const ORDERS: [&[u8]; 6] =
    [b"01234567890", b"abcdefghijklmnopqrstuvwxyz", b"qwertyuiop", b"qwertzuiop", b"asdfghjkl", b"zxcvbnm"];

/// Orders that alternate in a token, as in `a1b2c3`.
const MOST_INTERLEAVED: usize = 4;

/// The pieces that a token consists of, if it is read as so many tokens that alternate: in a piece each
/// character is the same as the one before, or beside it in one of the orders.
fn pieces_in_order(bytes: &[u8], apart: usize) -> usize {
    let follows = |one: u8, next: u8| {
        let is_step = |two: &[u8]| two == [one, next] || two == [next, one];
        one == next || ORDERS.iter().any(|order| order.windows(2).any(is_step))
    };
    let pairs = bytes.iter().zip(bytes.iter().skip(apart));
    let breaks = pairs.filter(|(one, next)| !follows(one.to_ascii_lowercase(), next.to_ascii_lowercase()));
    apart + breaks.count()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A token that was rotated away and still works for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldToken {
    /// The token.
    pub token: Token,
    /// The time until which the token works.
    pub expires_at: EventTime,
}

/// The part of a monitor that the scheduler needs. It travels in the heartbeat log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// When heartbeats are expected.
    pub schedule: Schedule,
    /// Tolerance after the expected time, seconds.
    pub grace: u32,
    /// Seconds between reminders while down; 0 = none.
    pub remind_every: u32,
    /// Whether the monitor is paused.
    pub paused: bool,
}

/// A monitor, as the registry holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitor {
    /// Never changes.
    pub id: MonitorId,
    /// 1 to 100 characters.
    pub name: String,
    /// The description, at most 2,000 characters.
    #[serde(default)]
    pub description: String,
    /// The tags, at most 20 of at most 50 characters.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Schedule, grace, reminders, pause.
    pub definition: Definition,
    /// Whether its grace was given; `None` = not known. See [`Monitor::has_own_grace`].
    #[serde(default)]
    pub own_grace: Option<bool>,
    /// Recommended interval between pushes, seconds; `None` = the timeout.
    #[serde(default)]
    pub interval: Option<u32>,
    /// The channels that its alerts go to; `None` = every default channel, also those made later.
    #[serde(default)]
    pub channels: Option<Vec<ChannelId>>,
    /// The parent: while it is down, its messages tell this monitor's alerts.
    #[serde(default)]
    pub parent: Option<MonitorId>,
    /// The push token.
    pub token: Token,
    /// Tokens that were rotated away.
    #[serde(default)]
    pub old_tokens: Vec<OldToken>,
    /// The time of its creation.
    pub created_at: EventTime,
    /// The time of its last change.
    pub updated_at: EventTime,
}

/// A change of definition, as it travels in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionChange {
    /// The monitor.
    pub monitor: MonitorId,
    /// The registry revision it came with; a change with a revision that is not newer than the known one does
    /// nothing.
    pub revision: Revision,
    /// The time of the change, by the console's clock.
    pub at: EventTime,
    /// The new definition; `None` = the monitor is deleted.
    pub definition: Option<Definition>,
}

impl Monitor {
    /// Whether its grace was given, and stays when the schedule changes. One that was not given is the
    /// default and follows the schedule. If it is not known, a grace that is not the default was given.
    pub fn has_own_grace(&self) -> bool {
        self.own_grace.unwrap_or_else(|| !self.definition.has_default_grace())
    }
}

impl Definition {
    /// Whether the grace is the default of the schedule.
    pub fn has_default_grace(&self) -> bool {
        self.grace == self.schedule.default_grace()
    }

    /// Grace as a duration.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace.into())
    }

    /// The schedule with its tolerance, in words: `every 5 min, 10 min of grace`.
    pub fn in_words(&self) -> String {
        let schedule = self.schedule.in_words();
        match self.grace {
            0 => format!("{schedule}, no grace"),
            _ => format!("{schedule}, {} of grace", duration::in_words(self.grace())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_told_with_its_grace() {
        let schedule = Schedule::Period { timeout: 300 };
        let definition = Definition { schedule, grace: 600, remind_every: 0, paused: false };
        assert_eq!(definition.in_words(), "every 5 min, 10 min of grace");
        let none = Definition { grace: 0, ..definition };
        assert_eq!(none.in_words(), "every 5 min, no grace");
    }

    #[test]
    fn a_token_is_easy_to_guess_if_little_varies_in_it() {
        for (text, expected) in [
            ("aaaaaaaaaaaaaaaa", true),
            ("abcdefgabcdefgabc", true),
            ("password-password", true),
            ("passwordpassword", true),
            ("1234567890-1234567890", true),
            ("1234567890123456", true),
            ("abcdefghijklmnop", true),
            ("ZYXWVUTSRQPONMLKJIHGFEDCBA", true),
            ("abcdefgh-12345678", true),
            ("a1b2c3d4e5f6g7h8", true),
            ("qwertyuiopasdfgh", true),
            ("aabbccddeeffgghhii", true),
            ("backup-of-server-17", false),
            ("a1B9c3D7e5F2g8H4", false),
            ("a-name-of-16-chr", false),
            ("0f4b7a91c2d8e635", false),
        ] {
            assert_eq!(Token::parse(text).map(|token| token.is_easy_to_guess()), Some(expected), "{text}");
        }
    }
}
