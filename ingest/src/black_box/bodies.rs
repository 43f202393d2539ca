use std::time::Duration;

use model::heartbeat::{HeartbeatKind, MAX_OUTPUT_BYTES};
use tokio::io::AsyncWriteExt;

use super::{Reply, Server, TOKEN};
use crate::{Config, Limits};
use doubles::eventually;

const FORM: &str = "application/x-www-form-urlencoded";

fn impatient() -> Config {
    Config {
        limits: Limits { body_timeout: Duration::from_millis(300), ..Limits::default() },
        ..Config::default()
    }
}

fn path() -> String {
    format!("/api/push/{TOKEN}")
}

fn head(rest: &str) -> String {
    format!("POST {} HTTP/1.1\r\nhost: lubdub\r\n{rest}\r\n\r\n", path())
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

#[tokio::test]
async fn what_came_of_a_slow_body_in_time_is_used() {
    let server = Server::ready(impatient()).await;
    for (rest, sent, output, kind) in [
        ("content-length: 100", "so far", Some("so far"), HeartbeatKind::Up),
        ("transfer-encoding: chunked", "6\r\nso far\r\n", Some("so far"), HeartbeatKind::Up),
        ("content-length: 100", "status=down", None, HeartbeatKind::Down),
        ("content-length: 100", "", None, HeartbeatKind::Up),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(head(rest).as_bytes()).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let reply = Reply::read(stream).await;
        assert_eq!((reply.status, reply.header("connection")), (200, Some("close")), "{rest}, {sent}");
        let heartbeat = server.last_heartbeat();
        assert_eq!(heartbeat.output.as_deref(), output.map(str::as_bytes), "{rest}, {sent}");
        assert_eq!(heartbeat.kind, kind, "{rest}, {sent}");
    }
    assert_eq!(server.heartbeats().len(), 4);
}

#[tokio::test]
async fn the_time_for_a_body_is_counted_in_all() {
    let server = Server::ready(impatient()).await;
    let mut stream = server.connect().await;
    stream.write_all(head("content-length: 100000").as_bytes()).await.unwrap();
    let (read, mut write) = stream.into_split();
    let mut trickle = tokio::task::JoinSet::new();
    trickle.spawn(async move {
        // The client writes until the server closes the connection.
        while write.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = [0; 12];
    let mut read = read;
    tokio::io::AsyncReadExt::read_exact(&mut read, &mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let length = server.last_heartbeat().output.unwrap().len();
    assert!((1..100).contains(&length), "{length}");
}

#[tokio::test]
async fn of_a_body_that_broke_off_nothing_is_recorded() {
    let server = Server::ready(Config::default()).await;
    for (rest, sent) in [
        ("content-length: 100", "status=down"),
        ("transfer-encoding: chunked", "6\r\nso far\r\n"),
        ("transfer-encoding: chunked", "nonsense\r\n"),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(head(rest).as_bytes()).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        // Time to be read before the end comes.
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.shutdown().await.unwrap();
        let reply = Reply::read(stream).await;
        assert_ne!(reply.status, 200, "{rest}");
    }
    assert_eq!(server.get(&path()).await.status, 200);
    assert_eq!(server.heartbeats().len(), 1, "only the last one");
}

#[tokio::test]
async fn slow_clients_in_number_do_not_hold_up_a_quick_one() {
    let server = Server::ready(Config { push_limit: 0, ..impatient() }).await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = server.connect().await;
        stream.write_all(head("content-length: 50").as_bytes()).await.unwrap();
        stream.write_all(b"slow").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(server.get(&path()).await.status, 200);
    eventually("every push is recorded", async || (server.heartbeats().len() == 301).then_some(())).await;
    for stream in slow {
        assert_eq!(Reply::read(stream).await.status, 200);
    }
}
