//! Pure. Counts how often the handling of a message panicked, so that no message is tried for ever.
//! What ends the process is counted by [`crate::in_hand`].

use std::collections::HashMap;

use ports::queue::MessageId;

/// How often a message is tried that is handled with a panic. The count is kept by this process alone.
pub(crate) const MOST_TRIES: u32 = 3;

/// Why a message was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// It panicked.
    Panicked,
    /// It was in hand when processes ended.
    EndedProcesses,
}

impl GivenUp {
    /// Whether this is what people are told of a message that was given up.
    pub(crate) fn is_why(text: &str) -> bool {
        [Self::Panicked, Self::EndedProcesses].iter().any(|given_up| given_up.why() == text)
    }

    /// For people.
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::Panicked => {
                "given up by a defect of Lubdub: it panicked three times; the notifier's log says where"
            }
            Self::EndedProcesses => {
                "given up: the notifier ended again and again with this in hand, by a defect of Lubdub, \
                 for want of memory, or killed"
            }
        }
    }
}

/// Most messages that are counted at once. When there are more, all begin anew.
const COUNTED: usize = 10_000;

/// The panics of each message that has not been handled well since.
#[derive(Debug, Default)]
pub(crate) struct Defects {
    panics: HashMap<MessageId, u32>,
}

impl Defects {
    /// Notes one more panic over a message, and answers how many there were.
    pub(crate) fn note(&mut self, id: MessageId) -> u32 {
        if self.panics.len() >= COUNTED && !self.panics.contains_key(&id) {
            self.panics.clear();
        }
        let panics = self.panics.entry(id).or_default();
        *panics = panics.saturating_add(1);
        *panics
    }

    /// The number of panics over a message.
    pub(crate) fn of(&self, id: MessageId) -> u32 {
        self.panics.get(&id).copied().unwrap_or(0)
    }

    /// Forgets a message that is done with.
    pub(crate) fn forget(&mut self, id: MessageId) {
        self.panics.remove(&id);
    }
}
