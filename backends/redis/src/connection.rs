//! Connections to one server, to a cluster, or to the primary that Sentinels name.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::ConnectionLike;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue, InfoDict, Pipeline,
    ProtocolVersion, RedisResult, ScriptInvocation,
};
use tokio::time::{Instant, timeout};

use super::access::Access;
use super::address::{ServerAddress, WatchedPrimary};
use super::error::{OLDEST, RedisError};
use super::follower::Follower;
use super::nodes::Nodes;
use super::options::RedisOptions;
use super::sentinel::{self, Lookout};
use super::timeouts::{CALL_TIMEOUT, CONNECT_TIMEOUT, RESPONSE_TIMEOUT};
use ports::BackendError;

/// A call that fails within this time did not wait for an answer.
const AT_ONCE: Duration = Duration::from_millis(50);

/// Where Redis is, and how to log in to it.
#[derive(Clone)]
pub(super) struct Server {
    kind: ServerKind,
    access: Arc<Access>,
}

#[derive(Clone)]
enum ServerKind {
    One,
    Cluster,
    Watched(Arc<Lookout>),
}

impl Server {
    /// Reads the options, and asks the first reachable server for its version and settings.
    pub(super) async fn find(options: &RedisOptions) -> Result<Self, RedisError> {
        let access = Arc::new(Access::open(options)?);
        let login = access.present();
        let info = match &login.address {
            ServerAddress::Nodes(nodes) => ask_nodes(nodes).await.map_err(RedisError::of)?,
            ServerAddress::Watched(watched) => ask_primary(watched).await?,
        };
        Self::judge(&info).map_err(|found| RedisError::Version { found })?;
        let is_cluster = said(&info, "cluster_enabled") == "1";
        let kind = match &login.address {
            ServerAddress::Watched(_) => ServerKind::Watched(Arc::new(Lookout::new(Arc::clone(&access)))),
            ServerAddress::Nodes(nodes) if nodes.len() == 1 && !is_cluster => ServerKind::One,
            ServerAddress::Nodes(_) => ServerKind::Cluster,
        };
        Ok(Self { kind, access })
    }

    /// Looks at what a server says of itself: the policy by which it throws keys away when its memory is
    /// full, if it does.
    ///
    /// # Errors
    /// Its version, if that is too old.
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
        let access = Arc::clone(&self.access);
        let followed = |follower| Link::Followed(Arc::new(follower));
        let connected = match &self.kind {
            ServerKind::One => Follower::connect(access, None).await.map(followed),
            ServerKind::Watched(lookout) => {
                Follower::connect(access, Some(Arc::clone(lookout))).await.map(followed)
            }
            ServerKind::Cluster => Nodes::connect(access).await.map(|nodes| Link::Cluster(Arc::new(nodes))),
        };
        connected.map_err(RedisError::of)
    }
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
    Cluster(Arc<Nodes>),
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
            Self::Followed(_) => false,
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
            Self::Cluster(nodes) => call.over(&mut nodes.present().await).await,
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
