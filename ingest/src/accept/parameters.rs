//! Pure. The parameters of a push, wherever they stand.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::bad_parameter::BadParameter;
use super::multipart;

/// The parameters that were given. An empty parameter counts as not given; of one given twice the first
/// counts.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parameters<'a> {
    pub(super) status: Option<GivenValue<'a>>,
    pub(super) message: Option<GivenValue<'a>>,
    /// `value`, or else `ping`.
    pub(super) number: Option<GivenValue<'a>>,
}

/// A parameter as it was given.
#[derive(Debug, PartialEq)]
pub(super) enum GivenValue<'a> {
    Text(Cow<'a, str>),
    /// A JSON value that is neither text nor a number, with the parameter's own error.
    Unfit(BadParameter),
}

impl<'a> GivenValue<'a> {
    pub(super) fn text(self) -> Result<Cow<'a, str>, BadParameter> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Unfit(error) => Err(error),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Unfit(_) => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ParameterName {
    Status,
    Message,
    Value,
    Ping,
}

impl ParameterName {
    const ALL: [(&'static str, Self); 4] =
        [("status", Self::Status), ("msg", Self::Message), ("value", Self::Value), ("ping", Self::Ping)];

    fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, name)| name)
    }

    const fn unfit(self) -> BadParameter {
        match self {
            Self::Status => BadParameter::Status,
            Self::Message => BadParameter::Message,
            Self::Value | Self::Ping => BadParameter::Value,
        }
    }
}

impl<'a> Parameters<'a> {
    /// From a query, which may hold anything else as well.
    pub(super) fn from_form(form: &'a str) -> Self {
        Self::from_pairs(url::form_urlencoded::parse(form.as_bytes())).unwrap_or_default()
    }

    /// From a body; `None` if it is not parameters.
    ///
    /// The content type decides little, because clients send any: `curl -d` calls every body a form, `fetch`
    /// calls a JSON string text. Only `application/octet-stream` is always output.
    pub(super) fn from_body(content_type: Option<&[u8]>, body: &'a [u8]) -> Option<Self> {
        let opaque = b"application/octet-stream";
        if content_type
            .and_then(|kind| kind.get(..opaque.len()))
            .is_some_and(|kind| kind.eq_ignore_ascii_case(opaque))
        {
            return None;
        }
        if let Some(fields) = content_type.and_then(|kind| multipart::fields(kind, body)) {
            return Self::from_pairs(fields);
        }
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
        if body.first() == Some(&b'{') {
            return Self::from_json(body);
        }
        if !begins_like_a_form(body) {
            return None;
        }
        Self::from_pairs(url::form_urlencoded::parse(body))
    }

    /// These parameters, completed by those of `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            status: self.status.or(other.status),
            message: self.message.or(other.message),
            number: self.number.or(other.number),
        }
    }

    fn from_json(body: &'a [u8]) -> Option<Self> {
        let fields: HashMap<Cow<'a, str>, &'a RawValue> = serde_json::from_slice(body).ok()?;
        let named = ParameterName::ALL.into_iter().filter_map(|(text, name)| {
            let raw = fields.get(text)?.get();
            Some((name, from_raw(name, raw)))
        });
        Self::collect(named)
    }

    fn from_pairs(pairs: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Option<Self> {
        Self::collect(
            pairs.filter_map(|(name, text)| Some((ParameterName::of(&name)?, GivenValue::Text(text)))),
        )
    }

    /// `None` if there is none of ours.
    fn collect(named: impl Iterator<Item = (ParameterName, GivenValue<'a>)>) -> Option<Self> {
        let mut parameters = Self::default();
        let mut ping = None;
        let mut any = false;
        for (name, given) in named {
            any = true;
            let place = match name {
                ParameterName::Status => &mut parameters.status,
                ParameterName::Message => &mut parameters.message,
                ParameterName::Value => &mut parameters.number,
                ParameterName::Ping => &mut ping,
            };
            if place.is_none() && !given.is_empty() {
                *place = Some(given);
            }
        }
        parameters.number = parameters.number.or(ping);
        any.then_some(parameters)
    }
}

fn from_raw(name: ParameterName, raw: &str) -> GivenValue<'_> {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw)
            .or_else(|_| serde_json::from_str(&without_half_characters(raw)))
            .map_or(GivenValue::Unfit(name.unfit()), |text: String| GivenValue::Text(Cow::Owned(text))),
        Some(b'-' | b'0'..=b'9') => GivenValue::Text(Cow::Borrowed(raw)),
        // `null` counts as not given.
        Some(b'n') => GivenValue::Text(Cow::Borrowed("")),
        Some(_) | None => GivenValue::Unfit(name.unfit()),
    }
}

/// A JSON text in which no escape stands for half of a surrogate pair. Clients that cut a text by its UTF-16
/// units send such halves, and a heartbeat is not refused for its message.
fn without_half_characters(raw: &str) -> String {
    let unit = |at: usize| {
        let digits = raw.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut whole = String::with_capacity(raw.len());
    let mut at = 0;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                whole.push(char::REPLACEMENT_CHARACTER);
                at += 6;
                continue;
            }
            (Some(_), _) => 6,
            // An escaped backslash is not the beginning of what follows.
            (None, _) if rest.starts_with('\\') => 2,
            (None, _) => rest.chars().next().map_or(1, char::len_utf8),
        };
        whole.push_str(raw.get(at..at + length).unwrap_or(rest));
        at += length;
    }
    whole
}

/// Whether the body begins with what could be a parameter's name. Lines of a log may hold `&value=`
/// somewhere, in a URL for example, and are output all the same.
fn begins_like_a_form(body: &[u8]) -> bool {
    let first = body.split(|byte| *byte == b'&').find(|pair| !pair.is_empty()).unwrap_or_default();
    let name = first.split(|byte| *byte == b'=').next().unwrap_or_default();
    let in_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%' | b'[' | b']');
    name.len() < first.len() && !name.is_empty() && name.iter().all(in_name)
}
