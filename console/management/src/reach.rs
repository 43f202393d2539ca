//! Whether a user-given URL may be called: looked at when a channel is made, and by the notifier again when
//! it is used.

use std::net::SocketAddr;
use std::time::Duration;

use sending::address_guard::AddressGuard;
use sending::this_host;
use url::{Host, Url};

/// A name that does not resolve within this is let through: the notifier looks again.
const RESOLVE_WITHIN: Duration = Duration::from_secs(2);

/// Why `url` may not be called, if so.
pub async fn refusal(guard: &AddressGuard, url: &Url) -> Option<String> {
    if let Err(refused) = guard.check_url(url) {
        return Some(refused.to_string());
    }
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses: Vec<SocketAddr> = match url.host()? {
        Host::Ipv4(ip) => vec![(ip, port).into()],
        Host::Ipv6(ip) => vec![(ip, port).into()],
        Host::Domain(name) => {
            let resolving = tokio::net::lookup_host((name, port));
            tokio::time::timeout(RESOLVE_WITHIN, resolving).await.ok()?.ok()?.collect()
        }
    };
    let refused = |address: SocketAddr| {
        guard.check_own(address, this_host::has).and_then(|()| guard.check(address.ip())).err()
    };
    addresses.into_iter().find_map(refused).map(|refused| refused.to_string())
}
