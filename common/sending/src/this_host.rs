//! Which addresses belong to this host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Addresses for documentation (RFC 5737, RFC 3849), which no host has.
const NOBODYS_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const NOBODYS_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// Whether an address belongs to this host now. It asks the system, and sends nothing.
pub fn has(ip: IpAddr) -> bool {
    let nobodys = if ip.is_ipv4() { NOBODYS_V4 } else { NOBODYS_V6 };
    // Some systems are set to take any address (ip_nonlocal_bind): there the first sign counts alone.
    is_reached_from_itself(ip) || (can_be_taken(ip) && !can_be_taken(nobodys))
}

/// A packet to an address of this host comes from that address, unless that is the second of a network.
fn is_reached_from_itself(ip: IpAddr) -> bool {
    let any = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { IpAddr::from(Ipv6Addr::UNSPECIFIED) };
    let Ok(socket) = UdpSocket::bind((any, 0)) else { return false };
    // The port is that of the discard protocol; nothing goes there.
    socket.connect((ip, 9)).is_ok() && socket.local_addr().is_ok_and(|own| own.ip() == ip)
}

fn can_be_taken(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_host_is_told_from_one_of_another() {
        assert!(has(Ipv4Addr::LOCALHOST.into()));
        for other in [NOBODYS_V4, NOBODYS_V6, Ipv4Addr::new(1, 1, 1, 1).into()] {
            assert!(!has(other), "{other}");
        }
        // Every address that the kernel keeps as its own.
        let trie = std::fs::read_to_string("/proc/net/fib_trie").expect("Linux has it");
        let mut last = "";
        let mut own = 0;
        for line in trie.lines().map(str::trim) {
            if let Some(ip) = line.strip_prefix("|-- ") {
                last = ip;
            } else if line == "/32 host LOCAL" {
                own += 1;
                assert!(has(last.parse().expect("an address")), "{last}");
            }
        }
        assert!(own > 0, "at least the loopback");
    }
}
