//! Pure. Which addresses user-given URLs may lead to. The code that resolves a name asks for each address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

use crate::target;
use model::networks::{AddressListError, contains, parse_networks, without_mapping};

/// The addresses of this host and of its own networks are refused unless they are allowed by name.
///
/// A webhook that could reach them would let every user who may make a channel talk to services that trust
/// their network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressGuard {
    allowed: Vec<IpNet>,
    /// The URLs of this installation itself.
    own: Vec<Url>,
    /// What this process listens on, with a URL that leads there.
    listeners: Vec<(SocketAddr, Url)>,
}

/// Why an address or a URL is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedAddress {
    /// Not `http` or `https`.
    #[error("the URL must begin with http:// or https://, not with {scheme}:")]
    Scheme {
        /// The scheme that the URL begins with.
        scheme: String,
    },
    /// The URL leads back to this installation: an alert would be a push, which would be an alert.
    #[error("it leads to this Lubdub itself ({})", target::shown(own.as_str()))]
    Own {
        /// The URL of the installation.
        own: Url,
    },
    /// The URL names no host.
    #[error("the URL names no host")]
    NoHost,
    /// The address belongs to this host or its networks, or is of no use on the Internet.
    #[error("{address} is {kind}; to allow it, start Lubdub with --allow-private {network}")]
    Address {
        /// The address, or `localhost`.
        address: String,
        /// The kind of the address.
        kind: AddressKind,
        /// The CIDR that would allow it.
        network: IpNet,
    },
}

/// The kind of a refused address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// "This host".
    Unspecified,
    /// The address is this host.
    Loopback,
    /// RFC 1918.
    Private,
    /// RFC 3927, RFC 4291; also the metadata service of cloud providers.
    LinkLocal,
    /// RFC 4193.
    UniqueLocal,
    /// RFC 3879.
    SiteLocal,
    /// RFC 6598.
    CarrierGradeNat,
    /// RFC 5737, RFC 3849, RFC 9637.
    Documentation,
    /// RFC 2544, RFC 5180.
    Benchmarking,
    /// Many receivers.
    Multicast,
    /// Every host of this network.
    Broadcast,
    /// IPv4 inside IPv6: RFC 6052, RFC 8215.
    Nat64,
    /// IPv4 inside IPv6: RFC 3056.
    SixToFour,
    /// IPv4 inside IPv6: RFC 4380.
    Teredo,
    /// IPv4 inside IPv6: RFC 4291, deprecated.
    V4Compatible,
    /// Set aside by IANA.
    Reserved,
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "an unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::UniqueLocal => "a unique local address",
            Self::SiteLocal => "a site-local address",
            Self::CarrierGradeNat => "a carrier-grade NAT address",
            Self::Documentation => "a documentation address",
            Self::Benchmarking => "a benchmarking address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "a broadcast address",
            Self::Nat64 => "a NAT64 address",
            Self::SixToFour => "a 6to4 address",
            Self::Teredo => "a Teredo address",
            Self::V4Compatible => "an IPv4-compatible address",
            Self::Reserved => "a reserved address",
        })
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(head: [u16; 4], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(head[0], head[1], head[2], head[3], 0, 0, 0, 0), prefix)
}

/// The IANA registry of special addresses; the first that fits counts.
const SPECIAL_V4: [(Ipv4Net, AddressKind); 16] = [
    (v4(0, 0, 0, 0, 8), AddressKind::Unspecified),
    (v4(127, 0, 0, 0, 8), AddressKind::Loopback),
    (v4(10, 0, 0, 0, 8), AddressKind::Private),
    (v4(172, 16, 0, 0, 12), AddressKind::Private),
    (v4(192, 168, 0, 0, 16), AddressKind::Private),
    (v4(169, 254, 0, 0, 16), AddressKind::LinkLocal),
    (v4(100, 64, 0, 0, 10), AddressKind::CarrierGradeNat),
    (v4(192, 0, 2, 0, 24), AddressKind::Documentation),
    (v4(198, 51, 100, 0, 24), AddressKind::Documentation),
    (v4(203, 0, 113, 0, 24), AddressKind::Documentation),
    (v4(198, 18, 0, 0, 15), AddressKind::Benchmarking),
    (v4(224, 0, 0, 0, 4), AddressKind::Multicast),
    (v4(255, 255, 255, 255, 32), AddressKind::Broadcast),
    (v4(192, 0, 0, 0, 24), AddressKind::Reserved),
    (v4(192, 88, 99, 0, 24), AddressKind::Reserved),
    (v4(240, 0, 0, 0, 4), AddressKind::Reserved),
];

/// The same for IPv6. What is neither here nor in [`GLOBAL_V6`] is reserved.
const SPECIAL_V6: [(Ipv6Net, AddressKind); 17] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), AddressKind::Unspecified),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), AddressKind::Loopback),
    (v6([0, 0, 0, 0], 96), AddressKind::V4Compatible),
    (v6([0x64, 0xff9b, 0, 0], 96), AddressKind::Nat64),
    (v6([0x64, 0xff9b, 1, 0], 48), AddressKind::Nat64),
    (v6([0xfe80, 0, 0, 0], 10), AddressKind::LinkLocal),
    (v6([0xfec0, 0, 0, 0], 10), AddressKind::SiteLocal),
    (v6([0xfc00, 0, 0, 0], 7), AddressKind::UniqueLocal),
    (v6([0xff00, 0, 0, 0], 8), AddressKind::Multicast),
    (v6([0x2001, 0, 0, 0], 32), AddressKind::Teredo),
    (v6([0x2001, 2, 0, 0], 48), AddressKind::Benchmarking),
    (v6([0x2001, 0xdb8, 0, 0], 32), AddressKind::Documentation),
    (v6([0x3fff, 0, 0, 0], 20), AddressKind::Documentation),
    (v6([0x2001, 0, 0, 0], 23), AddressKind::Reserved),
    (v6([0x2002, 0, 0, 0], 16), AddressKind::SixToFour),
    (v6([0x3ffe, 0, 0, 0], 16), AddressKind::Reserved),
    (v6([0x100, 0, 0, 0], 64), AddressKind::Reserved),
];

/// Everything that is routed on the Internet.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

impl AddressGuard {
    /// A guard that lets these networks pass besides the Internet.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed: allowed.into_iter().map(without_mapping).collect(), ..Self::default() }
    }

    /// Reads a comma-separated list of CIDRs and single addresses; an empty one allows nothing.
    ///
    /// # Errors
    /// Names the item that is neither.
    pub fn parse(list: &str) -> Result<Self, AddressListError> {
        parse_networks(list).map(|allowed| Self { allowed, ..Self::default() })
    }

    /// Refuses what lies under this URL as well: it is this installation's own. What is no URL is ignored.
    #[must_use]
    pub fn with_own(mut self, url: &str) -> Self {
        self.own.extend(url.parse::<Url>());
        self
    }

    /// Refuses what leads to this listener of the process as well, whatever name it is given. Which addresses
    /// a name has is known to the caller only, who asks [`Self::check_own`] for each.
    #[must_use]
    pub fn with_listener(mut self, listener: SocketAddr) -> Self {
        // An address with a scope, which no URL has, is known by its number alone.
        if let Ok(url) = format!("http://{listener}").parse::<Url>() {
            self.own.push(url.clone());
            self.listeners.push((listener, url));
        }
        self
    }

    /// Whether this process listens at the port, so that a name may lead to it.
    pub fn listens_at(&self, port: u16) -> bool {
        self.listeners.iter().any(|(listener, _)| listener.port() == port)
    }

    /// Whether a connection to this address leads elsewhere than to this process. `is_here` tells which
    /// addresses belong to this host.
    ///
    /// # Errors
    /// [`RefusedAddress::Own`].
    pub fn check_own(&self, to: SocketAddr, is_here: impl Fn(IpAddr) -> bool) -> Result<(), RefusedAddress> {
        let ip = to.ip().to_canonical();
        let this_host = ip.is_loopback() || ip.is_unspecified();
        let leads_to = |listener: SocketAddr| {
            let own = listener.ip().to_canonical();
            listener.port() == to.port()
                && (own == ip
                    || (own.is_loopback() && this_host)
                    || (own.is_unspecified() && (this_host || is_here(ip))))
        };
        match self.listeners.iter().find(|(listener, _)| leads_to(*listener)) {
            Some((_, own)) => Err(RefusedAddress::Own { own: own.clone() }),
            None => Ok(()),
        }
    }

    /// Whether a URL leads to this installation, by whatever scheme. All names of this host itself are one: a
    /// server that listens on one of them mostly listens on all.
    fn own_of(&self, url: &Url) -> Option<&Url> {
        let place = |url: &Url| {
            let host = match url.host() {
                Some(host) if is_this_host(&host) => Some("localhost".to_owned()),
                Some(host) => Some(host.to_string().trim_end_matches('.').to_ascii_lowercase()),
                None => None,
            };
            (host, url.port_or_known_default())
        };
        let under = |own: &Url| {
            let path = own.path().trim_end_matches('/');
            url.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.own.iter().find(|own| place(own) == place(url) && under(own))
    }

    /// Whether a connection to this address may be made.
    ///
    /// # Errors
    /// [`RefusedAddress::Address`].
    pub fn check(&self, ip: IpAddr) -> Result<(), RefusedAddress> {
        // A mapped address is only a way of writing an IPv4 one: the connection goes there.
        let address = ip.to_canonical();
        if let Some((kind, network)) = special(address)
            && !self.allows(address)
        {
            return Err(RefusedAddress::Address { address: ip.to_string(), kind, network });
        }
        match embedded_v4(address) {
            Some(inner) => self.check(inner.into()),
            None => Ok(()),
        }
    }

    /// Whether a request to this URL may be made, as far as can be told without resolving a name. A named
    /// host passes here; the caller checks its addresses when they are known.
    ///
    /// # Errors
    /// One of [`RefusedAddress`].
    pub fn check_url(&self, url: &Url) -> Result<(), RefusedAddress> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RefusedAddress::Scheme { scheme: url.scheme().to_owned() });
        }
        if let Some(own) = self.own_of(url) {
            return Err(RefusedAddress::Own { own: own.clone() });
        }
        match url.host() {
            None => Err(RefusedAddress::NoHost),
            Some(Host::Ipv4(ip)) => self.check(ip.into()),
            Some(Host::Ipv6(ip)) => self.check(ip.into()),
            Some(Host::Domain(name)) => self.check_name(name),
        }
    }

    /// Names under `localhost` mean this host by definition (RFC 6761), whatever a resolver says.
    fn check_name(&self, name: &str) -> Result<(), RefusedAddress> {
        let bare = name.strip_suffix('.').unwrap_or(name);
        if bare.is_empty() {
            return Err(RefusedAddress::NoHost);
        }
        let last_label = bare.rsplit('.').next().unwrap_or(bare);
        if !last_label.eq_ignore_ascii_case("localhost") {
            return Ok(());
        }
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        if loopback.iter().any(|ip| self.allows(*ip)) {
            return Ok(());
        }
        let network = v4(127, 0, 0, 0, 8).into();
        Err(RefusedAddress::Address { address: bare.to_owned(), kind: AddressKind::Loopback, network })
    }

    fn allows(&self, ip: IpAddr) -> bool {
        contains(&self.allowed, ip)
    }
}

/// Loopback and unspecified addresses, and names under `localhost` (RFC 6761).
fn is_this_host(host: &Host<&str>) -> bool {
    let is_own = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    match host {
        Host::Ipv4(ip) => is_own((*ip).into()),
        Host::Ipv6(ip) => is_own(IpAddr::from(*ip).to_canonical()),
        Host::Domain(name) => {
            let bare = name.strip_suffix('.').unwrap_or(name);
            bare.rsplit('.').next().is_some_and(|label| label.eq_ignore_ascii_case("localhost"))
        }
    }
}

/// The kind of an address that is not an ordinary one of the Internet, and the network that makes it so.
fn special(ip: IpAddr) -> Option<(AddressKind, IpNet)> {
    match ip {
        IpAddr::V4(ip) => {
            let (network, kind) = SPECIAL_V4.iter().find(|(network, _)| network.contains(&ip))?;
            Some((*kind, IpNet::V4(*network)))
        }
        IpAddr::V6(ip) => match SPECIAL_V6.iter().find(|(network, _)| network.contains(&ip)) {
            Some((network, kind)) => Some((*kind, IpNet::V6(*network))),
            None if GLOBAL_V6.contains(&ip) => None,
            None => Some((AddressKind::Reserved, IpNet::from(IpAddr::V6(ip)))),
        },
    }
}

/// The IPv4 address that a gateway would make of this IPv6 one.
fn embedded_v4(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = ip else { return None };
    let bytes = v6.octets();
    let four = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
    match special(ip)?.0 {
        AddressKind::Nat64 | AddressKind::V4Compatible => Some(four(12)),
        AddressKind::SixToFour => Some(four(2)),
        // Teredo writes the client's address inverted.
        AddressKind::Teredo => Some(Ipv4Addr::from_bits(!four(12).to_bits())),
        AddressKind::Unspecified
        | AddressKind::Loopback
        | AddressKind::Private
        | AddressKind::LinkLocal
        | AddressKind::UniqueLocal
        | AddressKind::SiteLocal
        | AddressKind::CarrierGradeNat
        | AddressKind::Documentation
        | AddressKind::Benchmarking
        | AddressKind::Multicast
        | AddressKind::Broadcast
        | AddressKind::Reserved => None,
    }
}

#[cfg(test)]
mod tests;
