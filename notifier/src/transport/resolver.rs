//! Looks names up and gives out allowed addresses only.
//!
//! The address that is checked is the one that is connected to, so a name that changes between two look-ups
//! gains nothing.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use sending::address_guard::{AddressGuard, RefusedAddress};
use tokio::sync::Semaphore;

/// Look-ups at once. A look-up cannot be cancelled, so a dead name server must not take every thread.
const LOOKUPS: usize = 128;

type Lookup = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The system's resolver behind the guard.
pub(super) struct GuardedResolver {
    guard: Arc<AddressGuard>,
    lookup: Arc<Lookup>,
    lookups: Arc<Semaphore>,
}

impl GuardedResolver {
    pub(super) fn new(guard: Arc<AddressGuard>) -> Self {
        Self::with_lookup(guard, |name| (name, 0).to_socket_addrs().map(Iterator::collect))
    }

    /// Looks names up in a way of the caller's; it may take its time.
    pub(super) fn with_lookup(
        guard: Arc<AddressGuard>,
        lookup: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self { guard, lookup: Arc::new(lookup), lookups: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.guard);
        let (look_up, lookups) = (Arc::clone(&self.lookup), Arc::clone(&self.lookups));
        Box::pin(async move {
            let permit = lookups.acquire_owned().await?;
            let lookup = tokio::task::spawn_blocking(move || {
                let found = look_up(name.as_str());
                drop(permit);
                found
            });
            let allowed = only_allowed(&guard, lookup.await??)?;
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// The allowed ones; if there are none, why.
fn only_allowed(guard: &AddressGuard, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, RefusedAddress> {
    let mut refusal = None;
    let mut allowed = found;
    allowed.retain(|address| match guard.check(address.ip()) {
        Ok(()) => true,
        Err(refused) => {
            refusal.get_or_insert(refused);
            false
        }
    });
    match refusal {
        Some(refused) if allowed.is_empty() => Err(refused),
        Some(_) | None => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_out_allowed_addresses_only() {
        let guard = AddressGuard::parse("127.0.0.0/8").expect("a list");
        for (found, expected) in [
            (vec!["127.0.0.1:0", "[::1]:0"], Ok(vec!["127.0.0.1:0"])),
            (vec!["10.0.0.1:0", "1.1.1.1:0"], Ok(vec!["1.1.1.1:0"])),
            (vec!["10.0.0.1:0", "192.168.0.1:0"], Err("10.0.0.1")),
            (vec![], Ok(vec![])),
        ] {
            let parse = |text: &str| text.parse::<SocketAddr>().expect("an address");
            let allowed = only_allowed(&guard, found.iter().map(|text| parse(text)).collect());
            match expected {
                Ok(expected) => {
                    assert_eq!(allowed, Ok(expected.into_iter().map(parse).collect()), "{found:?}");
                }
                Err(first) => {
                    let refused = allowed.expect_err("refused").to_string();
                    assert!(refused.starts_with(first), "{refused}");
                }
            }
        }
    }
}
