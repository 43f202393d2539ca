//! Whether the notifier's parts can reach what they need.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::chain::Chain;
use parking_lot::Mutex;
use serving::Readiness;

/// What is said while there are channels of e-mail and no mail server.
const NO_MAIL: &str = "channels of e-mail get nothing: no mail is sent without --smtp-url and --mail-from";

/// The parts that can be in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The channels are not known yet.
    Channels,
    /// Alerts are not turned into deliveries.
    FanOut,
    /// Deliveries are not claimed.
    Claims,
    /// Claimed deliveries cannot be looked up.
    Attempts,
    /// Desks cannot decide.
    Desks,
    /// The outcomes of attempts cannot be written.
    Records,
    /// What is in hand cannot be noted.
    InHand,
}

impl Part {
    const fn failed_to(self) -> &'static str {
        match self {
            Self::Channels => "read the channels",
            Self::FanOut => "fan out alerts",
            Self::Claims => "claim deliveries",
            Self::Attempts => "look up claimed deliveries",
            Self::Desks => "decide what channels are told",
            Self::Records => "write down attempts",
            Self::InHand => "note what is in hand",
        }
    }
}

/// Keeps the readiness. The log tells each change of it, not every time that a part tries.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    readiness: Readiness,
    troubled: Arc<Mutex<BTreeMap<Part, String>>>,
}

impl Health {
    pub(crate) fn new(readiness: Readiness) -> Self {
        Self { readiness, troubled: Arc::default() }
    }

    /// The part works.
    pub(crate) fn well(&self, part: Part) {
        let mut troubled = self.troubled.lock();
        if troubled.remove(&part).is_some() {
            self.publish(&troubled);
        }
    }

    /// The part does not work and tries again.
    pub(crate) fn trouble(&self, part: Part, error: &(dyn std::error::Error + 'static)) {
        let mut troubled = self.troubled.lock();
        troubled.insert(part, format!("it failed to {}: {}", part.failed_to(), Chain(error)));
        self.publish(&troubled);
    }

    /// Whether channels of e-mail get nothing, because there is no mail server to send by.
    pub(crate) fn lacks_mail(&self, lacks: bool) {
        self.readiness.set_lack("mail", lacks.then(|| NO_MAIL.to_owned()));
    }

    /// The notifier has begun to work.
    pub(crate) fn started(&self) {
        self.publish(&self.troubled.lock());
    }

    fn publish(&self, troubled: &BTreeMap<Part, String>) {
        if troubled.is_empty() {
            self.readiness.set_ready();
        } else {
            let reasons: Vec<&str> = troubled.values().map(String::as_str).collect();
            self.readiness.set_not_ready(reasons.join("; "));
        }
    }
}
