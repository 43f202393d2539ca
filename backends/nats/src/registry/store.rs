//! Reading and writing one record.

use std::sync::Arc;
use std::time::Duration;

use async_nats::client::Request;
use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_TTL};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{Info, RawMessageErrorKind, Stream};
use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;

use super::incarnation::Incarnation;
use super::keys::Keys;
use crate::connection::Nats;
use crate::request::RequestError;
use crate::timeouts::REQUEST_TIMEOUT;
use model::ids::Revision;
use ports::BackendError;
use ports::registry::{Expected, Record, RecordKey, RecordKind, RegistryError};

/// Header with a message's operation on its key, as in every NATS key-value bucket.
const OPERATION: &str = "KV-Operation";
const DELETE: &str = "DEL";
/// Operations that delete a record. Other tools write the second one.
const GONE: [&str; 2] = [DELETE, "PURGE"];
/// Header of the marker that the server writes when a record expires.
const SERVER_MARKER: &str = "Nats-Marker-Reason";
/// How long a deletion marker is kept.
const MARKER_TTL: &str = "24h";
/// Pause before a failed request is repeated.
const PAUSE: Duration = Duration::from_millis(50);
/// Most reads under way at the same time.
const AT_ONCE: usize = 32;

/// Whether a message is a deletion marker.
pub(super) fn is_marker(headers: Option<&HeaderMap>) -> bool {
    let Some(headers) = headers else { return false };
    let gone = |operation: &HeaderValue| GONE.contains(&operation.as_str());
    headers.get(OPERATION).is_some_and(gone) || headers.get(SERVER_MARKER).is_some()
}

/// The newest message of a subject.
#[derive(Debug)]
pub(super) enum Newest {
    Nothing,
    /// A deletion marker of this number.
    Marker(u64),
    Value(u64, Bytes),
}

impl Newest {
    const fn sequence(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Marker(sequence) | Self::Value(sequence, _) => *sequence,
        }
    }
}

/// A message to write.
#[derive(Debug, Clone)]
enum Entry {
    Value(Bytes),
    Marker,
}

/// Reads and writes single records, all through the stream's leader.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) nats: Nats,
    pub(super) keys: Keys,
    pub(super) kind: RecordKind,
    pub(super) stream: Stream<()>,
    pub(super) stream_name: String,
    /// Known from the first [`Store::info`] on.
    pub(super) incarnation: Arc<Incarnation>,
}

impl Store {
    /// Asks for the stream, and notes which one it is.
    pub(super) async fn info(&self) -> Result<Info, BackendError> {
        let info = self.nats.stream_info(&self.stream_name).await?;
        let info = info.ok_or("the stream of the registry is gone")?;
        self.incarnation.note(&info);
        Ok(info)
    }

    /// The incarnation, asked for if it is not known.
    async fn known_incarnation(&self) -> Result<&Incarnation, BackendError> {
        if !self.incarnation.is_known() {
            self.info().await?;
        }
        Ok(&self.incarnation)
    }

    pub(super) async fn newest(&self, subject: &str) -> Result<Newest, BackendError> {
        let began = Instant::now();
        loop {
            self.nats.connected().await?;
            let error = match self.stream.get_last_raw_message_by_subject(subject).await {
                Ok(found) if is_marker(Some(&found.headers)) => return Ok(Newest::Marker(found.sequence)),
                Ok(found) => return Ok(Newest::Value(found.sequence, found.payload)),
                Err(error) => error,
            };
            if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) {
                return Ok(Newest::Nothing);
            }
            if began.elapsed() >= REQUEST_TIMEOUT {
                return Err(error.into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) async fn get(&self, key: &RecordKey) -> Result<Option<Record>, BackendError> {
        let Some(subject) = self.keys.subject(key) else { return Ok(None) };
        let incarnation = self.known_incarnation().await?;
        Ok(match self.newest(&subject).await? {
            Newest::Nothing | Newest::Marker(_) => None,
            Newest::Value(sequence, value) => {
                Some(Record { key: key.clone(), revision: incarnation.revision(sequence), value })
            }
        })
    }

    /// Records in the order of their keys, without deleted ones.
    pub(super) async fn get_many(&self, keys: Vec<RecordKey>) -> Result<Vec<Record>, BackendError> {
        let found = stream::iter(keys).map(|key| async move { self.get(&key).await });
        found.buffered(AT_ONCE).try_filter_map(async |record| Ok(record)).try_collect().await
    }

    /// The newest messages of these keys, in their order.
    pub(super) async fn newest_many(&self, keys: Vec<RecordKey>) -> Result<Vec<Newest>, BackendError> {
        let newest = |key| async move {
            match self.keys.subject(&key) {
                Some(subject) => self.newest(&subject).await,
                None => Ok(Newest::Nothing),
            }
        };
        stream::iter(keys).map(newest).buffered(AT_ONCE).try_collect().await
    }

    pub(super) async fn put(
        &self,
        key: &RecordKey,
        expected: Expected,
        value: Bytes,
    ) -> Result<Revision, RegistryError> {
        let Some(subject) = self.keys.subject(key) else {
            return Err(RegistryError::Unavailable(format!("no record can be called {:?}", key.id).into()));
        };
        let entry = Entry::Value(value);
        let incarnation = self.known_incarnation().await.map_err(RegistryError::Unavailable)?;
        let sequence = match expected {
            Expected::At(revision) => {
                let sequence = incarnation.sequence(revision).ok_or(RegistryError::Conflict)?;
                self.write(&subject, sequence, &entry).await?
            }
            Expected::Absent => match self.write(&subject, 0, &entry).await {
                Ok(sequence) => sequence,
                Err(RegistryError::Conflict) => self.replace_marker(&subject, &entry).await?,
                Err(error) => return Err(error),
            },
        };
        Ok(incarnation.revision(sequence))
    }

    /// Overwrites the newest message if it is a deletion marker.
    async fn replace_marker(&self, subject: &str, entry: &Entry) -> Result<u64, RegistryError> {
        match self.newest(subject).await.map_err(RegistryError::Unavailable)? {
            // The marker expired in between.
            Newest::Nothing => self.write(subject, 0, entry).await,
            Newest::Marker(sequence) => self.write(subject, sequence, entry).await,
            Newest::Value(..) => Err(RegistryError::Conflict),
        }
    }

    pub(super) async fn delete(&self, key: &RecordKey, expected: Revision) -> Result<(), RegistryError> {
        let incarnation = self.known_incarnation().await.map_err(RegistryError::Unavailable)?;
        let (Some(subject), Some(sequence)) = (self.keys.subject(key), incarnation.sequence(expected)) else {
            return Err(RegistryError::Conflict);
        };
        self.write(&subject, sequence, &Entry::Marker).await?;
        Ok(())
    }

    /// Writes `entry` if the newest message of the subject has the number `expected` (0 = there is none);
    /// answers its number.
    async fn write(&self, subject: &str, expected: u64, entry: &Entry) -> Result<u64, RegistryError> {
        let began = Instant::now();
        loop {
            let mut headers = HeaderMap::new();
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
            let payload = match entry {
                Entry::Value(value) => value.clone(),
                Entry::Marker => {
                    headers.insert(OPERATION, DELETE);
                    headers.insert(NATS_MESSAGE_TTL, MARKER_TTL);
                    Bytes::new()
                }
            };
            let request = Request::new().payload(payload).headers(headers).timeout(Some(REQUEST_TIMEOUT));
            // The request was not sent, so its outcome need not be checked.
            self.nats.connected().await.map_err(RegistryError::Unavailable)?;
            let error = match self.nats.send::<PublishAck>(subject.to_owned(), request).await {
                Ok(ack) => return Ok(ack.sequence),
                Err(error) => error,
            };
            match &error {
                // The stream has no leader; nothing was written.
                RequestError::NoResponder if began.elapsed() < REQUEST_TIMEOUT => {
                    tokio::time::sleep(PAUSE).await;
                }
                RequestError::NoResponder | RequestError::Forbidden { .. } => {
                    return Err(RegistryError::Unavailable(error.into()));
                }
                RequestError::Refused(_) if is_wrong_sequence(&error) => return Err(RegistryError::Conflict),
                RequestError::Refused(_) | RequestError::Silent(_) | RequestError::Unusable(_) => {
                    return self.outcome(subject, expected, entry, error.into()).await;
                }
            }
        }
    }

    /// The outcome of an unacknowledged write, from what is stored now.
    async fn outcome(
        &self,
        subject: &str,
        expected: u64,
        entry: &Entry,
        error: BackendError,
    ) -> Result<u64, RegistryError> {
        let found = self.newest(subject).await.map_err(RegistryError::Unavailable)?;
        if found.sequence() <= expected {
            return Err(RegistryError::Unavailable(error));
        }
        let ours = match (entry, &found) {
            (Entry::Value(written), Newest::Value(_, value)) => written == value,
            (Entry::Marker, Newest::Marker(_)) => true,
            (Entry::Value(_) | Entry::Marker, Newest::Nothing | Newest::Marker(_) | Newest::Value(..)) => {
                false
            }
        };
        if ours { Ok(found.sequence()) } else { Err(RegistryError::Conflict) }
    }
}

fn is_wrong_sequence(error: &RequestError) -> bool {
    let wrong = [ErrorCode::STREAM_WRONG_LAST_SEQUENCE, ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT];
    error.refusal().is_some_and(|code| wrong.contains(&code))
}
