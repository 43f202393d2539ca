//! Pure. Who a request comes from when proxies stand before the listener.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use model::networks::{AddressListError, contains, parse_networks};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// The most proxies that are followed between a client and us. Real chains are shorter, and a header may be
/// long.
const MOST_PROXIES: usize = 32;

/// The proxies whose headers are believed. If none are named, no header is believed: every client can write
/// one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
}

/// How a client came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme as a URL has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Reads a comma-separated list of CIDRs and single addresses.
impl FromStr for TrustedProxies {
    type Err = AddressListError;

    fn from_str(list: &str) -> Result<Self, AddressListError> {
        parse_networks(list).map(|networks| Self { networks })
    }
}

impl TrustedProxies {
    /// The address of the client: `peer`, or the address that a trusted peer names in `X-Forwarded-For`.
    ///
    /// Each proxy appends whom it heard from. So the list is read from its end, past the proxies that are
    /// trusted, up to the first address that is not: a client may have written what stands before it. A
    /// client's IPv4 address is one in any notation.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let values = headers.get_all(FORWARDED_FOR).iter().rev();
        let hops = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops.take(MOST_PROXIES) {
            let Some(address) = address(hop) else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    /// How the client came: what a trusted peer says in `X-Forwarded-Proto`, or else in the open.
    pub fn scheme(&self, peer: IpAddr, headers: &HeaderMap) -> Scheme {
        let said = headers.get_all(FORWARDED_PROTO).iter().next_back().map(HeaderValue::as_bytes);
        let newest = said.and_then(|said| said.rsplit(|byte| *byte == b',').next());
        let secure = newest.is_some_and(|newest| newest.trim_ascii().eq_ignore_ascii_case(b"https"));
        if secure && self.trusts(peer.to_canonical()) { Scheme::Https } else { Scheme::Http }
    }

    /// Whether a proxy that is not trusted seems to have sent the request: then all of its clients have one
    /// address. A client may also have written the header itself, or stand behind a proxy of its own.
    pub fn overlooks(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let is_forwarded = headers.contains_key(FORWARDED_FOR) || headers.contains_key(FORWARDED);
        is_forwarded && !self.trusts(peer.to_canonical())
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        contains(&self.networks, address)
    }
}

/// An address, with a port or without, an IPv6 one in brackets or not.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']');
    let with_port = || text.parse().ok().map(|socket: SocketAddr| socket.ip());
    let plain = text.parse().ok().or_else(with_port);
    plain.or_else(|| bracketed()?.parse().ok().map(IpAddr::V6)).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trusted(list: &str) -> TrustedProxies {
        list.parse().expect("a list")
    }

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        values.map(|value| (name.clone(), value)).collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_proxy_that_is_not_trusted_is_noticed_by_its_headers() {
        let proxies = trusted("10.0.0.0/8");
        for (peer, header, expected) in [
            ("203.0.113.9", &FORWARDED_FOR, true),
            ("203.0.113.9", &FORWARDED, true),
            ("203.0.113.9", &FORWARDED_PROTO, false),
            ("10.1.1.1", &FORWARDED_FOR, false),
            ("::ffff:10.1.1.1", &FORWARDED, false),
        ] {
            let found = proxies.overlooks(ip(peer), &headers(header, &["198.51.100.1"]));
            assert_eq!(found, expected, "{peer}, {header}");
        }
    }

    #[test]
    fn the_client_is_the_last_address_that_no_trusted_proxy_has() {
        let proxies = trusted("10.0.0.0/8, 192.0.2.1,fd00::/8");
        for (peer, forwarded, expected) in [
            ("203.0.113.9", vec![], "203.0.113.9"),
            ("203.0.113.9", vec!["198.51.100.1"], "203.0.113.9"),
            ("10.1.1.1", vec![], "10.1.1.1"),
            ("10.1.1.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.1.1.1", vec!["::ffff:198.51.100.1"], "198.51.100.1"),
            ("10.1.1.1", vec!["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            ("10.1.1.1", vec!["1.1.1.1, 198.51.100.1 ,192.0.2.1,10.2.2.2"], "198.51.100.1"),
            ("10.1.1.1", vec!["1.1.1.1", "198.51.100.1", "10.2.2.2"], "198.51.100.1"),
            ("10.1.1.1", vec!["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
            ("fd00::1", vec!["2001:db8::7"], "2001:db8::7"),
            ("10.1.1.1", vec!["198.51.100.1:4711"], "198.51.100.1"),
            ("10.1.1.1", vec!["[2001:db8::7]:4711"], "2001:db8::7"),
            ("10.1.1.1", vec!["[2001:db8::7]"], "2001:db8::7"),
            ("10.1.1.1", vec!["198.51.100.1, nobody"], "10.1.1.1"),
            ("10.1.1.1", vec!["198.51.100.1, nobody, 10.2.2.2"], "10.2.2.2"),
            ("10.1.1.1", vec!["198.51.100.1, ,10.2.2.2"], "10.2.2.2"),
            ("10.1.1.1", vec!["198.51.100.1", ""], "10.1.1.1"),
            ("10.1.1.1", vec!["198.51.100.1, unknown:80"], "10.1.1.1"),
            ("10.1.1.1", vec!["fe80::1%eth0"], "10.1.1.1"),
            ("10.1.1.1", vec!["[198.51.100.1]"], "10.1.1.1"),
            ("10.1.1.1", vec!["\u{e4}"], "10.1.1.1"),
        ] {
            assert_eq!(
                proxies.client(ip(peer), &headers(&FORWARDED_FOR, &forwarded)),
                ip(expected),
                "{peer} {forwarded:?}"
            );
        }
    }

    #[test]
    fn without_trusted_proxies_headers_count_for_nothing() {
        let nobody = TrustedProxies::default();
        assert_eq!(nobody, trusted(""));
        assert_eq!(nobody, trusted(" , "));
        let forwarded = headers(&FORWARDED_FOR, &["198.51.100.1"]);
        assert_eq!(nobody.client(ip("127.0.0.1"), &forwarded), ip("127.0.0.1"));
        let secure = headers(&FORWARDED_PROTO, &["https"]);
        assert_eq!(nobody.scheme(ip("127.0.0.1"), &secure), Scheme::Http);
    }

    #[test]
    fn a_long_list_is_not_read_to_its_end() {
        let long = format!("198.51.100.1{}", ", 10.2.2.2".repeat(5_000));
        let proxies = trusted("10.0.0.0/8");
        assert_eq!(proxies.client(ip("10.1.1.1"), &headers(&FORWARDED_FOR, &[&long])), ip("10.2.2.2"));
    }

    #[test]
    fn the_scheme_is_what_the_nearest_trusted_proxy_says() {
        let proxies = trusted("10.0.0.0/8");
        for (peer, said, expected) in [
            ("10.1.1.1", vec![], "http"),
            ("10.1.1.1", vec!["https"], "https"),
            ("::ffff:10.1.1.1", vec![" HTTPS "], "https"),
            ("10.1.1.1", vec!["http"], "http"),
            ("10.1.1.1", vec!["https, http"], "http"),
            ("10.1.1.1", vec!["http", "https"], "https"),
            ("10.1.1.1", vec!["ftp"], "http"),
            ("203.0.113.9", vec!["https"], "http"),
        ] {
            let scheme = proxies.scheme(ip(peer), &headers(&FORWARDED_PROTO, &said));
            assert_eq!(scheme.as_str(), expected, "{peer} {said:?}");
        }
    }

    #[test]
    fn a_bad_list_names_what_is_wrong_in_it() {
        for (list, item) in [("10.0.0.0/8, office", "office"), ("10.0.0.0/33", "10.0.0.0/33")] {
            let error = list.parse::<TrustedProxies>().expect_err("not a list");
            assert_eq!(error.item, item);
        }
        assert_eq!(trusted("::ffff:10.0.0.0/104"), trusted("10.1.2.3/8"));
    }

    proptest! {
        /// Whatever a client writes in front, it is taken for no other.
        #[test]
        fn a_client_cannot_name_another(
            forged in "[0-9a-f:., \\[\\]%-]{0,80}",
            client: u32,
            hops in prop::collection::vec(any::<[u8; 3]>(), 0..5),
        ) {
            let client = IpAddr::V4(client.into());
            prop_assume!(!trusted("10.0.0.0/8").trusts(client));
            let hops = hops.iter().map(|[a, b, c]| format!(", 10.{a}.{b}.{c}")).collect::<String>();
            let forwarded = headers(&FORWARDED_FOR, &[&forged, &format!("{forged},{client}{hops}")]);
            prop_assert_eq!(trusted("10.0.0.0/8").client(ip("10.1.1.1"), &forwarded), client);
        }
    }
}
