//! Pure. Strangers: clients that come with a token or a key that nobody has, counted by their addresses.
//!
//! A good token or key is never asked about here, so clients behind the same address as a stranger are served
//! as ever. What is limited is how often a stranger hears that its guess was wrong.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// Wrong guesses of one address that are answered as such at once.
const BURST: u32 = 30;

/// In the long run one wrong guess of an address is answered as such in this time: 30 a minute.
const PRICE: Duration = Duration::from_secs(2);

/// Addresses that are remembered. Those that come when there are so many share one count.
const MOST_ADDRESSES: usize = 4_096;

/// The limit counts as over when nobody reached it for this long.
const QUIET: Duration = Duration::from_secs(60);

/// Wrong guesses by the addresses that they came from.
#[derive(Debug, Default)]
pub struct Strangers {
    guesses: Mutex<Guesses>,
    is_proxy_told: AtomicBool,
}

#[derive(Debug, Default)]
struct Guesses {
    /// For each address, when everything that it took is paid for.
    paid_at: HashMap<IpAddr, Duration>,
    paid_at_by_others: Duration,
    swept_at: Duration,
    /// While some address is over its limit: since when nobody was.
    limiting: Option<Limiting>,
}

#[derive(Debug, Clone, Copy)]
struct Limiting {
    last: Duration,
    count: u64,
}

/// What a wrong guess is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// If the address guesses too often: how long it should wait.
    pub wait: Option<Duration>,
    /// What is to be logged.
    pub change: Option<Change>,
}

/// A change of state that is to be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// An address guesses too often, and none did before.
    Began,
    /// None has guessed too often for a minute. So many guesses were over the limit.
    Ended(u64),
}

impl Strangers {
    /// Counts a wrong guess. `now` is the time since a fixed moment.
    pub fn guessed(&self, address: IpAddr, now: Duration) -> Judged {
        self.guesses.lock().guessed(network(address), now)
    }

    /// Whether it is to be logged now that an address over its limit is that of a proxy which is not trusted:
    /// once.
    pub fn meets_proxy(&self) -> bool {
        !self.is_proxy_told.swap(true, Ordering::Relaxed)
    }
}

impl Guesses {
    fn guessed(&mut self, address: IpAddr, now: Duration) -> Judged {
        let ended = self.limiting.filter(|limiting| now.saturating_sub(limiting.last) > QUIET);
        if ended.is_some() {
            self.limiting = None;
        }
        let paid_at = self.paid_at(address, now);
        let due = (*paid_at).max(now) + PRICE;
        let wait = due.saturating_sub(now + PRICE * BURST);
        if wait.is_zero() {
            *paid_at = due;
            let change = ended.map(|limiting| Change::Ended(limiting.count));
            return Judged { wait: None, change };
        }
        let began = self.limiting.is_none();
        let limiting = self.limiting.get_or_insert(Limiting { last: now, count: 0 });
        limiting.last = now;
        limiting.count += 1;
        Judged { wait: Some(wait), change: began.then_some(Change::Began) }
    }

    fn paid_at(&mut self, address: IpAddr, now: Duration) -> &mut Duration {
        if !self.paid_at.contains_key(&address) && self.paid_at.len() >= MOST_ADDRESSES {
            // A look through all of them now and then, not at each guess.
            if now.saturating_sub(self.swept_at) >= PRICE {
                self.swept_at = now;
                self.paid_at.retain(|_, paid_at| *paid_at > now);
            }
            if self.paid_at.len() >= MOST_ADDRESSES {
                return &mut self.paid_at_by_others;
            }
        }
        self.paid_at.entry(address).or_default()
    }
}

/// One client may have all addresses of an IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn at(secs: u64) -> Duration {
        Duration::from_secs(1_000 + secs)
    }

    #[test]
    fn an_address_that_guesses_too_often_waits_and_others_do_not() {
        let strangers = Strangers::default();
        let (bad, other) = (address("192.0.2.1"), address("192.0.2.2"));
        for _ in 0..30 {
            assert_eq!(strangers.guessed(bad, at(0)).wait, None);
        }
        assert_eq!(strangers.guessed(bad, at(0)).wait, Some(PRICE));
        assert_eq!(strangers.guessed(other, at(0)).wait, None);
        assert_eq!(strangers.guessed(bad, at(1)).wait, Some(Duration::from_secs(1)));
        assert_eq!(strangers.guessed(bad, at(2)).wait, None, "one in two seconds");
        assert!(strangers.guessed(bad, at(2)).wait.is_some());
    }

    #[test]
    fn a_limit_is_told_once_when_it_begins_and_once_when_it_is_over() {
        let strangers = Strangers::default();
        let bad = address("192.0.2.1");
        let changes: Vec<Change> = (0..60).filter_map(|_| strangers.guessed(bad, at(0)).change).collect();
        assert_eq!(changes, [Change::Began]);
        assert_eq!(strangers.guessed(address("192.0.2.9"), at(60)).change, None);
        assert_eq!(strangers.guessed(bad, at(61)).change, Some(Change::Ended(30)));
        assert_eq!(strangers.guessed(bad, at(62)).change, None);
    }

    #[test]
    fn memory_is_bounded_and_those_beyond_share_a_count() {
        let strangers = Strangers::default();
        for n in 0..20_000_u32 {
            let _ = strangers.guessed(IpAddr::V4(n.into()), at(0));
        }
        assert_eq!(strangers.guesses.lock().paid_at.len(), MOST_ADDRESSES);
        assert!(strangers.guessed(address("198.51.100.1"), at(0)).wait.is_some());
        assert_eq!(
            strangers.guessed(address("198.51.100.1"), at(100)).wait,
            None,
            "the others are forgotten"
        );
        assert_eq!(strangers.guesses.lock().paid_at.len(), 1);
    }

    #[test]
    fn an_ipv6_client_has_one_count_for_its_network() {
        let strangers = Strangers::default();
        for n in 0..30_u32 {
            let one = format!("2001:db8:0:1::{n:x}");
            assert_eq!(strangers.guessed(address(&one), at(0)).wait, None);
        }
        assert!(strangers.guessed(address("2001:db8:0:1:ffff::1"), at(0)).wait.is_some());
        assert_eq!(strangers.guessed(address("2001:db8:0:2::1"), at(0)).wait, None);
        assert_eq!(network(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }
}
