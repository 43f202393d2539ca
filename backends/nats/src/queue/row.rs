//! The row of a message on the server: the last message on the subject of its id.

use std::fmt::Display;
use std::str::FromStr;

use async_nats::HeaderMap;
use uuid::Uuid;

use model::time::EventTime;
use ports::queue::{LaneId, OrderKey};

/// The version of the format.
const VERSION: &str = "1";

const VERSION_HEADER: &str = "Lubdub-V";
const STATUS: &str = "Lubdub-Is";
const LANE: &str = "Lubdub-Lane";
const ORDER_KEY: &str = "Lubdub-Key";
const DUE: &str = "Lubdub-Due";
const PLACE: &str = "Lubdub-Place";
const BY: &str = "Lubdub-By";
const FOLLOWS: &str = "Lubdub-Follows";

const WAITING: &str = "waiting";
const DONE: &str = "done";
const DEAD: &str = "dead";
const WITHDRAWN: &str = "withdrawn";

/// A row without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) status: Status,
    /// The tenure that settled the message, or the revival; `None` if it was enqueued.
    pub(super) by: Option<String>,
    /// The lane, and the version of the ledger that the row follows from, if it follows from one.
    pub(super) follows: Option<(LaneId, u64)>,
}

/// The state of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// The message can be claimed when it is due.
    Waiting {
        lane: LaneId,
        order_key: OrderKey,
        due_at: EventTime,
        /// Its place among the messages of its order key; `None` = the row's sequence.
        place: Option<u64>,
    },
    /// Completed; the row remembers its id.
    Done,
    /// A dead letter.
    Dead { lane: LaneId, order_key: OrderKey },
    /// Taken out: the id may be enqueued anew, in place of this row.
    Withdrawn,
}

/// Why a row cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RowError {
    #[error("it has the format {found:?}, this Lubdub reads {VERSION}")]
    Newer { found: String },
    #[error("its header {name} is missing or wrong")]
    Damaged { name: &'static str },
}

impl Row {
    /// The headers of a row without a message.
    pub(super) fn plain() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(VERSION_HEADER, VERSION);
        headers
    }

    pub(super) fn encode(&self) -> HeaderMap {
        let mut headers = Self::plain();
        let mut address = |lane: &LaneId, order_key: &OrderKey| {
            headers.insert(LANE, lane.as_uuid().simple().to_string());
            headers.insert(ORDER_KEY, order_key.as_uuid().simple().to_string());
        };
        match &self.status {
            Status::Waiting { lane, order_key, due_at, place } => {
                address(lane, order_key);
                headers.insert(STATUS, WAITING);
                headers.insert(DUE, due_at.as_micros().to_string());
                if let Some(place) = place {
                    headers.insert(PLACE, place.to_string());
                }
            }
            Status::Done => headers.insert(STATUS, DONE),
            Status::Withdrawn => headers.insert(STATUS, WITHDRAWN),
            Status::Dead { lane, order_key } => {
                address(lane, order_key);
                headers.insert(STATUS, DEAD);
            }
        }
        if let Some(by) = &self.by {
            headers.insert(BY, by.clone());
        }
        if let Some((lane, version)) = &self.follows {
            headers.insert(LANE, lane.as_uuid().simple().to_string());
            headers.insert(FOLLOWS, version.to_string());
        }
        headers
    }

    pub(super) fn decode(headers: &HeaderMap) -> Result<Self, RowError> {
        let text = |name| headers.get(name).map(|value| value.as_str());
        let version = text(VERSION_HEADER).ok_or(RowError::Damaged { name: VERSION_HEADER })?;
        if version != VERSION {
            return Err(RowError::Newer { found: version.to_owned() });
        }
        let status = match text(STATUS) {
            Some(WAITING) => {
                let place = text(PLACE).map(|_| number(headers, PLACE)).transpose()?;
                let due_at = EventTime::from_micros(number(headers, DUE)?);
                Status::Waiting {
                    lane: id(headers, LANE)?,
                    order_key: id(headers, ORDER_KEY)?,
                    due_at,
                    place,
                }
            }
            Some(DONE) => Status::Done,
            Some(WITHDRAWN) => Status::Withdrawn,
            Some(DEAD) => Status::Dead { lane: id(headers, LANE)?, order_key: id(headers, ORDER_KEY)? },
            Some(_) | None => return Err(RowError::Damaged { name: STATUS }),
        };
        let version = text(FOLLOWS).map(|_| number(headers, FOLLOWS)).transpose()?;
        let follows = version.map(|version| Ok((id(headers, LANE)?, version))).transpose()?;
        Ok(Self { status, by: text(BY).map(str::to_owned), follows })
    }
}

fn number<T: FromStr + Display>(headers: &HeaderMap, name: &'static str) -> Result<T, RowError> {
    let number = headers.get(name).and_then(|value| value.as_str().parse().ok());
    number.ok_or(RowError::Damaged { name })
}

fn id<T: From<Uuid>>(headers: &HeaderMap, name: &'static str) -> Result<T, RowError> {
    let id = headers.get(name).and_then(|value| Uuid::try_parse(value.as_str()).ok());
    id.map(T::from).ok_or(RowError::Damaged { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written() {
        let (lane, order_key) = (Uuid::from_u128(7).into(), Uuid::from_u128(u128::MAX).into());
        let due_at = EventTime::from_micros(-5);
        for status in [
            Status::Waiting { lane, order_key, due_at, place: None },
            Status::Waiting { lane, order_key, due_at, place: Some(u64::MAX) },
            Status::Done,
            Status::Dead { lane, order_key },
            Status::Withdrawn,
        ] {
            for by in [None, Some("n1.4".to_owned())] {
                for follows in [None, Some((lane, u64::MAX))] {
                    let row = Row { status, by: by.clone(), follows };
                    assert_eq!(Row::decode(&row.encode()), Ok(row));
                }
            }
        }
    }

    #[test]
    fn what_version_1_wrote_is_read() {
        let id = "000000000000000000000000000000ff";
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("Lubdub-V", "1"),
            ("Lubdub-Is", "waiting"),
            ("Lubdub-Lane", id),
            ("Lubdub-Key", id),
            ("Lubdub-Due", "1795341600000000"),
            ("Lubdub-Place", "17"),
            ("Lubdub-By", "n-1.3"),
        ] {
            headers.insert(name, value);
        }
        let (lane, order_key) = (Uuid::from_u128(255).into(), Uuid::from_u128(255).into());
        let status =
            Status::Waiting { lane, order_key, due_at: EventTime::from_secs(1_795_341_600), place: Some(17) };
        let row = Row { status, by: Some("n-1.3".to_owned()), follows: None };
        assert_eq!(Row::decode(&headers), Ok(row.clone()));
        assert_eq!(row.encode(), headers);
        headers.insert("Lubdub-Is", "dead");
        assert_eq!(Row::decode(&headers).map(|row| row.status), Ok(Status::Dead { lane, order_key }));
        headers.insert("Lubdub-Is", "done");
        assert_eq!(Row::decode(&headers).map(|row| row.status), Ok(Status::Done));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let mut headers = Row { status: Status::Done, by: None, follows: None }.encode();
        headers.insert(VERSION_HEADER, "2");
        assert_eq!(Row::decode(&headers), Err(RowError::Newer { found: "2".to_owned() }));
        headers.insert(VERSION_HEADER, VERSION);
        headers.insert(STATUS, WAITING);
        assert_eq!(Row::decode(&headers), Err(RowError::Damaged { name: DUE }));
        assert_eq!(Row::decode(&HeaderMap::new()), Err(RowError::Damaged { name: VERSION_HEADER }));
    }
}
