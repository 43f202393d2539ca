//! The addresses that did not get a mail.

use std::collections::BTreeMap;
use std::fmt;

use sending::mail::MailError;

use crate::metrics::AttemptResult;

/// Most bytes that are kept of the servers' answers, and of the addresses with their errors.
pub(super) const KEPT_BYTES: usize = 2_048;

/// The recipients that did not get a mail, and why. There is at least one.
#[derive(Debug)]
pub(crate) struct UndeliveredMail {
    pub(super) accepted: usize,
    pub(super) of: usize,
    pub(super) failed: Vec<(String, MailError)>,
}

impl UndeliveredMail {
    /// Whether the same again can hardly help any of them.
    pub(super) fn is_permanent(&self) -> bool {
        self.failed.iter().all(|(_, error)| error.is_permanent())
    }

    pub(super) fn result(&self) -> AttemptResult {
        let results = self.failed.iter().map(|(_, error)| match error {
            MailError::Refused { .. } | MailError::NotLetIn { .. } => AttemptResult::Rejected,
            MailError::TimedOut(_) => AttemptResult::TimedOut,
            MailError::Connect(_) | MailError::Broken(_) | MailError::Tls(_) => AttemptResult::Network,
            MailError::NoTls | MailError::NoLogin | MailError::Address | MailError::Unwritable(_) => {
                AttemptResult::Misconfigured
            }
        });
        results.into_iter().next().unwrap_or(AttemptResult::Rejected)
    }

    /// A code for a recipient that is tried again counts first.
    pub(super) fn code(&self) -> Option<u16> {
        let (permanent, transient): (Vec<_>, Vec<_>) =
            self.failed.iter().partition(|(_, error)| error.is_permanent());
        transient.into_iter().chain(permanent).find_map(|(_, error)| error.code())
    }
}

impl fmt::Display for UndeliveredMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A reason that several recipients share is given once.
        let mut by_reason: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (to, error) in &self.failed {
            by_reason.entry(error.to_string()).or_default().push(to);
        }
        let reasons: Vec<String> =
            by_reason.iter().map(|(reason, to)| format!("{}: {reason}", to.join(", "))).collect();
        let mut text = reasons.join("; ");
        if self.of > 1 {
            text = format!("{} of {} accepted; {text}", self.accepted, self.of);
        }
        if text.len() > KEPT_BYTES {
            text.truncate(text.floor_char_boundary(KEPT_BYTES - '…'.len_utf8()));
            text.push('…');
        }
        f.write_str(&text)
    }
}
