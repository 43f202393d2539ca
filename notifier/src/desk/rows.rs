//! Pure. The rows of a desk in the ledger: its head under the nil id, and a row for each monitor under the
//! monitor's id.

use bytes::Bytes;
use model::ids::MonitorId;
use model::wire::{self, Message, WireError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::state::chat::{ChatEntry, ChatHead};
use super::state::pager::{PagerEntry, PagerHead};

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Row {
    ChatHead(Box<ChatHead>),
    Chat(Box<ChatEntry>),
    PagerHead(Box<PagerHead>),
    Pager(Box<PagerEntry>),
}

impl Message for Row {
    const NAME: &'static str = "row of the ledger";
    const VERSION: u8 = 5;
    const NAMED: bool = false;
}

/// The key of the head.
pub(super) const HEAD: Uuid = Uuid::nil();

/// A change as the ledger takes it.
pub(super) fn change((key, row): (Uuid, Option<Row>)) -> (Uuid, Option<Bytes>) {
    (key, row.map(|row| wire::encode(&row)))
}

/// Reads a row.
pub(super) fn read(key: Uuid, bytes: &[u8]) -> Result<(MonitorId, Row), WireError> {
    Ok((MonitorId::from_uuid(key), wire::decode(bytes)?))
}
