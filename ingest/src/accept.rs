//! Pure. From a request to what its heartbeat says.

mod found;
mod not_understood;
mod scan;
mod words;

use bytes::Bytes;
use model::heartbeat::{HeartbeatKind, clean_message};

use found::{Found, Given, Name, Told, weight};
pub(crate) use not_understood::NotUnderstood;
pub(crate) use scan::{Scanned, Scanner, Trouble};

/// The content of a push, before its monitor is looked up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Accepted {
    pub(crate) kind: HeartbeatKind,
    pub(crate) message: Option<String>,
    pub(crate) value: Option<f64>,
    pub(crate) output: Option<Bytes>,
}

/// A body that was read; by default an empty one.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Body {
    /// Its last bytes, at most [`model::heartbeat::MAX_OUTPUT_BYTES`].
    pub(crate) tail: Bytes,
    /// What all of it says.
    pub(crate) scanned: Scanned,
}

/// Reads a push. Parameters come from the query, then from the body; a body that holds none is output.
///
/// # Errors
/// [`NotUnderstood`]: nothing that tried to say something and was not understood counts as up.
pub(crate) fn accept(query: Option<&str>, body: Body) -> Result<Accepted, NotUnderstood> {
    let asked = query.map(scan::query).unwrap_or_default();
    let Body { tail, scanned: Scanned { found: said, is_output, trouble } } = body;
    if let Some(trouble) = trouble
        && !makes_up_for(&asked, trouble)
    {
        return Err(NotUnderstood::Body(trouble));
    }
    let kind = kind(&asked, &said)?;
    // Another tool's object beside our names.
    let foreign = is_output && said.any;
    let value = match value(&asked, false)? {
        Some(value) => Some(value),
        None => value(&said, foreign)?,
    };
    let message = match asked.message.or(said.message) {
        Some(Given::Text(text)) => Some(clean_message(text)),
        // Another tool's object may have a message of its own kind.
        Some(Given::Unfit) if foreign => None,
        Some(Given::Unfit) => return Err(NotUnderstood::Parameter(Name::Message)),
        None => None,
    };
    let output = (is_output && !tail.is_empty()).then_some(tail);
    Ok(Accepted { kind, message, value, output })
}

/// Whether a push counts by its query, whatever its body said.
fn makes_up_for(asked: &Found, trouble: Trouble) -> bool {
    match trouble {
        // The body has statuses, and a copied URL that says up must not hide them.
        Trouble::ListOfStatuses | Trouble::Lines => {
            matches!(told_in(asked), Some((_, Some(HeartbeatKind::Down))))
        }
        Trouble::Json
        | Trouble::Multipart
        | Trouble::Late
        | Trouble::BrokenOff
        | Trouble::Damaged
        | Trouble::TooLong => asked.tells(),
    }
}

/// What a query says of the status.
fn told_in(asked: &Found) -> Option<Told> {
    asked.status(words::status).or_else(|| asked.exit_code())
}

/// The status of a push: down if either place says so; or else it must be understood wherever it stands. In
/// each place the exit code tells if no status does.
fn kind(asked: &Found, said: &Found) -> Result<HeartbeatKind, NotUnderstood> {
    let asked = told_in(asked);
    let said = said.status(words::status_of_any_tool).or_else(|| said.exit_code());
    let told = match (asked, said) {
        (Some(asked), Some(said)) if weight(said.1) > weight(asked.1) => Some(said),
        (asked, said) => asked.or(said),
    };
    match told {
        None => Ok(HeartbeatKind::Up),
        Some((name, kind)) => kind.ok_or(NotUnderstood::Parameter(name)),
    }
}

/// The number of a push. `value` is strict, unless another tool means something of its own by it; `ping` is
/// never an error.
fn value(found: &Found, foreign: bool) -> Result<Option<f64>, NotUnderstood> {
    let ping = || found.ping.as_ref().and_then(Given::text).and_then(words::leading_number);
    match &found.value {
        None => Ok(ping()),
        Some(given) => match given.text().and_then(words::number) {
            Some(number) => Ok(Some(number)),
            None if foreign => Ok(ping()),
            None => Err(NotUnderstood::Parameter(Name::Value)),
        },
    }
}

#[cfg(test)]
mod tests;
