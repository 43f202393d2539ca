use std::time::Duration;

use model::heartbeat::HeartbeatKind;
use model::monitor::Monitor;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Server, TOKEN};
use crate::Config;
use crate::doubles::{monitor, monitor_id};
use doubles::{AppendFate, eventually};

fn path(rest: &str) -> String {
    format!("/api/push/{TOKEN}{rest}")
}

#[tokio::test]
async fn every_method_of_the_contract_pushes() {
    let server = Server::ready(Config::default()).await;
    for method in ["GET", "HEAD", "POST", "PUT"] {
        let before = server.heartbeats().len();
        let reply = server.request(method, &path("?status=down&msg=a%20b&ping="), &[], b"").await;
        assert_eq!(reply.status, 200, "{method}");
        assert_eq!(reply.body, if method == "HEAD" { "" } else { r#"{"ok":true,"status":"down"}"# });
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(server.heartbeats().len(), before + 1);
        let heartbeat = server.last_heartbeat();
        assert_eq!((heartbeat.monitor, heartbeat.kind), (monitor_id(1), HeartbeatKind::Down));
        assert_eq!((heartbeat.message.as_deref(), heartbeat.value), (Some("a b"), None));
        assert_eq!(heartbeat.source, Some("127.0.0.1".parse().unwrap()));
    }
}

#[tokio::test]
async fn a_trusted_proxy_tells_whose_push_it_is() {
    for (trusted, forwarded, expected) in [
        ("", "198.51.100.7", "127.0.0.1"),
        ("10.0.0.0/8", "198.51.100.7", "127.0.0.1"),
        ("127.0.0.0/8,10.0.0.0/8", "203.0.113.1, 198.51.100.7, 10.1.1.1", "198.51.100.7"),
        ("127.0.0.1", "nobody", "127.0.0.1"),
    ] {
        let config = Config { trusted_proxies: trusted.parse().unwrap(), ..Config::default() };
        let server = Server::ready(config).await;
        let reply = server.request("POST", &path(""), &[("x-forwarded-for", forwarded)], b"").await;
        assert_eq!(reply.status, 200);
        let source = server.last_heartbeat().source;
        assert_eq!(source, Some(expected.parse().unwrap()), "{trusted}: {forwarded}");
    }
}

#[tokio::test]
async fn a_preflight_is_answered_for_any_origin() {
    let server = Server::ready(Config::default()).await;
    let headers = [("origin", "https://example.org"), ("access-control-request-method", "POST")];
    let reply = server.request("OPTIONS", &path(""), &headers, b"").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert!(reply.header("access-control-allow-methods").is_some_and(|methods| methods.contains("post")));
    assert!(server.heartbeats().is_empty());
}

#[tokio::test]
async fn other_methods_are_named_what_is_allowed() {
    let server = Server::ready(Config::default()).await;
    for method in ["DELETE", "PATCH", "TRACE", "BREW"] {
        let reply = server.request(method, &path(""), &[], b"").await;
        assert_eq!(reply.status, 405, "{method}");
        assert_eq!(reply.header("allow"), Some("get, head, post, put, options"));
        assert!(reply.body.starts_with(r#"{"ok":false,"error":""#), "{}", reply.body);
    }
    assert!(server.heartbeats().is_empty());
}

#[tokio::test]
async fn what_is_not_a_known_token_is_not_found() {
    let server = Server::ready(Config::default()).await;
    for path in [
        "/api/push",
        "/api/push/",
        "/api/push/unknown-token",
        "/api/push//",
        &path("//"),
        &path("/more"),
        "/api/push/%2F",
        "/api/push/%ff%fe%00",
        "/api/push/A-TOKEN-OF-MINE",
    ] {
        let reply = server.get(path).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (404, r#"{"ok":false,"error":"unknown token","msg":"unknown token"}"#),
            "{path}"
        );
    }
    assert_eq!(server.get("/api/push/a%2Dtoken-of-mine").await.status, 200, "escaped, but the same");
    assert_eq!(server.get(&path("/")).await.status, 200, "a slash at the end");
    assert_eq!(server.get(&path("/?status=down")).await.status, 200);
}

#[tokio::test]
async fn a_bad_parameter_is_named_and_nothing_is_recorded() {
    let server = Server::ready(Config::default()).await;
    for (rest, error) in [
        ("?status=dead", "status must be 'up' or 'down'"),
        ("?value=much", "value must be a finite decimal number"),
        ("?Status=dead", "status must be 'up' or 'down'"),
    ] {
        let reply = server.get(&path(rest)).await;
        assert_eq!(
            (reply.status, reply.body),
            (400, format!(r#"{{"ok":false,"error":"{error}","msg":"{error}"}}"#))
        );
    }
    assert!(server.heartbeats().is_empty());
}

#[tokio::test]
async fn tokens_follow_the_registry_at_once() {
    let server = Server::ready(Config::default()).await;
    let made = monitor(2, "first-token", &[]);
    server.put(&made).await;
    assert_eq!(server.get("/api/push/first-token").await.status, 200);
    let mut paused = made.clone();
    paused.definition.paused = true;
    server.put(&paused).await;
    assert_eq!(server.get("/api/push/first-token").await.status, 200, "a paused monitor is heard too");
    let rotated = Monitor { token: monitor(2, "second-token", &[]).token, ..made };
    server.put(&rotated).await;
    assert_eq!(server.get("/api/push/first-token").await.status, 404, "no overlap");
    assert_eq!(server.get("/api/push/second-token").await.status, 200);
    server.delete(&rotated).await;
    assert_eq!(server.get("/api/push/second-token").await.status, 404);
}

#[tokio::test]
async fn a_token_that_pushes_too_fast_is_told_when_to_come_back() {
    let server = Server::ready(Config { push_limit: 1, push_burst: 2, ..Config::default() }).await;
    for rest in ["?status=x", "?value=x", "?status=x"] {
        assert_eq!(server.get(&path(rest)).await.status, 400, "not charged");
    }
    server.log.set(AppendFate::Fails);
    for _ in 0..5 {
        let reply = server.get(&path("")).await;
        assert_eq!(reply.status, 503, "not charged either");
        assert!(
            reply.header("retry-after").is_some_and(|secs| secs.parse::<u64>().is_ok_and(|secs| secs > 0))
        );
        assert!(reply.body.starts_with(r#"{"ok":false,"error":""#));
    }
    server.log.set(AppendFate::Lands);
    assert_eq!(server.get(&path("")).await.status, 200);
    assert_eq!(server.get(&path("")).await.status, 200);
    let limited = server.get(&path("")).await;
    assert_eq!(limited.status, 429);
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(limited.body.starts_with(r#"{"ok":false,"error":""#));
    assert_eq!(server.heartbeats().len(), 2);
    assert_eq!(server.get(&path("?status=down")).await.status, 200, "a change of state is heard");
    assert_eq!(server.get(&path("?status=down")).await.status, 429, "once");
}

#[tokio::test]
async fn a_push_that_cannot_be_recorded_in_time_is_refused_and_told() {
    let server = Server::ready(Config::default()).await;
    server.log.set(AppendFate::LandsAfter(Duration::from_millis(2_500)));
    let reply = server.get(&path("")).await;
    assert_eq!(reply.status, 503);
    server.log.set(AppendFate::Lands);
    eventually("the next frame tells of it", async || {
        (server.log.landed().iter().map(|frame| frame.refused).sum::<u64>() == 1).then_some(())
    })
    .await;
}

/// Sends a push on an open connection and waits for its 200.
async fn exchange(stream: &mut TcpStream, request: &str) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(br#"{"ok":true,"status":"up"}"#) {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "it stays open");
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn one_connection_carries_many_pushes() {
    let server = Server::ready(Config::default()).await;
    let mut stream = server.connect().await;
    let one = format!("POST {} HTTP/1.1\r\nhost: lubdub\r\ncontent-length: 5\r\n\r\nhello", path(""));
    for _ in 0..20 {
        exchange(&mut stream, &one).await;
    }
    assert_eq!(server.heartbeats().len(), 20);
    assert_eq!(server.last_heartbeat().output.as_deref(), Some(b"hello".as_slice()));
}

#[tokio::test]
async fn an_idle_connection_is_kept_longer_than_balancers_keep_theirs() {
    let server = Server::ready(Config::default()).await;
    let mut stream = server.connect().await;
    let one = format!("GET {} HTTP/1.1\r\nhost: lubdub\r\n\r\n", path(""));
    for _ in 0..3 {
        exchange(&mut stream, &one).await;
        // No socket is waited for while time stands still.
        tokio::time::pause();
        // In steps, because a process in which time jumps was frozen.
        for _ in 0..375 {
            tokio::time::advance(Duration::from_millis(200)).await;
        }
        tokio::time::resume();
    }
    exchange(&mut stream, &one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_connections_at_once_are_recorded_once_each_and_at_distinct_times() {
    let (connections, pushes) = (48, 40);
    let server = Server::ready(Config { push_limit: 0, ..Config::default() }).await;
    server.put(&monitor(2, "another-token", &[])).await;
    server.log.set(AppendFate::LandsAfter(Duration::from_millis(1)));
    let mut clients = JoinSet::new();
    for connection in 0..connections {
        let mut stream = server.connect().await;
        clients.spawn(async move {
            for push in 0..pushes {
                let value = connection * pushes + push;
                let token = if push % 2 == 0 { TOKEN } else { "another-token" };
                let request = format!("GET /api/push/{token}?value={value} HTTP/1.1\r\nhost: lubdub\r\n\r\n");
                exchange(&mut stream, &request).await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let heartbeats = server.heartbeats();
    let mut values: Vec<u64> = heartbeats.iter().map(|heartbeat| heartbeat.value.unwrap() as u64).collect();
    values.sort_unstable();
    assert_eq!(values, (0..connections * pushes).collect::<Vec<_>>());
    for monitor in [monitor_id(1), monitor_id(2)] {
        let times: Vec<_> = heartbeats
            .iter()
            .filter(|found| found.monitor == monitor)
            .map(|found| found.received_at)
            .collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "in order, and no two alike");
    }
    let frames = server.log.landed().iter().filter(|frame| !frame.heartbeats.is_empty()).count();
    assert!((frames as u64) < connections * pushes, "they share frames");
}

#[tokio::test]
async fn a_message_in_the_url_may_be_raw_and_long() {
    let server = Server::ready(Config::default()).await;
    assert_eq!(server.get(&path("?msg=größe")).await.status, 200);
    assert_eq!(server.last_heartbeat().message.as_deref(), Some("größe"));
    let long = "%F0%9F%98%80".repeat(1_200);
    assert_eq!(server.get(&path(&format!("?msg={long}"))).await.status, 200);
    assert_eq!(server.last_heartbeat().message.unwrap(), "\u{1f600}".repeat(1_000));
}

#[tokio::test]
async fn an_alert_of_lubdub_itself_is_a_loop_and_those_of_others_are_welcome() {
    let server = Server::ready(Config::default()).await;
    for (agent, expected) in [
        ("lubdub-notifier/0.1.0", 508),
        ("Lubdub-Notifier/2", 508),
        ("lubdub/0.1.0", 200),
        ("Alertmanager/0.27", 200),
        ("", 200),
    ] {
        let before = server.heartbeats().len();
        let body = br#"{"status":"down"}"#;
        let headers = [("user-agent", agent), ("content-type", "application/json")];
        let reply = server.request("POST", &path(""), &headers, body).await;
        assert_eq!(reply.status, expected, "{agent}: {}", reply.body);
        assert_eq!(server.heartbeats().len() - before, usize::from(expected == 200), "{agent}");
    }
    // Of a channel that has a user agent of its own.
    let headers = [("user-agent", "mine/1"), ("lubdub-notifier", "0.1.0")];
    assert_eq!(server.request("POST", &path(""), &headers, b"").await.status, 508);
}

#[tokio::test]
async fn whoever_tries_many_tokens_is_slowed_down_and_good_clients_at_its_address_are_not() {
    let config = Config { trusted_proxies: "127.0.0.0/8".parse().unwrap(), ..Config::default() };
    let server = Server::ready(config).await;
    let from = async |address: &str, path: &str| {
        server.request("GET", path, &[("x-forwarded-for", address)], b"").await
    };
    let mut statuses = Vec::new();
    for n in 0..40 {
        let reply = from("198.51.100.7", &format!("/api/push/a-token-that-nobody-has-{n}")).await;
        if reply.status == 429 {
            assert!(reply.header("retry-after").is_some(), "{}", reply.body);
        }
        statuses.push(reply.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 30, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 10, "{statuses:?}");
    let limited = from("198.51.100.7", "/api/push/nobody-has-it").await;
    assert!(limited.status == 429 && !limited.body.contains("proxy"), "{}", limited.body);
    assert_eq!(from("198.51.100.7", &path("")).await.status, 200, "a good token from the same address");
    assert_eq!(from("198.51.100.8", "/api/push/nobody-has-it").await.status, 404, "another address");
}

#[tokio::test]
async fn clients_of_a_proxy_that_is_not_trusted_hear_why_they_are_one() {
    let server = Server::ready(Config::default()).await;
    let from =
        async |header: &str, path: &str| server.request("GET", path, &[(header, "198.51.100.7")], b"").await;
    for _ in 0..30 {
        assert_eq!(from("x-forwarded-for", "/api/push/nobody-has-it").await.status, 404);
    }
    for (header, told) in [("x-forwarded-for", true), ("forwarded", true), ("x-other", false)] {
        let limited = from(header, "/api/push/nobody-has-it").await;
        assert_eq!(limited.status, 429);
        let json: serde_json::Value = serde_json::from_str(&limited.body).expect("JSON");
        let error = json["error"].as_str().expect("an error");
        assert_eq!(error.contains("not in --trusted-proxies"), told, "{header}: {error}");
        assert!(error.contains(": try again in "), "{error}");
    }
    assert_eq!(from("x-forwarded-for", &path("")).await.status, 200, "a good token is taken as ever");
}

#[tokio::test]
async fn what_stands_behind_a_token_is_no_part_of_it() {
    let server = Server::ready(Config::default()).await;
    for rest in [
        "&status=down",
        "&status=down&msg=disk%20full",
        "=x&status=down%20",
        "=%20",
        "+%20",
        "%26status%3Ddown",
        "%3Fstatus%3Ddown",
        ";status=down%20",
        "%20",
    ] {
        let reply = server.get(&format!("/api/push/{TOKEN}{rest}")).await;
        assert_eq!(reply.status, 404, "{rest}");
    }
    assert!(server.heartbeats().is_empty());
}
