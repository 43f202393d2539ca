//! Pure. Counts how often the handling of a message panicked, so that no message is tried for ever.

use std::collections::HashMap;

use ports::queue::MessageId;

/// How often a message is tried that is handled with a panic. The count is kept by this process alone.
pub(crate) const MOST_TRIES: u32 = 3;

/// Why a delivery was given up.
pub(crate) const GIVEN_UP: &str =
    "given up by a defect of Lubdub: it panicked three times; the notifier's log says where";

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
