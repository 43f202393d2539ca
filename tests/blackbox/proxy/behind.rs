//! Lubdub itself behind the proxy, and whom it believes.

use std::net::{Ipv4Addr, SocketAddr};

use servers::free_port;

use super::caddy::Proxy;
use super::names::Names;
use crate::api::{Api, KEY};
use crate::harness::{Process, directory, eventually, lubdub};
use crate::http::Client;

const FORGED: &str = "x-forwarded-for: 198.51.100.7\r\n";

#[test]
fn only_a_trusted_proxy_tells_whose_heartbeat_it_is() {
    for (trusted, direct) in [("127.0.0.0/8", "198.51.100.7"), ("192.0.2.0/24,::1", "127.0.0.1")] {
        let (home, names) = (directory(), Names::start());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut command = lubdub(home.path());
        command.args(["up", "--listen", &address.to_string()]).env("LUBDUB_API_KEY", KEY);
        command.env("LUBDUB_TRUSTED_PROXIES", trusted);
        let server = Process::start(&mut command);
        names.set("ingest", &[Ipv4Addr::LOCALHOST]);
        names.set("console", &[Ipv4Addr::LOCALHOST]);
        let proxy = Proxy::start(&names, address.port());
        eventually("it is ready through the proxy", || {
            (proxy.send("GET /readyz", "", b"").status == 200).then_some(())
        });

        let api = Api::new(proxy.address());
        let monitor = api.monitor("nightly sync", 60, None);
        let push = format!("POST /api/push/{}", monitor.token);
        assert_eq!(proxy.send(&push, FORGED, b"").status, 200);
        let mut client = Client::new(address, crate::harness::PATIENCE);
        assert_eq!(client.ask(&push, FORGED, b"").expect("an answer").status, 200);
        let sources = eventually("both heartbeats are shown", || {
            let beats = api.list(&format!("/monitors/{}/heartbeats", monitor.id));
            let source = |beat: &serde_json::Value| beat["source"].as_str().map(ToOwned::to_owned);
            (beats.len() == 2).then(|| beats.iter().rev().filter_map(source).collect::<Vec<_>>())
        });
        assert_eq!(sources, ["127.0.0.1", direct], "{trusted}");
        proxy.end();
        server.kill();
    }
}

#[test]
fn a_bad_list_of_trusted_proxies_names_the_flag() {
    let home = directory();
    for role in ["up", "ingest", "console"] {
        let finished =
            Process::start(lubdub(home.path()).args([role, "--trusted-proxies", "10.0.0.0/8,office"]))
                .finish();
        assert_eq!(finished.status.code(), Some(2), "{role}");
        for told in ["--trusted-proxies", "`office` is neither an address nor a CIDR"] {
            assert!(finished.stderr.contains(told), "{role}: {}", finished.stderr);
        }
    }
}
