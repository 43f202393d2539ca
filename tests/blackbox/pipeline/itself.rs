//! Alerts that would come back as pushes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Api, KEY};
use crate::harness::{Process, directory, eventually, free_port, lubdub};
use crate::http::Client;

const REFUSAL: &str = "it leads to this Lubdub itself";

/// Starts one that listens there, allows every address, and is reached by another name as well.
#[track_caller]
fn start(home: &Path, listener: SocketAddr) -> (Process, Api) {
    let mut command = lubdub(home);
    command.args(["up", "--listen", &listener.to_string(), "--allow-private", "0.0.0.0/0,::/0"]);
    command.args(["--public-url", "https://lubdub.example.com/watch", "--data-dir"]).arg(home.join("data"));
    let mut process = Process::start(command.env("LUBDUB_API_KEY", KEY));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.port()));
    eventually("it is ready", || {
        assert!(!process.has_ended(), "it ended");
        let answer = Client::new(address, Duration::from_secs(5)).ask("GET /readyz", "", b"").ok()?;
        (answer.status == 200).then_some(())
    });
    (process, Api::new(address))
}

/// The address from which this host would send to others, if it has one.
fn address_of_this_host() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|own| own.ip())
}

fn webhook(url: &str) -> Value {
    json!({"name": url, "kind": "webhook", "url": url})
}

#[track_caller]
fn refused(api: &Api, body: &Value) {
    let answer = api.call("POST /channels", body);
    assert_eq!(answer.status, 422, "{body}: {answer:?}");
    let problem: Value = serde_json::from_str(&answer.body).expect("JSON");
    let error = &problem["errors"][0];
    assert_eq!(error["field"], "url", "{body}: {problem}");
    assert!(error["message"].as_str().is_some_and(|why| why.starts_with(REFUSAL)), "{body}: {problem}");
}

#[test]
fn a_channel_that_leads_back_is_refused_whatever_the_url_calls_this_host() {
    for listens in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
        let (home, port) = (directory(), free_port());
        let (process, api) = start(home.path(), (listens, port).into());
        let push = format!(":{port}/api/push/a-token-of-a-monitor");
        for host in ["127.0.0.1", "localhost", "[::1]", "127.0.0.2", "0.0.0.0", "me.localhost", "2130706433"]
        {
            refused(&api, &webhook(&format!("http://{host}{push}")));
        }
        refused(&api, &json!({"name": "x", "kind": "slack", "url": format!("http://localhost{push}")}));
        refused(&api, &webhook("https://lubdub.example.com/watch/api/push/a-token-of-a-monitor"));
        if let Some(own) = address_of_this_host() {
            let by_address = webhook(&format!("http://{own}{push}"));
            if listens.is_unspecified() {
                refused(&api, &by_address);
            } else {
                api.api("POST /channels", &by_address);
            }
        }
        let beside = if port == u16::MAX { port - 1 } else { port + 1 };
        api.api("POST /channels", &webhook(&format!("http://127.0.0.1:{beside}/hook")));
        process.kill();
    }
}

#[test]
fn an_alert_is_not_sent_to_a_channel_that_leads_back_since_the_server_moved() {
    let (home, port, later) = (directory(), free_port(), free_port());
    let (process, api) = start(home.path(), (Ipv4Addr::LOCALHOST, port).into());
    let url = format!("http://localhost:{later}/api/push/a-token-of-a-monitor");
    let made = api.api("POST /channels", &webhook(&url));
    let id = made["id"].as_str().expect("an id");
    process.kill();
    let (process, api) = start(home.path(), (Ipv4Addr::UNSPECIFIED, later).into());
    let tested = api.call(&format!("POST /channels/{id}/test"), &Value::Null);
    assert!(tested.body.contains(REFUSAL), "{tested:?}");
    process.kill();
}
