//! Pure. From a request to what its heartbeat says.

mod bad_parameter;
mod multipart;
mod parameters;

use bytes::Bytes;
use model::heartbeat::{HeartbeatKind, MAX_MESSAGE_CHARS};

pub(crate) use bad_parameter::BadParameter;
use parameters::Parameters;

/// The content of a push, before its monitor is looked up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Accepted {
    pub(crate) kind: HeartbeatKind,
    pub(crate) message: Option<String>,
    pub(crate) value: Option<f64>,
    pub(crate) output: Option<Bytes>,
}

/// The part of a body that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Body {
    /// Its last bytes, at most [`model::heartbeat::MAX_OUTPUT_BYTES`].
    pub(crate) tail: Bytes,
    /// Whether bytes before the tail were dropped: then it can only be output.
    pub(crate) cut: bool,
}

/// Reads a push. Parameters come from the query, then from the body; a body that holds none is output.
///
/// # Errors
/// [`BadParameter`] for the first bad parameter.
pub(crate) fn accept(
    query: Option<&str>,
    content_type: Option<&[u8]>,
    body: &Body,
) -> Result<Accepted, BadParameter> {
    let from_query = query.map(Parameters::from_form).unwrap_or_default();
    let from_body = if body.cut { None } else { Parameters::from_body(content_type, &body.tail) };
    let output = (from_body.is_none() && !body.tail.is_empty()).then(|| body.tail.clone());
    let given = from_query.or(from_body.unwrap_or_default());

    let kind = given.status.map_or(Ok(HeartbeatKind::Up), |status| kind(&status.text()?))?;
    let value = given.number.map(|number| finite(&number.text()?)).transpose()?;
    let message =
        given.message.map(|message| message.text().map(|text| cut(text.into_owned()))).transpose()?;
    Ok(Accepted { kind, message, value, output })
}

fn kind(text: &str) -> Result<HeartbeatKind, BadParameter> {
    let text = text.trim();
    [HeartbeatKind::Up, HeartbeatKind::Down]
        .into_iter()
        .find(|kind| text.eq_ignore_ascii_case(kind.as_str()))
        .ok_or(BadParameter::Status)
}

fn finite(text: &str) -> Result<f64, BadParameter> {
    let text = text.trim();
    // Rust also reads "inf" and "nan", which are not decimal.
    let decimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let number: f64 = if decimal { text.parse().ok() } else { None }.ok_or(BadParameter::Value)?;
    if number.is_finite() { Ok(number) } else { Err(BadParameter::Value) }
}

fn cut(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE_CHARS) {
        message.truncate(end);
        message.shrink_to_fit();
    }
    message
}

#[cfg(test)]
mod tests;
