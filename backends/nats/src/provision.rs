//! Makes the streams of an installation once, for `lubdub init` alone, and recognises them later.
//!
//! The stream of partition 0 is made first, and says how many partitions there are. If several nodes start at
//! once, one of them makes it and the others find it.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{Config, Info};
use uuid::Uuid;

use super::connection::Nats;
use super::error::NatsError;
use super::ground::{MarkNames, Marks};
use super::log::stream::{self as log_stream, INCARNATION};
use super::request::RequestError;
use super::{checkpoints, queue, registry};
use model::ids::PartitionId;
use ports::queue::QueueName;
use ports::registry::RecordKind;

/// Number of partitions of a new installation.
const PARTITIONS: u16 = 4;
/// Metadata key: the version that made a stream, which also marks the stream as Lubdub's.
const VERSION: &str = "lubdub-version";
/// Metadata key of heartbeat streams: the number of partitions.
const PARTITION_COUNT: &str = "lubdub-partitions";
/// Metadata key of the first heartbeat stream: the identity of the installation, made with the stream and
/// kept in its back-ups.
const INSTALLATION: &str = "lubdub-installation";
/// Metadata key of the first heartbeat stream: most bytes of each heartbeat stream.
const LOG_BYTES: &str = "lubdub-log-bytes";
/// Bounds of a partition's log in a new installation, bytes.
const MOST_LOG_BYTES: i64 = 16 << 30;
const LEAST_LOG_BYTES: i64 = 128 << 20;
/// Free room that a new installation needs besides the log, bytes: a log that fills the server leaves none
/// for the queues.
const SPARE_BYTES: i64 = 64 << 20;
/// How long to wait for a server or cluster that is just starting, and the pause between requests.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);
/// How long to wait for free room: the servers of a cluster tell each other only now and then how much they
/// have.
const ROOM_PATIENCE: Duration = Duration::from_secs(25);

/// The result of provisioning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provisioned {
    /// Number of partitions of the heartbeat log.
    pub partitions: u16,
    /// The identity of the installation.
    pub installation: String,
    /// Streams that were made.
    pub made: Vec<String>,
    /// Streams whose settings were changed.
    pub changed: Vec<String>,
}

/// An installation that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) partitions: u16,
    pub(super) installation: String,
}

/// What there is of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// The identity of the installation.
    pub installation: String,
    /// Streams of the heartbeat log and of the registry that are missing.
    pub missing: Vec<String>,
}

/// The identity of the installation on the server; `None`: there is none.
pub(super) async fn installation(nats: &Nats) -> Result<Option<String>, NatsError> {
    let first = look(nats, &nats.names.heartbeats_stream(PartitionId(0))).await?;
    first.map(|first| installation_of(&first)).transpose()
}

/// What there is of the installation on the server; `None`: there is none.
pub(super) async fn remains(nats: &Nats) -> Result<Option<Remains>, NatsError> {
    let Some(first) = look(nats, &nats.names.heartbeats_stream(PartitionId(0))).await? else {
        return Ok(None);
    };
    let partitions = partitions_of(nats, &first, None)?;
    let log = (1..partitions).map(|partition| nats.names.heartbeats_stream(PartitionId(partition)));
    let registry = RecordKind::ALL.map(|kind| nats.names.registry_stream(kind));
    let mut missing = Vec::new();
    for name in log.chain(registry) {
        if look(nats, &name).await?.is_none() {
            missing.push(name);
        }
    }
    Ok(Some(Remains { installation: installation_of(&first)?, missing }))
}

async fn look(nats: &Nats, name: &str) -> Result<Option<Info>, NatsError> {
    let what = format!("stream {name}");
    patiently(nats, &what, async || nats.stream_info(name).await).await
}

fn installation_of(first: &Info) -> Result<String, NatsError> {
    let stream = &first.config.name;
    match first.config.metadata.get(INSTALLATION) {
        Some(installation) => Ok(installation.clone()),
        None if first.config.metadata.contains_key(VERSION) => {
            Err(NatsError::Nameless { stream: stream.clone() })
        }
        None => Err(not_ours(stream)),
    }
}

/// Finds the streams of an installation as they are. A node makes none: what it
/// stands on may be another server than its installation's, or an empty one.
pub(super) async fn find(nats: &Nats) -> Result<Found, NatsError> {
    let connection = nats.connections();
    let name = nats.names.heartbeats_stream(PartitionId(0));
    let first =
        look(nats, &name).await?.ok_or_else(|| NatsError::Missing { what: format!("stream {name}") })?;
    let partitions = partitions_of(nats, &first, nats.options.partitions)?;
    let installation = installation_of(&first)?;
    let incarnation = |stream: &Info| stream.config.metadata.get(INCARNATION).cloned();
    let mut streams = HashMap::from([(first.config.name.clone(), incarnation(&first))]);
    for partition in (1..partitions).map(PartitionId) {
        let stream = found(nats, &nats.names.heartbeats_stream(partition), &installation).await?;
        partitions_of(nats, &stream, Some(partitions))?;
        streams.insert(stream.config.name.clone(), incarnation(&stream));
    }
    for config in others(nats) {
        found(nats, &config.name, &installation).await?;
    }
    let names = MarkNames { installation: INSTALLATION, incarnation: INCARNATION };
    nats.ground.set(names, Marks { installation: installation.clone(), streams }, connection);
    Ok(Found { partitions, installation })
}

async fn found(nats: &Nats, name: &str, installation: &str) -> Result<Info, NatsError> {
    let lost = || NatsError::Lost { what: format!("stream {name}"), installation: installation.to_owned() };
    let found = look(nats, name).await?.ok_or_else(lost)?;
    if found.config.metadata.contains_key(VERSION) { Ok(found) } else { Err(not_ours(name)) }
}

/// The streams besides those of the log.
fn others(nats: &Nats) -> Vec<Config> {
    // On the heap: the settings of a stream are large, and every caller's future would hold them.
    let mut others = vec![checkpoints::stream_config(nats), queue::shares_config(nats)];
    others.extend(RecordKind::ALL.map(|kind| registry::stream_config(nats, kind)));
    others.extend([QueueName::Alerts, QueueName::Deliveries].map(|name| queue::stream_config(nats, name)));
    others
}

/// The number of partitions by a heartbeat stream. It must be `wanted`, if that is given.
fn partitions_of(nats: &Nats, stream: &Info, wanted: Option<u16>) -> Result<u16, NatsError> {
    let found = partition_count(stream).ok_or_else(|| not_ours(&stream.config.name))?;
    match wanted.map(|count| count.max(1)).filter(|wanted| *wanted != found) {
        Some(wanted) => Err(NatsError::Partitions { prefix: nats.options.prefix.clone(), found, wanted }),
        None => Ok(found),
    }
}

/// Makes missing streams, and gives those that are there the settings of the options.
pub(super) async fn provision(nats: &Nats) -> Result<Provisioned, NatsError> {
    let wanted = nats.options.partitions;
    let mut work = Provisioning { nats, done: Provisioned::default() };
    let (truth, log_bytes) = work.ensure_first(wanted.map_or(PARTITIONS, |count| count.max(1))).await?;
    let partitions = partitions_of(nats, &truth, wanted)?;
    for partition in (1..partitions).map(PartitionId) {
        let mut config = log_stream::stream_config(nats, partition, log_bytes);
        config.metadata.insert(PARTITION_COUNT.to_owned(), partitions.to_string());
        config.metadata.insert(INCARNATION.to_owned(), Uuid::new_v4().to_string());
        let stream = work.ensure_next(config).await?;
        // A stream left over from an installation whose first partition is gone.
        partitions_of(nats, &stream, Some(partitions))?;
    }
    for config in others(nats) {
        work.ensure(config).await?;
    }
    work.done.partitions = partitions;
    work.done.installation = installation_of(&truth)?;
    Ok(work.done)
}

/// The number of partitions that a heartbeat stream was made with.
fn partition_count(stream: &Info) -> Option<u16> {
    stream.config.metadata.get(PARTITION_COUNT)?.parse().ok().filter(|count| *count > 0)
}

/// Most bytes of each partition's log in this installation.
fn log_bytes(first: &Info) -> i64 {
    let said = first.config.metadata.get(LOG_BYTES).and_then(|bytes| bytes.parse().ok());
    said.unwrap_or(first.config.max_bytes)
}

/// Size of the first stream while it reserves the room of all.
fn room_of_all(bytes: i64, partitions: u16) -> i64 {
    bytes.saturating_mul(partitions.into()).saturating_add(SPARE_BYTES)
}

fn not_ours(stream: &str) -> NatsError {
    NatsError::NotOurs { stream: stream.to_owned() }
}

struct Provisioning<'a> {
    nats: &'a Nats,
    done: Provisioned,
}

impl Provisioning<'_> {
    /// Makes or finds the stream of partition 0; answers it with the size of every partition's log.
    ///
    /// The server reserves a log's bytes when its stream is made. If the options give no size, the largest is
    /// taken that fits for all partitions: the first stream is made with the room of all of them, and then
    /// cut.
    async fn ensure_first(&mut self, partitions: u16) -> Result<(Info, i64), NatsError> {
        let config = |bytes: i64, reserved: i64| {
            let mut config = log_stream::stream_config(self.nats, PartitionId(0), reserved);
            config.metadata.insert(PARTITION_COUNT.to_owned(), partitions.to_string());
            config.metadata.insert(INCARNATION.to_owned(), Uuid::new_v4().to_string());
            config.metadata.insert(INSTALLATION.to_owned(), Uuid::new_v4().to_string());
            config.metadata.insert(LOG_BYTES.to_owned(), bytes.to_string());
            config
        };
        if let Some(bytes) = self.nats.options.log_bytes {
            let config = config(bytes, bytes);
            return Ok((self.ensure(config).await?, bytes));
        }
        let name = self.nats.names.heartbeats_stream(PartitionId(0));
        if let Some(known) = look(self.nats, &name).await? {
            return self.ensure_known(log_bytes(&known), config).await;
        }
        let mut bytes = MOST_LOG_BYTES;
        loop {
            let first = match self.find_or_make(config(bytes, room_of_all(bytes, partitions))).await {
                Err(NatsError::NoRoom { .. }) if bytes > LEAST_LOG_BYTES => {
                    bytes /= 2;
                    continue;
                }
                first => first?,
            };
            let made = match first {
                Ensured::Made(made) => made,
                // By another `init` in between, which had more room.
                Ensured::Found(known) => return self.ensure_known(log_bytes(&known), config).await,
            };
            self.done.made.push(name);
            tracing::info!(
                mebibytes = bytes >> 20,
                partitions,
                "the heartbeat log may take this much for each partition"
            );
            return Ok((self.cut(made).await?, bytes));
        }
    }

    /// Gives the stream of partition 0, which is there, the settings of the options, and keeps its size.
    async fn ensure_known(
        &mut self,
        bytes: i64,
        config: impl Fn(i64, i64) -> Config,
    ) -> Result<(Info, i64), NatsError> {
        let known = self.ensure(config(bytes, bytes)).await?;
        Ok((self.cut(known).await?, bytes))
    }

    /// Makes or finds the stream of a later partition. The first stream reserved its room; a cluster takes
    /// some seconds to see that the room is free.
    async fn ensure_next(&mut self, wanted: Config) -> Result<Info, NatsError> {
        let began = tokio::time::Instant::now();
        let patience = if self.nats.options.log_bytes.is_none() { ROOM_PATIENCE } else { Duration::ZERO };
        loop {
            match self.ensure(wanted.clone()).await {
                Err(NatsError::NoRoom { .. }) if began.elapsed() < patience => {
                    tokio::time::sleep(PAUSE).await
                }
                done => return done,
            }
        }
    }

    /// Cuts the stream of partition 0 to its own size if it still reserves the room of all. The `init` that
    /// finds it so cuts it: the `init` that made it may have died in between, and the other streams need the
    /// room.
    async fn cut(&self, first: Info) -> Result<Info, NatsError> {
        let bytes = log_bytes(&first);
        if first.config.max_bytes != room_of_all(bytes, partition_count(&first).unwrap_or(1)) {
            return Ok(first);
        }
        let what = format!("stream {}", first.config.name);
        let cut = Config { max_bytes: bytes, ..first.config.clone() };
        patiently(self.nats, &what, async || self.nats.update_stream(&cut).await).await
    }

    /// Makes or finds a stream.
    async fn find_or_make(&self, mut wanted: Config) -> Result<Ensured, NatsError> {
        let what = format!("stream {}", wanted.name);
        wanted.metadata.insert(VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        let nats = self.nats;
        let found = patiently(nats, &what, async || {
            if let Some(found) = nats.stream_info(&wanted.name).await? {
                return Ok(Ensured::Found(found));
            }
            // The server checks for room first, and only then whether the stream exists.
            let refused = match nats.create_stream(&wanted).await {
                Ok(Some(made)) => return Ok(Ensured::Made(made)),
                Ok(None) => RequestError::NoResponder,
                Err(error) if error.lacks_room() => error,
                Err(error) => return Err(error),
            };
            // Another node may have made it in between.
            nats.stream_info(&wanted.name).await?.map(Ensured::Found).ok_or(refused)
        });
        let found = found.await?;
        match &found {
            Ensured::Found(found) if !found.config.metadata.contains_key(VERSION) => {
                Err(not_ours(&wanted.name))
            }
            Ensured::Found(_) | Ensured::Made(_) => Ok(found),
        }
    }

    /// Makes, finds or changes a stream; answers it as it is afterwards.
    async fn ensure(&mut self, wanted: Config) -> Result<Info, NatsError> {
        let name = wanted.name.clone();
        let found = match self.find_or_make(wanted.clone()).await? {
            Ensured::Made(made) => {
                self.done.made.push(name);
                return Ok(made);
            }
            Ensured::Found(found) => found,
        };
        let changed = with_settings(&found.config, &wanted);
        if changed == found.config {
            return Ok(found);
        }
        let what = format!("stream {name}");
        let updated = patiently(self.nats, &what, async || self.nats.update_stream(&changed).await).await?;
        self.done.changed.push(name);
        Ok(updated)
    }
}

enum Ensured {
    Made(Info),
    Found(Info),
}

/// The metadata of `found`, with the size of the log in `wanted`.
fn with_log_bytes(found: &Config, wanted: &Config) -> HashMap<String, String> {
    let bytes = wanted.metadata.get(LOG_BYTES).map(|bytes| (LOG_BYTES.to_owned(), bytes.clone()));
    found.metadata.clone().into_iter().chain(bytes).collect()
}

/// `found` with those settings of `wanted` that may change. The kinds of storage and retention, and the
/// metadata, stay.
fn with_settings(found: &Config, wanted: &Config) -> Config {
    // The server shows a missing limit as -1.
    let limit = |wanted: i64| if wanted <= 0 { -1 } else { wanted };
    Config {
        subjects: wanted.subjects.clone(),
        num_replicas: wanted.num_replicas.max(1),
        max_age: wanted.max_age,
        metadata: with_log_bytes(found, wanted),
        max_bytes: limit(wanted.max_bytes),
        max_messages: limit(wanted.max_messages),
        max_messages_per_subject: limit(wanted.max_messages_per_subject),
        discard: wanted.discard,
        discard_new_per_subject: wanted.discard_new_per_subject,
        allow_direct: wanted.allow_direct,
        allow_rollup: wanted.allow_rollup,
        ..found.clone()
    }
}

/// Asks again for a while if the server is not ready.
async fn patiently<T>(
    nats: &Nats,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, RequestError>,
) -> Result<T, NatsError> {
    let began = tokio::time::Instant::now();
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if !error.is_transient() || !may_come(nats, &error) || began.elapsed() >= PATIENCE {
            return Err(failed(nats, what, error));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether JetStream may still come: a single server without JetStream will have none in ten seconds either.
fn may_come(nats: &Nats, error: &RequestError) -> bool {
    let server = nats.client.server_info();
    !matches!(error, RequestError::NoResponder) || server.jetstream || server.cluster.is_some()
}

fn failed(nats: &Nats, what: &str, error: RequestError) -> NatsError {
    let refusal = error.refusal();
    let off = [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT];
    if !may_come(nats, &error) || refusal.is_some_and(|code| off.contains(&code)) {
        return NatsError::NoJetStream(error.into());
    }
    if refusal == Some(ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED) {
        return NatsError::Replicas { what: what.to_owned(), source: error.into() };
    }
    if error.lacks_room() {
        return NatsError::NoRoom { what: what.to_owned(), source: error.into() };
    }
    NatsError::SetUp { what: what.to_owned(), source: error.into() }
}
