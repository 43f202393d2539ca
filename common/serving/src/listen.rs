//! The address that a listener is given, as people type it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address and a port; port 0 lets the system choose one.
    At(SocketAddr),
    /// Every address of this machine, of IPv6 and IPv4, and a port.
    Every(u16),
    /// A name, which is looked up when the listener starts, and a port.
    Named(String, u16),
}

/// Why a text is no address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// There is an address or a name and no port.
    #[error("the port is missing; write 8080, :8080, localhost:8080, 0.0.0.0:8080 or [::1]:8080")]
    NoPort,
    /// The port is not a number up to 65,535.
    #[error("the port must be a number from 0 to 65535, as in 8080, :8080 or localhost:8080")]
    Port,
    /// The part before the port is neither an address nor a name.
    #[error(
        "write a port (8080: this machine alone; :8080: every address), localhost:8080, 0.0.0.0:8080 or [::1]:8080"
    )]
    Host,
}

impl ListenAddress {
    /// Begins to listen.
    ///
    /// # Errors
    /// The name is not known, or the address cannot be listened on.
    pub async fn bind(&self) -> io::Result<TcpListener> {
        match self {
            Self::At(address) => TcpListener::bind(address).await,
            Self::Every(port) => bind_every(*port).await,
            Self::Named(name, port) => TcpListener::bind((name.as_str(), *port)).await,
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::At(address)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Every(port) => write!(f, ":{port}"),
            Self::Named(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// As many connections wait at most as with [`TcpListener::bind`].
const BACKLOG: u32 = 1_024;

/// Listens on every address by one socket. Where this machine has no IPv6, not even for itself, that is one
/// of IPv4.
async fn bind_every(port: u16) -> io::Result<TcpListener> {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_err() {
        return TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
    }
    let socket = TcpSocket::new_v6()?;
    // The system may be set to IPv6 alone.
    set_ipv6_v6only(&socket, false)?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv6Addr::UNSPECIFIED, port).into())?;
    socket.listen(BACKLOG)
}

/// Reads `ADDRESS:PORT`, `NAME:PORT`, `:PORT` (every address) or `PORT` (this machine alone).
impl FromStr for ListenAddress {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::At(address));
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::At((Ipv4Addr::LOCALHOST, port(text)?).into()));
        }
        if text.parse::<IpAddr>().is_ok() || is_name(text) {
            return Err(ListenError::NoPort);
        }
        let (host, number) = text.rsplit_once(':').ok_or(ListenError::Host)?;
        match host {
            "" | "*" => Ok(Self::Every(port(number)?)),
            // The same on every machine, whatever its table of hosts says.
            _ if host.eq_ignore_ascii_case("localhost") => {
                Ok(Self::At((Ipv4Addr::LOCALHOST, port(number)?).into()))
            }
            _ if is_name(host) => Ok(Self::Named(host.to_owned(), port(number)?)),
            _ => Err(ListenError::Host),
        }
    }
}

fn port(text: &str) -> Result<u16, ListenError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().map_err(|_| ListenError::Port) } else { Err(ListenError::Port) }
}

/// Whether it may be the name of a host. What ends in a number is an address (RFC 1123), and a wrong one if
/// it is none.
fn is_name(text: &str) -> bool {
    let labels: Vec<&str> = text.trim_end_matches('.').split('.').collect();
    let good = |label: &&str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    labels.iter().all(good)
        && labels.last().is_some_and(|last| last.bytes().any(|byte| !byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, ListenError> {
        text.parse::<ListenAddress>().map(|address| address.to_string())
    }

    #[test]
    fn an_address_is_read_as_people_type_it() {
        for (text, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:8080", "0.0.0.0:8080"),
            ("[::1]:8080", "[::1]:8080"),
            ("[::]:80", "[::]:80"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("LOCALHOST:8080", "127.0.0.1:8080"),
            (":8080", ":8080"),
            ("*:8080", ":8080"),
            ("8080", "127.0.0.1:8080"),
            (" 8080 ", "127.0.0.1:8080"),
            ("lubdub.internal:8080", "lubdub.internal:8080"),
            ("node_1:80", "node_1:80"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_is_allowed() {
        for (text, expected) in [
            ("localhost", ListenError::NoPort),
            ("127.0.0.1", ListenError::NoPort),
            ("::1", ListenError::NoPort),
            ("localhost:", ListenError::Port),
            (":", ListenError::Port),
            ("localhost:http", ListenError::Port),
            ("localhost:+80", ListenError::Port),
            ("65536", ListenError::Port),
            (":99999", ListenError::Port),
            ("", ListenError::Host),
            ("http://localhost:8080", ListenError::Host),
            ("::1:8080", ListenError::NoPort),
            ("1.2.3:80", ListenError::Host),
            ("256.0.0.1:80", ListenError::Host),
            ("a b:80", ListenError::Host),
        ] {
            assert_eq!(read(text), Err(expected), "{text}");
            assert!(expected.to_string().contains("localhost:8080"), "{expected}");
        }
    }

    #[tokio::test]
    async fn every_address_is_that_of_ipv4_and_where_there_is_one_that_of_ipv6() {
        let listener = ListenAddress::Every(0).bind().await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok();
        assert_eq!((address.is_ipv6(), address.ip().is_unspecified()), (has_ipv6, true));
        let v6 = has_ipv6.then_some(IpAddr::V6(Ipv6Addr::LOCALHOST));
        for ip in v6.into_iter().chain([IpAddr::V4(Ipv4Addr::LOCALHOST)]) {
            let connected = tokio::net::TcpStream::connect((ip, address.port())).await;
            assert!(connected.is_ok(), "{ip}: {connected:?}");
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_when_the_listener_starts() {
        let named = ListenAddress::Named("localhost".to_owned(), 0);
        let listener = named.bind().await.expect("every machine has this name");
        assert!(listener.local_addr().expect("an address").ip().is_loopback());
    }
}
