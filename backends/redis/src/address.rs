//! Reads the options: which servers are meant, how they are reached, and as which user.

use std::time::Duration;

use ::redis::io::tcp::TcpSettings;
use ::redis::io::tcp::socket2::TcpKeepalive;
use ::redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, ProtocolVersion,
    RedisConnectionInfo, RedisResult, TlsCertificates,
};
use url::Url;

use super::error::RedisError;
use super::options::RedisOptions;

/// Default port of Sentinels.
const SENTINEL_PORT: u16 = 26_379;

/// The servers that the options name.
#[derive(Clone)]
pub(super) enum ServerAddress {
    /// One server, or the nodes of a cluster that a client asks first.
    Nodes(Vec<ConnectionInfo>),
    /// The current primary among servers that Sentinels watch.
    Watched(WatchedPrimary),
}

/// A primary that is found by asking Sentinels.
#[derive(Clone)]
pub(super) struct WatchedPrimary {
    pub(super) sentinels: Vec<ConnectionInfo>,
    /// The Sentinels' name for the primary.
    pub(super) name: String,
    /// User, password and database on the primary.
    pub(super) settings: RedisConnectionInfo,
}

impl WatchedPrimary {
    /// Connection data of a server at an address that a Sentinel gave: over TLS if the Sentinel is reached
    /// over TLS.
    pub(super) fn server(
        &self,
        sentinel: &ConnectionInfo,
        host: String,
        port: u16,
    ) -> RedisResult<ConnectionInfo> {
        let address = match sentinel.addr() {
            ConnectionAddr::TcpTls { tls_params, insecure, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_) | _ => ConnectionAddr::Tcp(host, port),
        };
        let info = address.into_connection_info()?.set_tcp_settings(watchful());
        Ok(info.set_redis_settings(self.settings.clone()))
    }
}

/// Reads the options.
pub(super) fn read(options: &RedisOptions) -> Result<ServerAddress, RedisError> {
    let place = match SENTINEL_SCHEMES
        .iter()
        .find_map(|(scheme, of)| Some((options.url.strip_prefix(scheme)?, of)))
    {
        Some((rest, scheme)) => {
            ServerAddress::Watched(watched(options, scheme, rest).map_err(RedisError::Address)?)
        }
        None => ServerAddress::Nodes(nodes(options, &options.url).map_err(RedisError::Address)?),
    };
    let Some(certificates) = certificates(options).map_err(RedisError::Certificates)? else {
        return Ok(place);
    };
    let trusting = |nodes: Vec<ConnectionInfo>| -> Result<Vec<ConnectionInfo>, RedisError> {
        let trusting =
            |node| Ok(Client::build_with_tls(node, certificates.clone())?.get_connection_info().clone());
        nodes.into_iter().map(trusting).collect::<RedisResult<_>>().map_err(RedisError::Certificates)
    };
    Ok(match place {
        ServerAddress::Nodes(nodes) => ServerAddress::Nodes(trusting(nodes)?),
        ServerAddress::Watched(watched) => {
            ServerAddress::Watched(WatchedPrimary { sentinels: trusting(watched.sentinels)?, ..watched })
        }
    })
}

/// The certificates that are trusted instead of the system's.
pub(super) fn certificates(options: &RedisOptions) -> RedisResult<Option<TlsCertificates>> {
    let Some(ca) = &options.ca else { return Ok(None) };
    // Without a certificate no server would be trusted, and the error would blame the server.
    if !ca.windows(CERTIFICATE.len()).any(|text| text == CERTIFICATE) {
        return Err((ErrorKind::InvalidClientConfig, "there is no certificate in it").into());
    }
    Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(ca.clone()) }))
}

const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Schemes of our own, and the ones that the servers are reached by.
const SENTINEL_SCHEMES: [(&str, &str); 2] =
    [("redis+sentinel://", "redis://"), ("rediss+sentinel://", "rediss://")];
const CLUSTER_SCHEMES: [(&str, &str); 2] =
    [("redis+cluster://", "redis://"), ("rediss+cluster://", "rediss://")];

/// Settings that probe idle connections: a machine that vanishes does not close its connections. A loss is
/// noticed within 5 s, and not by the next call.
fn watchful() -> TcpSettings {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(2))
        .with_interval(Duration::from_secs(1))
        .with_retries(3);
    TcpSettings::default().set_nodelay(true).set_keepalive(keepalive)
}

/// The nodes that a URL names.
fn nodes(options: &RedisOptions, url: &str) -> RedisResult<Vec<ConnectionInfo>> {
    let cluster = CLUSTER_SCHEMES.iter().find_map(|(scheme, of)| Some((url.strip_prefix(scheme)?, *of)));
    let (rest, scheme) = cluster.unwrap_or((url, ""));
    // A user and password before the first host count for all hosts.
    let (login, hosts) = match rest.rsplit_once('@') {
        Some((login, hosts)) if !scheme.is_empty() => (format!("{login}@"), hosts),
        Some(_) | None => (String::new(), rest),
    };
    let node = |host: &str| -> RedisResult<ConnectionInfo> {
        let info = format!("{scheme}{login}{}", host.trim()).into_connection_info()?;
        let settings = settings(options, info.redis_settings());
        Ok(info.set_redis_settings(settings).set_tcp_settings(watchful()))
    };
    hosts.split(',').filter(|host| !host.trim().is_empty()).map(node).collect()
}

/// `user:password@host:port,host:port/name?db=2`.
fn watched(options: &RedisOptions, scheme: &str, rest: &str) -> RedisResult<WatchedPrimary> {
    let malformed = |what: &'static str| (ErrorKind::InvalidClientConfig, what);
    let (login, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => (format!("{login}@"), rest),
        None => (String::new(), rest),
    };
    let (hosts, name) =
        rest.split_once('/').ok_or(malformed("the name that the Sentinels know is missing: …/NAME"))?;
    let (name, database) = match name.split_once("?db=") {
        Some((name, database)) => {
            (name, database.parse().map_err(|_| malformed("the number after ?db= is not one"))?)
        }
        None => (name, 0),
    };
    if name.is_empty() || name.contains(['/', '?']) {
        return Err(malformed("what follows the Sentinels' addresses is not /NAME or /NAME?db=NUMBER").into());
    }
    let sentinel = |host: &str| -> RedisResult<ConnectionInfo> {
        let url = Url::parse(&format!("{scheme}{login}{}", host.trim()));
        let mut url = url.map_err(|_| malformed("a Sentinel's address does not parse"))?;
        if url.port().is_none() {
            let _ = url.set_port(Some(SENTINEL_PORT));
        }
        let info = url.into_connection_info()?;
        // Each connection to a Sentinel asks one question: the older protocol is enough.
        let settings = settings(options, info.redis_settings()).set_protocol(ProtocolVersion::RESP2);
        Ok(info.set_redis_settings(settings))
    };
    let hosts = hosts.split(',').filter(|host| !host.trim().is_empty());
    let sentinels = hosts.map(sentinel).collect::<RedisResult<Vec<_>>>()?;
    let first = sentinels.first().ok_or(malformed("there is no Sentinel's address"))?;
    let settings = settings(options, first.redis_settings()).set_db(database);
    Ok(WatchedPrimary { name: name.to_owned(), settings, sentinels })
}

/// Adds the options that the URL does not give.
fn settings(options: &RedisOptions, said: &RedisConnectionInfo) -> RedisConnectionInfo {
    // With RESP3 a lost connection is noticed at once, not by the next command. Naming the client would need
    // one more right.
    let mut settings = said.clone().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
    if let (None, Some(user)) = (said.username(), &options.user) {
        settings = settings.set_username(user);
    }
    if let (None, Some(password)) = (said.password(), &options.password) {
        settings = settings.set_password(password.expose());
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::channel::Secret;

    fn nodes_of(options: &RedisOptions) -> Vec<ConnectionInfo> {
        match read(options).expect("readable") {
            ServerAddress::Nodes(nodes) => nodes,
            ServerAddress::Watched(watched) => watched.sentinels,
        }
    }

    fn named(url: &str) -> Vec<String> {
        nodes_of(&RedisOptions::new(url)).iter().map(|node| node.addr().to_string()).collect()
    }

    fn watched(options: &RedisOptions) -> WatchedPrimary {
        match read(options).expect("readable") {
            ServerAddress::Nodes(_) => panic!("Sentinels are meant"),
            ServerAddress::Watched(watched) => watched,
        }
    }

    #[test]
    fn a_url_names_one_server_or_the_nodes_of_a_cluster() {
        assert_eq!(named("redis://one:7000/2"), ["one:7000"]);
        assert_eq!(named("unix:///run/redis.sock"), ["/run/redis.sock"]);
        assert_eq!(named("redis://one,redis://two:7000"), ["one:6379", "two:7000"]);
        assert_eq!(named("redis+cluster://user:secret@one:7000,two:7000"), ["one:7000", "two:7000"]);
        let nodes = nodes_of(&RedisOptions::new("redis+cluster://user:secret@one:7000,two:7000"));
        assert!(nodes.iter().all(|node| node.redis_settings().password() == Some("secret")));
        assert!(read(&RedisOptions::new("http://one")).is_err());
    }

    #[test]
    fn a_url_names_sentinels_and_what_they_watch() {
        let url = "redis+sentinel://user:secret@one,two:7000/lubdub";
        assert_eq!(named(url), ["one:26379", "two:7000"]);
        let found = watched(&RedisOptions::new(url));
        assert_eq!((found.name.as_str(), found.settings.db()), ("lubdub", 0));
        for settings in [&found.settings, found.sentinels[1].redis_settings()] {
            assert_eq!((settings.username(), settings.password()), (Some("user"), Some("secret")));
        }
        let found = watched(&RedisOptions::new("rediss+sentinel://[::1]:7000/lubdub?db=3"));
        assert_eq!(found.settings.db(), 3);
        let server = found.server(&found.sentinels[0], "two".into(), 6379).expect("an address");
        assert!(matches!(server.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        assert_eq!((server.addr().to_string().as_str(), server.redis_settings().db()), ("two:6379", 3));
        for malformed in ["one:7000", "one/", "/lubdub", "one/a/b", "one/a?db=x", "one/a?x=1", "one:x/a"] {
            let url = format!("redis+sentinel://{malformed}");
            assert!(matches!(read(&RedisOptions::new(&url)), Err(RedisError::Address(_))), "{url}");
        }
    }

    #[test]
    fn a_login_is_what_the_url_says_or_else_what_the_options_say() {
        let login = |url: &str| {
            let password = Some(Secret::new("other".to_owned()));
            let options =
                RedisOptions { user: Some("somebody".to_owned()), password, ..RedisOptions::new(url) };
            let node = nodes_of(&options).pop().expect("a node");
            let settings = node.redis_settings();
            format!(
                "{:?} {:?}",
                settings.username().unwrap_or_default(),
                settings.password().unwrap_or_default()
            )
        };
        assert_eq!(login("redis://one"), r#""somebody" "other""#);
        assert_eq!(login("redis://user:secret@one"), r#""user" "secret""#);
        assert_eq!(login("redis://user@one"), r#""user" "other""#);
        assert_eq!(login("redis+cluster://one,two"), r#""somebody" "other""#);
        assert_eq!(login("rediss+sentinel://one,two/lubdub"), r#""somebody" "other""#);
    }

    #[test]
    fn an_authority_needs_a_certificate_and_an_address_with_tls() {
        let read = |url: &str, ca: &[u8]| {
            read(&RedisOptions { ca: Some(ca.to_vec()), ..RedisOptions::new(url) }).err()
        };
        assert!(matches!(read("rediss://one", b"nothing"), Some(RedisError::Certificates(_))));
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
        let damaged = format!("{begin}\nAAAA\n{end}\n");
        assert!(matches!(read("rediss://one", damaged.as_bytes()), Some(RedisError::Certificates(_))));
        assert!(matches!(read("redis://one", damaged.as_bytes()), Some(RedisError::Certificates(_))));
    }
}
