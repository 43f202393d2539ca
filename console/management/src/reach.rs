//! Whether a user-given URL may be called: looked at when a channel is made, and by the notifier again when
//! it is used.

use std::time::Duration;

use sending::address_guard::AddressGuard;
use url::{Host, Url};

/// A name that does not resolve within this is let through: the notifier looks again.
const RESOLVE_WITHIN: Duration = Duration::from_secs(2);

/// Why `url` may not be called, if so.
pub async fn refusal(guard: &AddressGuard, url: &Url) -> Option<String> {
    if let Err(refused) = guard.check_url(url) {
        return Some(refused.to_string());
    }
    let Some(Host::Domain(name)) = url.host() else { return None };
    let port = url.port_or_known_default().unwrap_or(443);
    let resolving = tokio::net::lookup_host((name, port));
    let addresses = tokio::time::timeout(RESOLVE_WITHIN, resolving).await.ok()?.ok()?;
    addresses
        .into_iter()
        .find_map(|address| guard.check(address.ip()).err())
        .map(|refused| refused.to_string())
}
