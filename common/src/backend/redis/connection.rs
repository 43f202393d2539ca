//! One server, or a cluster of them, behind one face.

use std::time::Duration;

use ::redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use ::redis::cluster::ClusterClientBuilder;
use ::redis::cluster_async::ClusterConnection;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, FromRedisValue, InfoDict, IntoConnectionInfo,
    Pipeline, ProtocolVersion, RedisFuture, RedisResult, ScriptInvocation, Value,
};
use tokio::time::timeout;

use crate::ports::BackendError;

/// A server that does not answer within this is not there. It may yet do what it was told.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// With waiting for a connection.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// A lost connection is tried again after this, and then by the next call.
const RECONNECT_AFTER: Duration = Duration::from_millis(50);
const RECONNECT_AFTER_MOST: Duration = Duration::from_millis(500);
/// A cluster's client follows nodes that move, at most so often for a call.
const CLUSTER_RETRIES: u32 = 3;

/// The oldest that will do.
const OLDEST: (u32, u32) = (7, 0);

/// Why Redis cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The URL.
    #[error("read the address of Redis")]
    Address(#[source] ::redis::RedisError),
    /// It does not answer.
    #[error("connect to Redis")]
    Connect(#[source] ::redis::RedisError),
    /// It is too old.
    #[error("use Redis: it is version {found}, and must be at least {}.{}, or Valkey", OLDEST.0, OLDEST.1)]
    Version {
        /// What it says.
        found: String,
    },
}

/// Where Redis is.
#[derive(Debug, Clone)]
pub(super) struct Server {
    nodes: Vec<ConnectionInfo>,
    is_cluster: bool,
}

impl Server {
    /// Reads the URL, and asks the first node that answers what it is.
    pub(super) async fn find(url: &str) -> Result<Self, RedisError> {
        let nodes = addresses(url).map_err(RedisError::Address)?;
        let mut answer = None;
        for node in &nodes {
            answer = Some(ask_what_it_is(node).await);
            if matches!(answer, Some(Ok(_))) {
                break;
            }
        }
        let unreadable = || (::redis::ErrorKind::InvalidClientConfig, "there is no address").into();
        let info = answer.unwrap_or_else(|| Err(unreadable())).map_err(RedisError::Connect)?;
        let said =
            |key: &str| info.get::<String>(key).map(|value| value.trim().to_owned()).unwrap_or_default();
        let found = said("redis_version");
        if version(&found).is_none_or(|version| version < OLDEST) {
            return Err(RedisError::Version { found });
        }
        let policy = said("maxmemory_policy");
        if !policy.is_empty() && policy != "noeviction" {
            tracing::warn!(
                maxmemory_policy = policy,
                "Redis may throw keys away when its memory is full, and the monitors' states with them: set maxmemory-policy to noeviction"
            );
        }
        let is_cluster = nodes.len() > 1 || said("cluster_enabled") == "1";
        Ok(Self { nodes, is_cluster })
    }

    /// A connection of one's own. It comes back by itself when it is lost; what was under way then has failed.
    pub(super) async fn connect(&self) -> Result<Link, RedisError> {
        match self.nodes.as_slice() {
            [node] if !self.is_cluster => self.connect_to(node.clone()).await,
            nodes => connect_to_cluster(nodes.to_vec()).await,
        }
        .map_err(RedisError::Connect)
    }

    async fn connect_to(&self, node: ConnectionInfo) -> RedisResult<Link> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(RECONNECT_AFTER)
            .set_max_delay(RECONNECT_AFTER_MOST)
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let manager = ConnectionManager::new_with_config(Client::open(node)?, config).await?;
        Ok(Link(Connection::One(manager)))
    }
}

async fn connect_to_cluster(nodes: Vec<ConnectionInfo>) -> RedisResult<Link> {
    let client = ClusterClientBuilder::new(nodes)
        .use_protocol(ProtocolVersion::RESP3)
        .retries(CLUSTER_RETRIES)
        .connection_timeout(CONNECT_TIMEOUT)
        .response_timeout(RESPONSE_TIMEOUT)
        .overall_response_timeout(Some(CALL_TIMEOUT))
        .build()?;
    Ok(Link(Connection::Cluster(client.get_async_connection().await?)))
}

/// The nodes that a URL names.
fn addresses(url: &str) -> RedisResult<Vec<ConnectionInfo>> {
    let (scheme, rest) = match url.strip_prefix("redis+cluster://") {
        Some(hosts) => ("redis://", hosts),
        None => ("", url),
    };
    // What stands before the first host, a user and password, counts for all.
    let (login, hosts) = match rest.rsplit_once('@') {
        Some((login, hosts)) if !scheme.is_empty() => (format!("{login}@"), hosts),
        Some(_) | None => (String::new(), rest),
    };
    let address = |host: &str| -> RedisResult<ConnectionInfo> {
        let info = format!("{scheme}{login}{}", host.trim()).into_connection_info()?;
        // With RESP3 a lost connection is noticed at once, not by the next command.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Ok(info.set_redis_settings(settings))
    };
    hosts.split(',').filter(|host| !host.trim().is_empty()).map(address).collect()
}

async fn ask_what_it_is(node: &ConnectionInfo) -> RedisResult<InfoDict> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT));
    // A server before 6.0 does not know RESP3, and is to be told so by its version.
    let settings = node.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
    let client = Client::open(node.clone().set_redis_settings(settings))?;
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    ::redis::cmd("INFO").query_async(&mut connection).await
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A connection. Cloning it gives the same one.
#[derive(Clone)]
pub(super) struct Link(Connection);

#[derive(Clone)]
enum Connection {
    One(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Link {
    /// Whether commands of one pipeline must all be of one hash tag.
    pub(super) const fn is_cluster(&self) -> bool {
        match self.0 {
            Connection::One(_) => false,
            Connection::Cluster(_) => true,
        }
    }

    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, BackendError> {
        let (mut link, mut again) = (self.clone(), self.clone());
        answer(script.invoke_async(&mut link), script.invoke_async(&mut again)).await
    }

    pub(super) async fn pipe<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, BackendError> {
        let (mut link, mut again) = (self.clone(), self.clone());
        answer(pipeline.query_async(&mut link), pipeline.query_async(&mut again)).await
    }

    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BackendError> {
        let (mut link, mut again) = (self.clone(), self.clone());
        answer(command.query_async(&mut link), command.query_async(&mut again)).await
    }
}

/// Awaits a call, and the same call again if the first was not even sent: a refusal may be an old one, of the last try to
/// reconnect, whenever that was.
async fn answer<T>(
    call: impl Future<Output = RedisResult<T>>,
    again: impl Future<Output = RedisResult<T>>,
) -> Result<T, BackendError> {
    let answered = async {
        match call.await {
            Err(error) if error.is_connection_refusal() => again.await,
            answered => answered,
        }
    };
    match timeout(CALL_TIMEOUT, answered).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(format!("no answer within {} s", CALL_TIMEOUT.as_secs()).into()),
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match &mut self.0 {
            Connection::One(one) => one.req_packed_command(command),
            Connection::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match &mut self.0 {
            Connection::One(one) => one.req_packed_commands(pipeline, offset, count),
            Connection::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match &self.0 {
            Connection::One(one) => one.get_db(),
            Connection::Cluster(cluster) => cluster.get_db(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(url: &str) -> Vec<String> {
        addresses(url).expect("readable").iter().map(|node| node.addr().to_string()).collect()
    }

    #[test]
    fn a_url_names_one_server_or_the_nodes_of_a_cluster() {
        assert_eq!(named("redis://one:7000/2"), ["one:7000"]);
        assert_eq!(named("unix:///run/redis.sock"), ["/run/redis.sock"]);
        assert_eq!(named("redis://one,redis://two:7000"), ["one:6379", "two:7000"]);
        assert_eq!(named("redis+cluster://user:secret@one:7000,two:7000"), ["one:7000", "two:7000"]);
        let nodes = addresses("redis+cluster://user:secret@one:7000,two:7000").expect("readable");
        assert!(nodes.iter().all(|node| node.redis_settings().password() == Some("secret")));
        assert!(addresses("http://one").is_err());
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("7.0.15"), Some((7, 0)));
        assert!(version("10.0.0") > Some(OLDEST));
        assert!(version("6.2.14") < Some(OLDEST));
        assert_eq!(version("unstable"), None);
    }
}
