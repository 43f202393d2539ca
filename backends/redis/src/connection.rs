//! Connections to one server, to a cluster, or to the primary that Sentinels name.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use ::redis::cluster::ClusterClientBuilder;
use ::redis::cluster_async::ClusterConnection;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue, InfoDict, Pipeline,
    ProtocolVersion, RedisResult, ScriptInvocation, TlsCertificates,
};
use tokio::time::{Instant, timeout};

use super::address::{self, ServerAddress, WatchedPrimary};
use super::error::{OLDEST, RedisError};
use super::options::RedisOptions;
use super::sentinel::{self, Follower, Lookout};
use super::timeouts::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT};
use ports::BackendError;

/// Longest time that a call takes, with waiting for a connection.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// A call that fails within this time did not wait for an answer.
const AT_ONCE: Duration = Duration::from_millis(50);
/// Pause before a lost connection is tried again; later tries come with the next calls.
const RECONNECT_AFTER: Duration = Duration::from_millis(50);
const RECONNECT_AFTER_MOST: Duration = Duration::from_millis(500);
/// How often the client of a cluster follows a moved node in one call.
const CLUSTER_RETRIES: u32 = 3;

/// The address of Redis.
#[derive(Clone)]
pub(super) struct Server {
    kind: ServerKind,
    certificates: Option<TlsCertificates>,
}

#[derive(Clone)]
enum ServerKind {
    One(Box<ConnectionInfo>),
    Cluster(Vec<ConnectionInfo>),
    Watched(Arc<Lookout>),
}

impl Server {
    /// Reads the options, and asks the first reachable server for its version and settings.
    pub(super) async fn find(options: &RedisOptions) -> Result<Self, RedisError> {
        let place = address::read(options)?;
        let certificates = address::certificates(options).map_err(RedisError::Certificates)?;
        let info = match &place {
            ServerAddress::Nodes(nodes) => ask_nodes(nodes).await.map_err(RedisError::of)?,
            ServerAddress::Watched(watched) => ask_primary(watched).await?,
        };
        Self::judge(&info).map_err(|found| RedisError::Version { found })?;
        let is_cluster = said(&info, "cluster_enabled") == "1";
        let kind = match place {
            ServerAddress::Watched(watched) => ServerKind::Watched(Arc::new(Lookout::new(watched))),
            ServerAddress::Nodes(nodes) => match <[ConnectionInfo; 1]>::try_from(nodes) {
                Ok([node]) if !is_cluster => ServerKind::One(Box::new(node)),
                Ok([node]) => ServerKind::Cluster(vec![node]),
                Err(nodes) => ServerKind::Cluster(nodes),
            },
        };
        Ok(Self { kind, certificates })
    }

    /// Looks at what a server says of itself: the policy by which it throws keys away when its memory is
    /// full, if it does.
    ///
    /// # Errors Its version, if that is too old.
    pub(super) fn judge(info: &InfoDict) -> Result<Option<String>, String> {
        let found = said(info, "redis_version");
        if version(&found).is_none_or(|version| version < OLDEST) {
            return Err(found);
        }
        let policy = said(info, "maxmemory_policy");
        Ok(Some(policy).filter(|policy| !policy.is_empty() && policy != "noeviction"))
    }

    /// Opens a new connection. It reconnects by itself when it is lost; calls under way at that moment fail.
    pub(super) async fn connect(&self) -> Result<Link, RedisError> {
        let connected = match &self.kind {
            ServerKind::One(node) => connect_to(node.as_ref().clone()).await,
            ServerKind::Cluster(nodes) => connect_to_cluster(nodes.clone(), self.certificates.clone()).await,
            ServerKind::Watched(lookout) => Follower::connect(Arc::clone(lookout))
                .await
                .map(|follower| Link::Followed(Arc::new(follower))),
        };
        connected.map_err(RedisError::of)
    }
}

async fn connect_to(node: ConnectionInfo) -> RedisResult<Link> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(1)
        .set_min_delay(RECONNECT_AFTER)
        .set_max_delay(RECONNECT_AFTER_MOST)
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT));
    Ok(Link::One(ConnectionManager::new_with_config(Client::open(node)?, config).await?))
}

async fn connect_to_cluster(
    nodes: Vec<ConnectionInfo>,
    certificates: Option<TlsCertificates>,
) -> RedisResult<Link> {
    let mut builder = ClusterClientBuilder::new(nodes)
        .use_protocol(ProtocolVersion::RESP3)
        .retries(CLUSTER_RETRIES)
        .connection_timeout(CONNECT_TIMEOUT)
        .response_timeout(RESPONSE_TIMEOUT)
        .overall_response_timeout(Some(CALL_TIMEOUT));
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    Ok(Link::Cluster(builder.build()?.get_async_connection().await?))
}

/// The answer of the first reachable node.
async fn ask_nodes(nodes: &[ConnectionInfo]) -> RedisResult<InfoDict> {
    let mut answer = Err((ErrorKind::InvalidClientConfig, "there is no address").into());
    for node in nodes {
        answer = ask_what_it_is(node).await;
        if answer.is_ok() {
            break;
        }
    }
    answer
}

async fn ask_primary(watched: &WatchedPrimary) -> Result<InfoDict, RedisError> {
    let primary = match sentinel::find(watched).await {
        Err(error) if error.kind() == ErrorKind::MasterNameNotFoundBySentinel => {
            return Err(RedisError::Name { name: watched.name.clone() });
        }
        found => found.map_err(RedisError::of)?,
    };
    ask_what_it_is(&primary.server).await.map_err(RedisError::of)
}

async fn ask_what_it_is(node: &ConnectionInfo) -> RedisResult<InfoDict> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT));
    // A server before 6.0 does not know RESP3, and should be refused for its version.
    let settings = node.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
    let client = Client::open(node.clone().set_redis_settings(settings))?;
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    ::redis::cmd("INFO").query_async(&mut connection).await
}

fn said(info: &InfoDict, key: &str) -> String {
    info.get::<String>(key).map(|value| value.trim().to_owned()).unwrap_or_default()
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A connection. Cloning it gives the same one.
#[derive(Clone)]
pub(super) enum Link {
    One(ConnectionManager),
    Cluster(ClusterConnection),
    Followed(Arc<Follower>),
}

/// A request over a link.
#[derive(Clone, Copy)]
enum Call<'a> {
    Script(&'a ScriptInvocation<'a>),
    Pipeline(&'a Pipeline),
    Command(&'a Cmd),
}

impl Link {
    /// Whether commands of one pipeline must all be of one hash tag.
    pub(super) const fn is_cluster(&self) -> bool {
        match self {
            Self::One(_) | Self::Followed(_) => false,
            Self::Cluster(_) => true,
        }
    }

    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, BackendError> {
        self.answer(Call::Script(script)).await
    }

    pub(super) async fn pipe<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, BackendError> {
        self.answer(Call::Pipeline(pipeline)).await
    }

    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BackendError> {
        self.answer(Call::Command(command)).await
    }

    /// Makes a call, and repeats it if the connection failed at once: that may be an old failure, of the last
    /// try to reconnect. Every call may be repeated: the scripts allow for it, and nothing else writes.
    async fn answer<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, BackendError> {
        let answered = async {
            let began = Instant::now();
            match self.send(call).await {
                Err(error) if error.is_io_error() && began.elapsed() < AT_ONCE => self.send(call).await,
                answered => answered,
            }
        };
        match timeout(CALL_TIMEOUT, answered).await {
            Ok(answered) => Ok(answered?),
            Err(_) => {
                if let Self::Followed(follower) = self {
                    follower.leave();
                }
                Err(format!("no answer within {} s", CALL_TIMEOUT.as_secs()).into())
            }
        }
    }

    async fn send<T: FromRedisValue>(&self, call: Call<'_>) -> RedisResult<T> {
        match self {
            Self::One(manager) => call.over(&mut manager.clone()).await,
            Self::Cluster(cluster) => call.over(&mut cluster.clone()).await,
            Self::Followed(follower) => {
                let present = follower.present().await?;
                let answered = call.over(&mut present.connection.clone()).await;
                if let Err(error) = &answered {
                    present.judge(error);
                }
                answered
            }
        }
    }
}

impl Call<'_> {
    async fn over<T: FromRedisValue>(self, connection: &mut impl ConnectionLike) -> RedisResult<T> {
        match self {
            Self::Script(script) => script.invoke_async(connection).await,
            Self::Pipeline(pipeline) => pipeline.query_async(connection).await,
            Self::Command(command) => command.query_async(connection).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("7.0.15"), Some((7, 0)));
        assert!(version("10.0.0") > Some(OLDEST));
        assert!(version("6.2.14") < Some(OLDEST));
        assert_eq!(version("unstable"), None);
    }
}
