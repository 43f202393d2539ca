use super::*;

fn guard(list: &str) -> AddressGuard {
    AddressGuard::parse(list).expect("a list")
}

fn url(text: &str) -> Url {
    text.parse().expect("a URL")
}

#[test]
fn special_addresses_are_refused_with_the_network_that_would_allow_them() {
    for (address, kind, network) in [
        ("0.0.0.0", AddressKind::Unspecified, "0.0.0.0/8"),
        ("0.1.2.3", AddressKind::Unspecified, "0.0.0.0/8"),
        ("127.0.0.1", AddressKind::Loopback, "127.0.0.0/8"),
        ("127.255.0.9", AddressKind::Loopback, "127.0.0.0/8"),
        ("10.1.2.3", AddressKind::Private, "10.0.0.0/8"),
        ("172.16.0.1", AddressKind::Private, "172.16.0.0/12"),
        ("172.31.255.255", AddressKind::Private, "172.16.0.0/12"),
        ("192.168.1.1", AddressKind::Private, "192.168.0.0/16"),
        ("169.254.169.254", AddressKind::LinkLocal, "169.254.0.0/16"),
        ("100.100.100.200", AddressKind::CarrierGradeNat, "100.64.0.0/10"),
        ("192.0.2.1", AddressKind::Documentation, "192.0.2.0/24"),
        ("198.51.100.7", AddressKind::Documentation, "198.51.100.0/24"),
        ("203.0.113.7", AddressKind::Documentation, "203.0.113.0/24"),
        ("198.19.0.1", AddressKind::Benchmarking, "198.18.0.0/15"),
        ("224.0.0.1", AddressKind::Multicast, "224.0.0.0/4"),
        ("255.255.255.255", AddressKind::Broadcast, "255.255.255.255/32"),
        ("192.0.0.8", AddressKind::Reserved, "192.0.0.0/24"),
        ("192.88.99.1", AddressKind::Reserved, "192.88.99.0/24"),
        ("240.0.0.1", AddressKind::Reserved, "240.0.0.0/4"),
        ("::", AddressKind::Unspecified, "::/128"),
        ("::1", AddressKind::Loopback, "::1/128"),
        ("::ffff:127.0.0.1", AddressKind::Loopback, "127.0.0.0/8"),
        ("::ffff:10.0.0.1", AddressKind::Private, "10.0.0.0/8"),
        ("::127.0.0.1", AddressKind::V4Compatible, "::/96"),
        ("64:ff9b::a00:1", AddressKind::Nat64, "64:ff9b::/96"),
        ("64:ff9b:1::1", AddressKind::Nat64, "64:ff9b:1::/48"),
        ("fe80::1", AddressKind::LinkLocal, "fe80::/10"),
        ("fec0::1", AddressKind::SiteLocal, "fec0::/10"),
        ("fd00:ec2::254", AddressKind::UniqueLocal, "fc00::/7"),
        ("ff02::1", AddressKind::Multicast, "ff00::/8"),
        ("2001:0:53aa:64c::1", AddressKind::Teredo, "2001::/32"),
        ("2001:2::1", AddressKind::Benchmarking, "2001:2::/48"),
        ("2001:db8::1", AddressKind::Documentation, "2001:db8::/32"),
        ("3fff::1", AddressKind::Documentation, "3fff::/20"),
        ("2001:10::1", AddressKind::Reserved, "2001::/23"),
        ("2002:7f00:1::1", AddressKind::SixToFour, "2002::/16"),
        ("100::1", AddressKind::Reserved, "100::/64"),
        ("4000::1", AddressKind::Reserved, "4000::1/128"),
        ("::ffff:0:127.0.0.1", AddressKind::Reserved, "::ffff:0:7f00:1/128"),
    ] {
        let ip: IpAddr = address.parse().expect("an address");
        let network: IpNet = network.parse().expect("a CIDR");
        let refused = guard("").check(ip).expect_err(address);
        assert_eq!(refused, RefusedAddress::Address { address: ip.to_string(), kind, network }, "{address}");
    }
}

#[test]
fn addresses_of_the_internet_pass() {
    for address in
        ["1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "2001:4860::1"]
    {
        assert_eq!(guard("").check(address.parse().expect("an address")), Ok(()), "{address}");
    }
}

#[test]
fn what_the_list_names_passes_and_nothing_more() {
    for (list, address, passes) in [
        ("127.0.0.0/8", "127.0.0.1", true),
        ("127.0.0.0/8", "::ffff:127.0.0.1", true),
        ("127.0.0.0/8", "::1", false),
        ("::ffff:127.0.0.0/104", "127.0.0.1", true),
        (" 10.0.0.7 , 192.168.0.0/16,", "10.0.0.7", true),
        ("10.0.0.7", "10.0.0.8", false),
        ("10.9.9.9/8", "10.0.0.8", true),
        // A gateway leads on to the inner address, which must be allowed as well.
        ("64:ff9b::/96", "64:ff9b::101:101", true),
        ("64:ff9b::/96", "64:ff9b::7f00:1", false),
        ("64:ff9b::/96,127.0.0.0/8", "64:ff9b::7f00:1", true),
        ("2002::/16", "2002:a00:1::1", false),
        ("2002::/16", "2002:101:101::1", true),
        ("2001::/32", "2001:0:101:101::80ff:fffe", false),
        ("::/96", "::7f00:1", false),
        ("0.0.0.0/0,::/0", "2002:7f00:1::1", true),
    ] {
        let ip = address.parse().expect("an address");
        assert_eq!(guard(list).check(ip).is_ok(), passes, "{address} with {list}");
    }
}

#[test]
fn urls_are_seen_through_in_every_spelling() {
    for text in [
        "http://127.0.0.1/",
        "https://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1:8080/x",
        "http://127.0.0.1./",
        "http://0/",
        "http://[::1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://localhost/",
        "http://LOCALHOST.:80/",
        "http://a.b.localhost/",
        "http://user:password@10.0.0.1/",
        "http://１２７.0.0.1/",
        "ftp://example.com/",
        "file:///etc/passwd",
    ] {
        assert!(guard("").check_url(&url(text)).is_err(), "{text}");
    }
    for text in
        ["https://example.com/x", "http://localhost.example.com/", "http://notlocalhost/", "http://1.1.1.1/"]
    {
        assert_eq!(guard("").check_url(&url(text)), Ok(()), "{text}");
    }
    for list in ["127.0.0.0/8", "127.0.0.1", "::1"] {
        assert_eq!(guard(list).check_url(&url("http://localhost/")), Ok(()), "{list}");
    }
}

#[test]
fn this_installation_is_refused_under_its_own_urls_even_where_private_addresses_are_allowed() {
    let guard = guard("127.0.0.0/8")
        .with_own("https://lubdub.example.com")
        .with_own("http://127.0.0.1:8080")
        .with_own("https://example.com/lubdub/");
    for text in [
        "https://lubdub.example.com/api/push/token",
        "https://LUBDUB.example.com.:443/x",
        "http://127.0.0.1:8080/api/push/token",
        "http://2130706433:8080/api/push/token",
        "http://localhost:8080/api/push/token",
        "http://me.LOCALHOST.:8080/",
        "http://127.0.0.2:8080/",
        "http://[::1]:8080/",
        "http://[::ffff:127.0.0.1]:8080/",
        "http://0.0.0.0:8080/",
        "https://example.com/lubdub",
        "https://example.com/lubdub/api/push/token",
    ] {
        assert!(matches!(guard.check_url(&url(text)), Err(RefusedAddress::Own { .. })), "{text}");
    }
    for text in [
        "https://example.com/hook",
        "https://example.com/lubdubs",
        "http://127.0.0.1:8081/",
        "https://lubdub.example.com:8443/",
    ] {
        assert_eq!(guard.check_url(&url(text)), Ok(()), "{text}");
    }
}

#[test]
fn a_listener_is_known_under_every_address_of_its_host() {
    let here: IpAddr = "10.0.0.5".parse().expect("an address");
    let is_here = |ip: IpAddr| ip == here;
    for (listener, own, others) in [
        (
            "0.0.0.0:8080",
            &[
                "127.0.0.1:8080",
                "127.0.1.1:8080",
                "0.0.0.0:8080",
                "[::1]:8080",
                "10.0.0.5:8080",
                "[::ffff:10.0.0.5]:8080",
            ][..],
            &["10.0.0.6:8080", "127.0.0.1:8081", "10.0.0.5:80", "1.1.1.1:8080"][..],
        ),
        ("[::]:8080", &["127.0.0.1:8080", "[::1]:8080", "10.0.0.5:8080"], &["[2606:4700::1]:8080"]),
        (
            "127.0.0.1:8080",
            &["127.0.0.1:8080", "[::1]:8080", "0.0.0.0:8080"],
            &["10.0.0.5:8080", "127.0.0.1:80"],
        ),
        ("10.0.0.5:8080", &["10.0.0.5:8080"], &["127.0.0.1:8080", "10.0.0.6:8080"]),
    ] {
        let guard = guard("0.0.0.0/0,::/0").with_listener(listener.parse().expect("a listener"));
        for to in own {
            let refused = guard.check_own(to.parse().expect(to), is_here);
            assert!(matches!(refused, Err(RefusedAddress::Own { .. })), "{listener} {to}");
        }
        for to in others {
            assert_eq!(guard.check_own(to.parse().expect(to), is_here), Ok(()), "{listener} {to}");
        }
    }
    let guard = guard("127.0.0.0/8").with_listener("127.0.0.1:8080".parse().expect("a listener"));
    assert!(guard.listens_at(8080) && !guard.listens_at(80));
    assert!(matches!(guard.check_url(&url("http://localhost:8080/x")), Err(RefusedAddress::Own { .. })));
    assert_eq!(guard.check_url(&url("http://localhost:8081/x")), Ok(()));
}

#[test]
fn a_refusal_does_not_tell_the_password_of_the_own_url() {
    let guard = guard("").with_own("https://ops:s3cret@lubdub.example.com");
    let refused = guard.check_url(&url("https://lubdub.example.com/api/push/x")).expect_err("it is refused");
    assert_eq!(refused.to_string(), "it leads to this Lubdub itself (https://***@lubdub.example.com/)");
}

#[test]
fn refusals_say_what_to_do() {
    let text = |text| guard("").check_url(&url(text)).expect_err("refused").to_string();
    assert_eq!(
        text("http://127.0.0.1/"),
        "127.0.0.1 is a loopback address; to allow it, start Lubdub with --allow-private 127.0.0.0/8"
    );
    assert_eq!(
        text("http://localhost:1/"),
        "localhost is a loopback address; to allow it, start Lubdub with --allow-private 127.0.0.0/8"
    );
    assert_eq!(text("ftp://example.com"), "the URL must begin with http:// or https://, not with ftp:");
    let error = AddressGuard::parse("10.0.0.0/8, here").expect_err("refused");
    assert_eq!(error.to_string(), "`here` is neither an address nor a CIDR such as 10.0.0.0/8");
}
