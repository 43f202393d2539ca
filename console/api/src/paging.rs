//! Pages of lists: a limit, and a cursor that says where the page before ended.

use api::limits::{DEFAULT_PAGE, MAX_PAGE};
pub(crate) use api::page::Page;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::problem::Problem;
use crate::request::Query;

/// The page that a request asks for.
pub(crate) struct Paging {
    /// Entries on the page, 1 to [`MAX_PAGE`].
    pub(crate) limit: usize,
    cursor: Option<String>,
}

/// Where a page ended. Each list takes only its own kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// At a record with this id.
    Id(Uuid),
    /// At an entry of this time, microseconds.
    Time(i64),
    /// At an entry of this time with this id.
    TimeAndId(i64, Uuid),
}

impl Cursor {
    pub(crate) fn encode(self) -> String {
        let mut bytes = Vec::with_capacity(25);
        match self {
            Self::Id(id) => {
                bytes.push(b'i');
                bytes.extend_from_slice(id.as_bytes());
            }
            Self::Time(at) => {
                bytes.push(b't');
                bytes.extend_from_slice(&at.to_be_bytes());
            }
            Self::TimeAndId(at, id) => {
                bytes.push(b'b');
                bytes.extend_from_slice(&at.to_be_bytes());
                bytes.extend_from_slice(id.as_bytes());
            }
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (kind, rest) = bytes.split_first()?;
        match kind {
            b'i' => Some(Self::Id(Uuid::from_slice(rest).ok()?)),
            b't' => Some(Self::Time(i64::from_be_bytes(rest.try_into().ok()?))),
            b'b' => {
                let (at, id) = rest.split_at_checked(8)?;
                let at = i64::from_be_bytes(at.try_into().ok()?);
                Some(Self::TimeAndId(at, Uuid::from_slice(id).ok()?))
            }
            _ => None,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(query) = Query::from_request_parts(parts, state).await;
        let limit = query.whole_number("limit", 1..=MAX_PAGE)?;
        let cursor = query.get("cursor").map(str::to_owned);
        Ok(Self { limit: limit.unwrap_or(DEFAULT_PAGE), cursor })
    }
}

impl Paging {
    fn cursor<T>(&self, read: impl FnOnce(Cursor) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some(text) = &self.cursor else { return Ok(None) };
        let position = Cursor::decode(text).and_then(read);
        position
            .map(Some)
            .ok_or_else(|| Problem::bad_parameter("cursor", "must be a next_cursor of this list"))
    }

    /// The id after which the page begins.
    pub(crate) fn after_id(&self) -> Result<Option<Uuid>, Problem> {
        self.cursor(|cursor| match cursor {
            Cursor::Id(id) => Some(id),
            Cursor::Time(_) | Cursor::TimeAndId(..) => None,
        })
    }

    /// The time before which the page begins, microseconds.
    pub(crate) fn before_time(&self) -> Result<Option<i64>, Problem> {
        self.cursor(|cursor| match cursor {
            Cursor::Time(at) => Some(at),
            Cursor::Id(_) | Cursor::TimeAndId(..) => None,
        })
    }

    /// The time and id before which the page begins.
    pub(crate) fn before_time_and_id(&self) -> Result<Option<(i64, Uuid)>, Problem> {
        self.cursor(|cursor| match cursor {
            Cursor::TimeAndId(at, id) => Some((at, id)),
            Cursor::Id(_) | Cursor::Time(_) => None,
        })
    }

    /// A page of `found`, which holds one entry more than the limit if there is a next page.
    pub(crate) fn page<T>(&self, mut found: Vec<T>, position: impl FnOnce(&T) -> Cursor) -> Page<T> {
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let last = if more { found.last() } else { None };
        let next_cursor = last.map(|last| position(last).encode());
        Page { items: found, next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nonsense_does_not() {
        let id = Uuid::from_u128(77);
        for cursor in [Cursor::Id(id), Cursor::Time(-5), Cursor::TimeAndId(i64::MAX, id)] {
            assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }
        for nonsense in ["", "aQ", "!", "dAAAAAAAAAAAAA", "e30"] {
            assert_eq!(Cursor::decode(nonsense), None, "{nonsense}");
        }
    }
}
