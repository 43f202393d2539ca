//! Lists of networks, as settings give them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// An item of a list of networks that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{item}` is neither an address nor a CIDR such as 10.0.0.0/8")]
pub struct AddressListError {
    /// The item as it was given.
    pub item: String,
}

/// Reads a comma-separated list of CIDRs and single addresses; an empty list is no networks.
///
/// # Errors
/// [`AddressListError`] names the first item that is neither.
pub fn parse_networks(list: &str) -> Result<Vec<IpNet>, AddressListError> {
    let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| parse_network(item).map(without_mapping)).collect()
}

/// Whether one of the networks contains this address.
pub fn contains(networks: &[IpNet], ip: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&ip))
}

fn parse_network(item: &str) -> Result<IpNet, AddressListError> {
    let network = item.parse::<IpNet>().or_else(|_| item.parse::<IpAddr>().map(IpNet::from));
    network.map(|network| network.trunc()).map_err(|_| AddressListError { item: item.to_owned() })
}

/// The IPv4 network that an IPv4-mapped IPv6 one means: `::ffff:10.0.0.0/104` is `10.0.0.0/8`. Others stay as
/// they are.
pub fn without_mapping(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let prefix = v6.prefix_len().checked_sub(96);
    match (v6.addr().to_ipv4_mapped(), prefix) {
        (Some(inner), Some(prefix)) => Ipv4Net::new(inner, prefix).map_or(network, IpNet::V4),
        (None, _) | (_, None) => network,
    }
}
