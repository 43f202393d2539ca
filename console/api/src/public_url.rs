//! Pure. The address by which clients reach ingest: push URLs begin with it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use axum::http::{HeaderMap, header};
use serving::TrustedProxies;

/// The beginning of push URLs if a request does not give it: the address where a proxy, or one process,
/// listens on this machine.
const FALLBACK: &str = "http://127.0.0.1:8080";

/// Longest name of a host (RFC 1035).
const MAX_HOST_BYTES: usize = 253;

/// The beginning of push URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicUrl {
    /// The operator's URL, without a slash at its end.
    Fixed(String),
    /// The address that the request was sent to: the proxy before the console leads to ingest, too.
    AsAsked(TrustedProxies),
}

impl PublicUrl {
    /// The beginning of push URLs in the answer to a request, without a slash at its end.
    pub(crate) fn of_request(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Cow<'_, str> {
        let proxies = match self {
            Self::Fixed(url) => return Cow::Borrowed(url),
            Self::AsAsked(proxies) => proxies,
        };
        let (Some(peer), Some(host)) = (peer, host(headers)) else { return Cow::Borrowed(FALLBACK) };
        let scheme = proxies.scheme(peer, headers).as_str();
        Cow::Owned(format!("{scheme}://{host}"))
    }
}

/// The host that the request names, and its port, if it is nothing but that: people paste push URLs into
/// shells.
fn host(headers: &HeaderMap) -> Option<&str> {
    let mut named = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else { return None };
    let host = host.to_str().ok()?;
    let after_name = match host.strip_prefix('[') {
        Some(v6) => {
            let (address, rest) = v6.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            rest
        }
        None => {
            let end = host.find(':').unwrap_or(host.len());
            let (name, rest) = host.split_at(end);
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            let is_name = (1..=MAX_HOST_BYTES).contains(&name.len())
                && name.bytes().all(plain)
                && name.starts_with(|c: char| c.is_ascii_alphanumeric());
            is_name.then_some(rest)?
        }
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    let whole = after_name.is_empty() || after_name.strip_prefix(':').is_some_and(is_port);
    whole.then_some(host)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn asked(url: &PublicUrl, peer: &str, headers: &[(&str, &str)]) -> String {
        let headers = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"))
        });
        url.of_request(Some(peer.parse().expect("an address")), &headers.collect()).into_owned()
    }

    #[test]
    fn push_urls_lead_where_the_request_went() {
        let url = PublicUrl::AsAsked("10.0.0.0/8".parse().expect("a list"));
        for (host, expected) in [
            ("beats.example", "https://beats.example"),
            ("beats.example:8443", "https://beats.example:8443"),
            ("my_proxy", "https://my_proxy"),
            ("192.0.2.1:80", "https://192.0.2.1:80"),
            ("[2001:db8::1]", "https://[2001:db8::1]"),
            ("[2001:db8::1]:8080", "https://[2001:db8::1]:8080"),
        ] {
            assert_eq!(asked(&url, "10.1.1.1", &[("host", host), ("x-forwarded-proto", "https")]), expected);
        }
        let host = ("host", "beats.example");
        assert_eq!(asked(&url, "10.1.1.1", &[host]), "http://beats.example");
        assert_eq!(asked(&url, "192.0.2.9", &[host, ("x-forwarded-proto", "https")]), "http://beats.example");
    }

    #[test]
    fn a_host_that_is_not_plain_is_not_repeated() {
        let url = PublicUrl::AsAsked(TrustedProxies::default());
        let long = "a".repeat(254);
        for bad in [
            "",
            ":80",
            "a b",
            "a/b",
            "a@b",
            "a'b",
            "$(reboot)",
            "-rf",
            ".",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:80:80",
            "[::1",
            "[::1]80",
            "[nobody]",
            "2001:db8::1",
            "\u{e4}.example",
            &long,
        ] {
            assert_eq!(asked(&url, "127.0.0.1", &[("host", bad)]), FALLBACK, "{bad}");
        }
        assert_eq!(asked(&url, "127.0.0.1", &[]), FALLBACK);
        assert_eq!(asked(&url, "127.0.0.1", &[("host", "a"), ("host", "b")]), FALLBACK);
        assert_eq!(url.of_request(None, &HeaderMap::new()), FALLBACK);
    }

    #[test]
    fn a_public_url_that_is_set_is_used_whatever_is_asked() {
        let url = PublicUrl::Fixed("https://beats.example/lubdub".to_owned());
        assert_eq!(asked(&url, "127.0.0.1", &[("host", "other.example")]), "https://beats.example/lubdub");
    }
}
