//! The outcome of an attempt.

use std::time::Duration;

use model::channel::PresetChannel;
use model::delivery::Attempt;
use model::time::EventTime;
use sending::address_guard::RefusedAddress;
use sending::presets::{FieldError, RequestError};
use sending::template::TemplateError;

use super::undelivered::UndeliveredMail;
use crate::metrics::AttemptResult;

/// The outcome of sending a request.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The HTTP status or the SMTP code, if there was an answer.
    pub(crate) status: Option<u16>,
    /// How long the receiver asked to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// The beginning of the answer's body.
    pub(crate) body: Option<String>,
    /// Why the request does not count as accepted.
    pub(crate) failure: Option<Failure>,
    /// The request, secrets masked; only for tests.
    pub(crate) request: Option<String>,
    /// The recipients that this attempt reached, for a channel with several.
    pub(crate) sent_to: Vec<String>,
    /// The answer before this one, if that named another value of a setting and this is the answer to it.
    pub(crate) moved: Option<Box<Moved>>,
}

/// An answer that named another value of a setting. The request was sent again with it at once.
#[derive(Debug)]
pub(crate) struct Moved {
    /// The change of the channel that this asks for.
    pub(crate) change: SettingChange,
    /// The answer.
    pub(crate) answer: Answer,
    /// The time that it took.
    pub(crate) took: Duration,
}

/// A setting that a service gave another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingChange {
    /// What the channel was set to in the request that the service answered.
    pub(crate) from: PresetChannel,
    /// The name of the setting.
    pub(crate) setting: String,
    /// Its value from now on.
    pub(crate) to: String,
}

/// Why an attempt failed, in words for the channel's owner: they never hold the channel's URL, which may be
/// secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the channel's URL cannot be read: {0}")]
    Url(#[source] url::ParseError),
    #[error("the channel's secret is not `whsec_` and base64")]
    Secret,
    #[error("the channel's header `{0}` cannot be sent")]
    Header(String),
    #[error("{0}")]
    Refused(#[source] RefusedAddress),
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("{0}")]
    Network(String),
    #[error("answered {0}")]
    Status(reqwest::StatusCode),
    #[error("answered {0}; redirects are not followed")]
    Redirect(reqwest::StatusCode),
    #[error("answered {status}{why}")]
    Rejected {
        status: reqwest::StatusCode,
        /// `: ` and what the service says.
        why: String,
        permanent: bool,
    },
    #[error("the channel's template cannot be filled in: {0}")]
    Template(#[source] TemplateError),
    #[error("no request can be made by the channel's preset: {0}")]
    Request(#[source] RequestError),
    #[error("this notifier does not know the preset `{0}`")]
    UnknownPreset(String),
    #[error("the channel's setting {0}")]
    Setting(#[source] FieldError),
    #[error("answered 410 Gone; the channel is disabled")]
    Gone,
    #[error("{0}")]
    Mail(UndeliveredMail),
    #[error("this notifier sends no e-mail: start it with --smtp-url and --mail-from")]
    NoMailServer,
}

impl Failure {
    pub(crate) fn result(&self) -> AttemptResult {
        match self {
            Self::Url(_) | Self::Secret | Self::Header(_) | Self::NoMailServer => {
                AttemptResult::Misconfigured
            }
            Self::Template(_) | Self::Request(_) | Self::UnknownPreset(_) | Self::Setting(_) => {
                AttemptResult::Misconfigured
            }
            Self::Mail(undelivered) => undelivered.result(),
            Self::Refused(_) => AttemptResult::Refused,
            Self::TimedOut(_) => AttemptResult::TimedOut,
            Self::Network(_) => AttemptResult::Network,
            Self::Status(_) | Self::Redirect(_) | Self::Rejected { .. } | Self::Gone => {
                AttemptResult::Rejected
            }
        }
    }
}

impl Failure {
    /// Whether the same again can hardly help: it is tried a few times more, not for a day.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Url(_) | Self::Secret | Self::Header(_) | Self::Gone => true,
            Self::Redirect(_) => true,
            // The operator of this notifier, or of the name, puts that right.
            Self::Refused(_) | Self::NoMailServer | Self::UnknownPreset(_) => false,
            // More threads, or time of the processor, may be available later.
            Self::Template(TemplateError::NoRoom | TemplateError::TooLong(_)) => false,
            Self::Template(_) => true,
            Self::Request(_) | Self::Setting(_) => true,
            Self::Rejected { permanent, .. } => *permanent,
            Self::Mail(undelivered) => undelivered.is_permanent(),
            Self::TimedOut(_) | Self::Network(_) => false,
            Self::Status(status) => status.is_client_error() && ![408, 425, 429].contains(&status.as_u16()),
        }
    }
}

impl Moved {
    /// The attempt that got this answer; it began at `at`.
    pub(crate) fn attempt(&self, at: EventTime) -> Attempt {
        let why = self.answer.failure.as_ref().map(ToString::to_string).unwrap_or_default();
        let setting = &self.change.setting;
        Attempt {
            at,
            ms: millis(self.took),
            status: self.answer.status,
            error: Some(format!("{why}; sent again at once with the {setting} that the answer names")),
            answer: self.answer.body.clone(),
            request: None,
        }
    }
}

/// Whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Answer {
    /// No answer, for this reason.
    pub(crate) fn none(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}
