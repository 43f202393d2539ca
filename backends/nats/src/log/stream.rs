//! The stream of a partition: its settings, which one it is, how far it reaches.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RawMessage, RetentionPolicy, StorageType};
use serde::Deserialize;

use crate::connection::{Nats, event_time};
use crate::request::RequestError;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use ports::heartbeat_log::{LogError, LogExtent};

/// The server's window for duplicates, as short as it may be: frames carry no message ids.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(1);
/// Metadata key of heartbeat streams: a random word, made with the stream.
pub(crate) const INCARNATION: &str = "lubdub-incarnation";

/// The settings of a partition's stream.
pub(crate) fn stream_config(nats: &Nats, partition: PartitionId, max_bytes: i64) -> Config {
    let options = &nats.options;
    Config {
        name: nats.names.heartbeats_stream(partition),
        description: Some(format!("Lubdub: heartbeat log, partition {partition}")),
        subjects: vec![nats.names.heartbeats_subject(partition)],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        storage: StorageType::File,
        max_age: options.retention,
        max_bytes,
        num_replicas: options.replicas.max(1),
        duplicate_window: DUPLICATE_WINDOW.min(options.retention),
        deny_delete: true,
        ..Config::default()
    }
}

/// Which stream this is: its random word, and when it was made.
pub(crate) fn incarnation(stream: &Info) -> String {
    let given = stream.config.metadata.get(INCARNATION).map_or("", String::as_str);
    format!("{given}@{}", stream.created.unix_timestamp_nanos())
}

pub(crate) fn log_error(error: RequestError) -> LogError {
    let full = match error.refusal() {
        Some(
            ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
        ) => true,
        Some(ErrorCode::STREAM_STORE_FAILED) => {
            let said = error.to_string();
            said.contains("maximum") || said.contains("no space") || said.contains("resource")
        }
        Some(_) | None => false,
    };
    if full { LogError::Full(error.into()) } else { LogError::Unavailable(error.into()) }
}

pub(crate) fn extent(info: &Info) -> LogExtent {
    let last = Offset(info.state.last_sequence);
    let first = if info.state.messages == 0 { last.next() } else { Offset(info.state.first_sequence) };
    LogExtent { incarnation: incarnation(info), first, last }
}

/// The stream as it is now.
pub(crate) async fn look(nats: &Nats, partition: PartitionId) -> Result<LogExtent, RequestError> {
    let stream = nats.names.heartbeats_stream(partition);
    match nats.stream_info(&stream).await? {
        Some(info) => Ok(extent(&info)),
        None => Err(RequestError::Unusable(format!("the stream {stream} is gone").into())),
    }
}

/// When an entry was stored.
pub(crate) async fn stored_at(
    nats: &Nats,
    partition: PartitionId,
    offset: Offset,
) -> Result<Option<EventTime>, RequestError> {
    #[derive(Deserialize)]
    struct Got {
        message: RawMessage,
    }
    let what = format!("STREAM.MSG.GET.{}", nats.names.heartbeats_stream(partition));
    match nats.api::<Got>(&what, &serde_json::json!({ "seq": offset.0 })).await {
        Ok(got) => Ok(Some(event_time(got.message.time))),
        Err(error) if error.refusal() == Some(ErrorCode::NO_MESSAGE_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a reader that stands at `position` finds the next entry.
pub(crate) fn check_position(extent: &LogExtent, position: Offset) -> Result<(), LogError> {
    if extent.last < position {
        return Err(LogError::Ahead { last: extent.last });
    }
    if extent.first > position.next() {
        return Err(LogError::Expired { first: extent.first });
    }
    Ok(())
}
