use std::time::Duration;

use model::byte_size::ByteSize;
use model::heartbeat::{HeartbeatKind, MAX_OUTPUT_BYTES};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Reply, Server, TOKEN, monitor};
use crate::{Config, Limits};
use doubles::{AppendFate, eventually};

const FORM: &str = "application/x-www-form-urlencoded";

fn impatient() -> Config {
    Config {
        limits: Limits { body_pause: Duration::from_millis(300), ..Limits::default() },
        ..Config::default()
    }
}

fn path() -> String {
    format!("/api/push/{TOKEN}")
}

fn head(rest: &str) -> String {
    head_with("", rest)
}

fn head_with(query: &str, rest: &str) -> String {
    format!("POST {}{query} HTTP/1.1\r\nhost: lubdub\r\n{rest}\r\n\r\n", path())
}

#[tokio::test]
async fn a_body_is_parameters_or_output() {
    let server = Server::ready(Config::default()).await;
    let reply = server.post(&path(), FORM, b"status=down&msg=disk+full&value=97.5").await;
    assert_eq!(reply.status, 200);
    let heartbeat = server.last_heartbeat();
    assert_eq!((heartbeat.kind, heartbeat.message.as_deref()), (HeartbeatKind::Down, Some("disk full")));
    assert_eq!((heartbeat.value, heartbeat.output), (Some(97.5), None));

    let reply = server.post(&path(), "application/json", br#"{"status":"up","value":3}"#).await;
    assert_eq!(reply.status, 200);
    assert_eq!(server.last_heartbeat().value, Some(3.0));

    let any_bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(server.post(&path(), FORM, &any_bytes).await.status, 200);
    assert_eq!(server.last_heartbeat().output.as_deref(), Some(any_bytes.as_slice()));

    assert_eq!(server.post(&path(), "application/json", br#"{"status":"broken"}"#).await.status, 400);
    assert_eq!(server.heartbeats().len(), 3);
}

#[tokio::test]
async fn a_status_is_heard_in_a_body_of_any_length() {
    let server = Server::ready(Config::default()).await;
    for length in [MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES + 1, 20_000_000] {
        let mut body: Vec<u8> = b"status=down&msg=".to_vec();
        body.resize(length, b'x');
        body.splice(length - 3.., *b"end");
        assert_eq!(server.post(&path(), FORM, &body).await.status, 200, "{length}");
        let heartbeat = server.last_heartbeat();
        assert_eq!((heartbeat.output, heartbeat.kind), (None, HeartbeatKind::Down), "{length}");
    }
}

#[tokio::test]
async fn of_large_output_the_end_is_kept() {
    let server = Server::ready(Config::default()).await;
    for length in [MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES + 1, 20_000_000] {
        let mut body = vec![b'x'; length];
        body.splice(length - 3.., *b"end");
        assert_eq!(server.post(&path(), "text/plain", &body).await.status, 200, "{length}");
        let kept = server.last_heartbeat().output.expect("output");
        assert!(kept == body[length - length.min(MAX_OUTPUT_BYTES)..], "{length}");
    }
}

#[tokio::test]
async fn a_body_without_a_length_comes_in_chunks() {
    let server = Server::ready(Config::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(head("transfer-encoding: chunked\r\nconnection: close").as_bytes()).await.unwrap();
    for _ in 0..30 {
        stream.write_all(b"200\r\n").await.unwrap();
        stream.write_all(&[b'y'; 512]).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    }
    stream.write_all(b"3\r\nend\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(Reply::read(stream).await.status, 200);
    let output = server.last_heartbeat().output.unwrap();
    assert_eq!(output.len(), MAX_OUTPUT_BYTES);
    assert!(output.ends_with(b"yyyend"));
}

/// Sends a head and a part of its body, and waits for the answer.
async fn stalled(server: &Server, query: &str, rest: &str, sent: &str) -> Reply {
    let mut stream = server.connect().await;
    stream.write_all(head_with(query, rest).as_bytes()).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    Reply::read(stream).await
}

#[tokio::test]
async fn a_body_that_does_not_go_on_is_not_recorded() {
    let server = Server::ready(impatient()).await;
    for (rest, sent) in [
        ("content-length: 100", "so far"),
        ("transfer-encoding: chunked", "6\r\nso far\r\n"),
        ("content-length: 100", "status=down"),
        ("content-length: 100", "status=up&msg=x&status="),
        ("content-length: 100", ""),
    ] {
        let reply = stalled(&server, "", rest, sent).await;
        assert_eq!((reply.status, reply.header("connection")), (408, Some("close")), "{rest}, {sent}");
        assert!(reply.body.contains("did not arrive whole"), "{}", reply.body);
    }
    assert!(server.heartbeats().is_empty());
}

#[tokio::test]
async fn a_status_in_the_query_counts_with_what_came_of_the_body() {
    let server = Server::ready(impatient()).await;
    for (query, sent, output, kind) in [
        ("?status=up", "so far", Some("so far"), HeartbeatKind::Up),
        ("?status=down", "so far", Some("so far"), HeartbeatKind::Down),
        ("?status=down", "", None, HeartbeatKind::Down),
        // A failure that came before the body broke off is not lost, and nothing else of it is believed.
        (
            "?status=up&value=1",
            "status=down&msg=x&value=12",
            Some("status=down&msg=x&value=12"),
            HeartbeatKind::Down,
        ),
        (
            "?status=up&value=1",
            r#"{"status":"down","msg":"x"#,
            Some(r#"{"status":"down","msg":"x"#),
            HeartbeatKind::Down,
        ),
        ("?status=up&value=1", "status=nonsen", Some("status=nonsen"), HeartbeatKind::Up),
    ] {
        let reply = stalled(&server, query, "content-length: 100", sent).await;
        assert_eq!((reply.status, reply.header("connection")), (200, Some("close")), "{query}, {sent}");
        let heartbeat = server.last_heartbeat();
        assert_eq!(heartbeat.output.as_deref(), output.map(str::as_bytes), "{query}, {sent}");
        assert_eq!((heartbeat.kind, heartbeat.message), (kind, None), "{query}, {sent}");
        assert_eq!(heartbeat.value, query.contains("value").then_some(1.0), "{query}, {sent}");
    }
}

/// Writes into a body, little by little, until the server answers; its status.
async fn trickle(server: &Server, query: &str, pieces: Option<usize>) -> u16 {
    let mut stream = server.connect().await;
    let rest = "transfer-encoding: chunked\r\nconnection: close";
    stream.write_all(head_with(query, rest).as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let mut writing = tokio::task::JoinSet::new();
    writing.spawn(async move {
        let mut sent = 0;
        while pieces != Some(sent) && write.write_all(b"1\r\n.\r\n").await.is_ok() {
            sent += 1;
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        let _ = write.write_all(b"0\r\n\r\n").await;
        // The server closes the connection.
        std::future::pending::<()>().await;
    });
    let mut answer = [0; 12];
    read.read_exact(&mut answer).await.unwrap();
    str::from_utf8(&answer[9..]).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_body_may_take_longer_than_any_pause_in_it() {
    let limits = Limits { body_pause: Duration::from_millis(600), ..Limits::default() };
    let server = Server::ready(Config { limits, ..Config::default() }).await;
    assert_eq!(trickle(&server, "", Some(20)).await, 200);
    assert_eq!(server.last_heartbeat().output.as_deref(), Some(&[b'.'; 20][..]));
}

#[tokio::test]
async fn the_time_for_a_body_is_counted_in_all() {
    let limits = Limits { body_time: Duration::from_millis(500), ..Limits::default() };
    let server = Server::ready(Config { limits, ..Config::default() }).await;
    assert_eq!(trickle(&server, "", None).await, 408);
    assert!(server.heartbeats().is_empty());
    assert_eq!(trickle(&server, "?status=down", None).await, 200);
    let length = server.last_heartbeat().output.unwrap().len();
    assert!((1..100).contains(&length), "{length}");
}

#[tokio::test]
async fn a_body_that_broke_off_counts_only_with_a_status_in_the_query() {
    let server = Server::ready(Config::default()).await;
    let mut recorded = 0;
    for (rest, sent) in [
        ("content-length: 100", "status=down"),
        ("transfer-encoding: chunked", "6\r\nso far\r\n"),
        ("transfer-encoding: chunked", "6\r\nso far\r\nnonsense\r\n"),
    ] {
        for query in ["", "?status=down"] {
            let mut stream = server.connect().await;
            stream.write_all(head_with(query, rest).as_bytes()).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let reply = Reply::read(stream).await;
            if query.is_empty() {
                assert_ne!(reply.status, 200, "{rest}");
            } else {
                recorded += 1;
            }
        }
        eventually("the failure is recorded", async || (server.heartbeats().len() == recorded).then_some(()))
            .await;
        let heartbeat = server.last_heartbeat();
        assert_eq!(heartbeat.kind, HeartbeatKind::Down);
        assert!(heartbeat.output.is_some_and(|output| sent.contains(&*String::from_utf8_lossy(&output))));
    }
}

#[tokio::test]
async fn a_client_that_is_killed_while_it_sends_has_said_its_status() {
    let server = Server::ready(Config::default()).await;
    for (query, recorded) in [("", 0), ("?status=down", 1)] {
        let mut stream = server.connect().await;
        let rest = "content-length: 100\r\nexpect: 100-continue";
        stream.write_all(head_with(query, rest).as_bytes()).await.unwrap();
        // The server asks for the body when it is about to read it.
        let mut asked = [0; 25];
        stream.read_exact(&mut asked).await.unwrap();
        stream.write_all(b"so far").await.unwrap();
        // A reset, not an orderly end.
        stream.set_zero_linger().unwrap();
        drop(stream);
        assert_eq!(server.get(&path()).await.status, 200);
        eventually(query, async || {
            let downs = server.heartbeats().iter().filter(|found| found.kind == HeartbeatKind::Down).count();
            (downs == recorded).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn slow_clients_in_number_do_not_hold_up_a_quick_one() {
    let limits = Limits { bodies_of_a_token: 1_000, ..impatient().limits };
    let server = Server::ready(Config { push_limit: 0, limits, ..Config::default() }).await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = server.connect().await;
        stream.write_all(head_with("?status=up", "content-length: 50").as_bytes()).await.unwrap();
        stream.write_all(b"slow").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(server.get(&path()).await.status, 200);
    eventually("every push is recorded", async || (server.heartbeats().len() == 301).then_some(())).await;
    for stream in slow {
        assert_eq!(Reply::read(stream).await.status, 200);
    }
}

#[tokio::test]
async fn outputs_beyond_the_tokens_limit_are_cut_and_then_dropped_but_pushes_are_taken() {
    let limited = Config { output_limit: ByteSize(10_000), push_limit: 0, ..Config::default() };
    let server = Server::ready(limited).await;
    for (size, answer, kept) in [
        (9_000, r#"{"ok":true,"status":"up"}"#, Some(9_000)),
        (9_001, r#"{"ok":true,"status":"up","output":"cut"}"#, Some(500)),
        (9_002, r#"{"ok":true,"status":"up","output":"cut"}"#, Some(500)),
        (9_003, r#"{"ok":true,"status":"up","output":"dropped"}"#, None),
    ] {
        let mut output = vec![b'-'; size - 1];
        output.push(b'!');
        let reply = server.post(&path(), "text/plain", &output).await;
        assert_eq!((reply.status, &*reply.body), (200, answer), "{size}");
        let found = server.last_heartbeat().output;
        assert_eq!(found.as_ref().map(bytes::Bytes::len), kept, "{size}");
        assert!(found.is_none_or(|output| output.ends_with(b"-!")), "its end is kept");
    }
    let reply = server.post(&path(), FORM, b"status=down&msg=heard").await;
    assert_eq!(reply.body, r#"{"ok":true,"status":"down"}"#, "a push without output says nothing of it");
}

#[tokio::test]
async fn outputs_are_left_out_while_room_runs_short() {
    let server = Server::ready(Config::default()).await;
    server.log.set_short(true);
    let reply = server.post(&path(), "text/plain", b"the job's output").await;
    assert_eq!((reply.status, &*reply.body), (200, r#"{"ok":true,"status":"up","output":"dropped"}"#));
    assert_eq!(server.last_heartbeat().output, None);
    server.log.set_short(false);
    server.post(&path(), "text/plain", b"the job's output").await;
    assert_eq!(server.last_heartbeat().output.as_deref(), Some(&b"the job's output"[..]));
}

#[tokio::test]
async fn a_log_without_room_for_outputs_takes_the_pushes_without_them() {
    let server = Server::ready(Config::default()).await;
    server.log.set(AppendFate::LandsBare);
    let reply = server.post(&path(), "text/plain", b"the job's output").await;
    assert_eq!((reply.status, &*reply.body), (200, r#"{"ok":true,"status":"up","output":"dropped"}"#));
    assert_eq!(server.heartbeats().len(), 1);
    assert_eq!(server.last_heartbeat().output, None);
    let reply = server.get(&path()).await;
    assert_eq!((reply.status, &*reply.body), (200, r#"{"ok":true,"status":"up"}"#), "it had none");
}

#[tokio::test]
async fn an_output_that_is_not_recorded_costs_its_token_nothing() {
    let limited = Config { output_limit: ByteSize(10_000), push_limit: 0, ..Config::default() };
    let server = Server::ready(limited).await;
    let output = vec![b'-'; 9_000];
    for fate in [AppendFate::Fails, AppendFate::Fails, AppendFate::LandsBare, AppendFate::LandsBare] {
        server.log.set(fate);
        let reply = server.post(&path(), "text/plain", &output).await;
        assert_eq!(reply.status, if fate == AppendFate::Fails { 503 } else { 200 });
    }
    server.log.set(AppendFate::Lands);
    let bad = format!("{}?status=dead", path());
    assert_eq!(server.post(&bad, "text/plain", &output).await.status, 400);
    let reply = server.post(&path(), "text/plain", &output).await;
    assert_eq!((reply.status, &*reply.body), (200, r#"{"ok":true,"status":"up"}"#));
    assert_eq!(server.last_heartbeat().output.map(|output| output.len()), Some(9_000));
    let reply = server.post(&path(), "text/plain", &output).await;
    assert!(reply.body.ends_with(r#""output":"cut"}"#), "what is recorded is paid for: {}", reply.body);
}

#[tokio::test]
async fn a_token_has_few_bodies_on_their_way() {
    let limits = Limits { bodies_of_a_token: 1, ..Limits::default() };
    let server = Server::ready(Config { limits, ..Config::default() }).await;
    server.put(&monitor(2, "another-token", &[])).await;
    let mut slow = server.connect().await;
    slow.write_all(head("content-length: 4\r\nexpect: 100-continue\r\nconnection: close").as_bytes())
        .await
        .unwrap();
    // The server asks for the body when it is about to read it.
    let mut asked = [0; 25];
    slow.read_exact(&mut asked).await.unwrap();
    let reply = server.post(&path(), FORM, b"x").await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("2")));
    assert_eq!(server.get(&path()).await.status, 200, "it has no body");
    assert_eq!(server.post("/api/push/another-token", FORM, b"x").await.status, 200);
    slow.write_all(b"done").await.unwrap();
    assert_eq!(Reply::read(slow).await.status, 200);
    assert_eq!(server.post(&path(), FORM, b"x").await.status, 200);
}

#[tokio::test]
async fn a_body_without_its_length_is_refused_and_none_at_all_is_welcome() {
    let server = Server::ready(Config::default()).await;
    let answer = async |first: &str, then: &str| {
        let mut stream = server.connect().await;
        stream.write_all(first.as_bytes()).await.unwrap();
        if !then.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            stream.write_all(then.as_bytes()).await.unwrap();
        }
        Reply::read(stream).await
    };
    let form = format!("content-type: {FORM}\r\n");
    for method in ["POST", "PUT", "GET"] {
        for (version, headers) in [("1.0", ""), ("1.0", form.as_str()), ("1.1", "host: lubdub\r\n")] {
            for body in ["status=down", "{\"status\":\"down\"}", "\r\nstatus=down"] {
                let head = format!("{method} {} HTTP/{version}\r\n{headers}\r\n", path());
                let reply = answer(&format!("{head}{body}"), "").await;
                assert_eq!(reply.status, 411, "{head}{body}");
                assert!(reply.body.contains("Content-Length"), "{}", reply.body);
            }
        }
    }
    let bare = format!("POST {} HTTP/1.0\n\n", path());
    assert_eq!(answer(&format!("{bare}status=down"), "").await.status, 411);
    assert_eq!(answer(&bare, "status=down").await.status, 411, "in a packet of its own");
    assert_eq!(server.heartbeats().len(), 0);

    let mut expected = 0;
    for method in ["POST", "PUT", "GET", "HEAD"] {
        let closing = "host: lubdub\r\nconnection: close\r\n";
        for (version, headers) in
            [("1.0", ""), ("1.0", form.as_str()), ("1.0", "content-length: 0\r\n"), ("1.1", closing)]
        {
            let head = format!("{method} {} HTTP/{version}\r\n{headers}\r\n", path());
            assert_eq!(answer(&head, "").await.status, 200, "{head}");
            expected += 1;
        }
    }
    // One behind the other over one connection.
    let first = format!("POST {} HTTP/1.1\r\nhost: lubdub\r\n\r\n", path());
    let last = format!("POST {} HTTP/1.1\r\nhost: lubdub\r\nconnection: close\r\n\r\n", path());
    let reply = answer(&format!("{first}{first}\r\n{last}"), "").await;
    assert_eq!((reply.status, reply.body.matches("200 OK").count()), (200, 2), "{reply:?}");
    assert_eq!(server.heartbeats().len(), expected + 3);
}
