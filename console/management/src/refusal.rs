//! Why a rule refuses a request, or could not carry it out.

use std::error::Error;
use std::fmt;

use model::chain::Chain;
use model::validation::FieldError;
use model::wire::WireError;
use ports::heartbeat_log::LogError;
use ports::history::HistoryError;
use ports::queue::QueueError;
use ports::registry::RegistryError;
use ports::state_store::StateError;

use crate::replay::source::ReplayError;

/// What the caller can do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// Ask in another form.
    Malformed,
    /// The thing that was asked for does not exist.
    NotFound,
    /// Change what stands against it first.
    Conflict,
    /// Read the newest revision and decide again.
    Outdated,
    /// Correct the named fields.
    Fields,
    /// Nothing: a stored record cannot be read.
    Damaged,
    /// Try again.
    Unavailable,
}

/// A refusal, with words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the caller can do about it.
    pub kind: RefusalKind,
    /// What went wrong, for people.
    pub detail: String,
    /// The refused fields, all of them.
    pub errors: Vec<FieldError>,
}

impl Refusal {
    /// A refusal without fields.
    pub fn new(kind: RefusalKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new() }
    }

    /// A parameter that cannot be read.
    pub fn bad_parameter(name: &str, allowed: &str) -> Self {
        let refusal = Self::new(RefusalKind::Malformed, format!("the parameter {name} {allowed}"));
        refusal.with_errors(vec![FieldError::new(name, allowed)])
    }

    /// Fields that are refused, all at once.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let count = errors.len();
        let fields = if count == 1 { "field is" } else { "fields are" };
        Self::new(RefusalKind::Fields, format!("{count} {fields} refused")).with_errors(errors)
    }

    /// Says what is wrong with which field.
    pub fn with_errors(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    /// The refusal for a thing that does not exist. `what`: "monitor", "channel", …
    pub fn not_found(what: &str) -> Self {
        Self::new(RefusalKind::NotFound, format!("there is no such {what}"))
    }

    /// Something stands against it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(RefusalKind::Conflict, detail)
    }

    /// A refusal of something that may work later.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(RefusalKind::Unavailable, detail)
    }

    /// Another client changed the same record again and again.
    pub fn contended() -> Self {
        Self::unavailable("others change it all the time; try again")
    }

    /// A port failed. It is logged here, because no caller handles it further.
    pub fn behind(error: &(dyn Error + 'static), detail: &str) -> Self {
        tracing::warn!(error = %Chain(error), "answered a request with 503");
        Self::unavailable(detail)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for Refusal {}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Conflict => Self::conflict("another client changed it meanwhile; try again"),
            RegistryError::Unavailable(_) => {
                Self::behind(&error, "the registry cannot be reached; try again")
            }
        }
    }
}

impl From<StateError> for Refusal {
    fn from(error: StateError) -> Self {
        Self::behind(&error, "the state store cannot be reached; try again")
    }
}

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        Self::behind(&error, "the history cannot be reached; try again")
    }
}

impl From<QueueError> for Refusal {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Full => Self::unavailable("the queue is full; try again"),
            QueueError::Unavailable(_) => Self::behind(&error, "the queue cannot be reached; try again"),
        }
    }
}

impl From<ReplayError> for Refusal {
    fn from(error: ReplayError) -> Self {
        Self::behind(&error, "the heartbeat log cannot be read; try again")
    }
}

impl From<LogError> for Refusal {
    fn from(error: LogError) -> Self {
        Self::behind(
            &error,
            "the change is recorded, but the heartbeat log cannot be reached: it takes effect as soon as it can",
        )
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        tracing::error!(error = %Chain(&error), "failed to read a registry record");
        Self::new(RefusalKind::Damaged, "its stored form cannot be read")
    }
}
