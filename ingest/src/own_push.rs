//! Pushes of the node to itself, over its own listener.
//!
//! They show what the listener does not see of itself: that connections reach it, and requests the routes. A
//! full backlog or a filter of packets keeps them out like everybody's.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use model::chain::Chain;
use serving::Entrance;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The time between two pushes.
const EVERY: Duration = Duration::from_secs(2);
/// The time until a push that failed is tried again.
const AGAIN: Duration = Duration::from_millis(250);
/// A push that takes longer has failed.
const WITHIN: Duration = Duration::from_secs(3);

/// The beginning of the answer to a push that got in.
const EXPECTED: &[u8] = b"HTTP/1.1 200 ";

/// Pushes of the node to itself. They are recorded nowhere.
pub(crate) struct OwnPush {
    /// Known to this process alone.
    path: String,
}

impl OwnPush {
    pub(crate) fn new() -> Self {
        Self { path: format!("/api/push/own-{:032x}", rand::random::<u128>()) }
    }

    /// Whether a request to this path is such a push.
    pub(crate) fn is(&self, path: &str) -> bool {
        path == self.path
    }

    /// Pushes every few seconds while the listener is open, and tells of the outcome.
    pub(crate) async fn run(&self, entrance: &Entrance) {
        let mut failing = false;
        loop {
            let Some(address) = entrance.address() else {
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            let pushed = tokio::time::timeout(WITHIN, self.push(reachable(address))).await;
            // It may have been closed meanwhile, in order.
            if entrance.address().is_none() {
                continue;
            }
            let outcome = match pushed {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(Chain(&error).to_string()),
                Err(_elapsed) => Err(format!("no answer within {} s", WITHIN.as_secs())),
            };
            if let Err(reason) = &outcome {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(reason, "failed to push to the own listener; nothing is vouched for");
                }
            } else if std::mem::replace(&mut failing, false) {
                tracing::info!("the own push gets in again");
            }
            entrance.own_push(outcome);
            tokio::time::sleep(if failing { AGAIN } else { EVERY }).await;
        }
    }

    async fn push(&self, address: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            self.path
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = [0; EXPECTED.len()];
        stream.read_exact(&mut answer).await?;
        if answer == EXPECTED { Ok(()) } else { Err(io::Error::other("the answer was not 200")) }
    }
}

/// How a listener can be reached from its own machine.
fn reachable(listens: SocketAddr) -> SocketAddr {
    let mut address = listens;
    if listens.ip().is_unspecified() {
        let loopback =
            if listens.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_reached_at_its_own_address_or_by_the_loopback() {
        for (listens, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("192.0.2.7:80", "192.0.2.7:80"),
            ("[fe80::1%3]:80", "[fe80::1%3]:80"),
        ] {
            let parse = |text: &str| -> SocketAddr { text.parse().unwrap() };
            assert_eq!(reachable(parse(listens)), parse(expected));
        }
    }
}
