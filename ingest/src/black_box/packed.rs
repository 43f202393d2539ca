//! Compressed bodies.

use std::io::Write;
use std::time::Duration;

use doubles::eventually;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use model::heartbeat::{HeartbeatKind, MAX_OUTPUT_BYTES};
use tokio::io::AsyncWriteExt;

use super::{Reply, Server, TOKEN};
use crate::{Config, Limits};

const FORM: &str = "application/x-www-form-urlencoded";

fn path(query: &str) -> String {
    format!("/api/push/{TOKEN}{query}")
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn deflate(text: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

impl Server {
    async fn packed(&self, query: &str, encoding: &str, kind: &str, body: &[u8]) -> Reply {
        self.request("POST", &path(query), &[("content-encoding", encoding), ("content-type", kind)], body)
            .await
    }
}

fn config_of(push_limit: u32, push_burst: u32) -> Config {
    Config { push_limit, push_burst, ..Config::default() }
}

#[tokio::test]
async fn a_compressed_body_is_heard() {
    let server = Server::ready(Config::default()).await;
    let form = b"status=down&msg=disk+full";
    let (first, second) = form.split_at(9);
    for (encoding, body) in [
        ("gzip", gzip(form)),
        ("GZip", gzip(form)),
        ("x-gzip", gzip(form)),
        ("gzip", [gzip(first), gzip(second)].concat()),
        ("deflate", zlib(form)),
        ("deflate", deflate(form, 6)),
        ("Deflate", deflate(form, 0)),
        ("identity, gzip,", gzip(form)),
        ("identity", form.to_vec()),
        ("", form.to_vec()),
    ] {
        let reply = server.packed("?msg=", encoding, FORM, &body).await;
        assert_eq!((reply.status, &*reply.body), (200, r#"{"ok":true,"status":"down"}"#), "{encoding}");
        let heartbeat = server.last_heartbeat();
        assert_eq!((heartbeat.message.as_deref(), heartbeat.output), (Some("disk full"), None), "{encoding}");
    }
    let json = gzip(br#"{"status":"down"}"#);
    assert_eq!(server.packed("?status=up", "gzip", "application/json", &json).await.status, 200);
    assert_eq!(server.last_heartbeat().kind, HeartbeatKind::Down);
}

#[tokio::test]
async fn of_compressed_output_the_end_is_kept_as_it_was() {
    let server = Server::ready(Config::default()).await;
    let log: Vec<u8> = (0..400_000_u32).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    for body in [gzip(&log), gzip(b"")] {
        assert_eq!(server.packed("", "gzip", "text/plain", &body).await.status, 200);
    }
    let outputs: Vec<_> = server.heartbeats().into_iter().map(|heartbeat| heartbeat.output).collect();
    assert_eq!(outputs[0].as_deref(), Some(&log[log.len() - MAX_OUTPUT_BYTES..]));
    assert_eq!(outputs[1], None);
}

#[tokio::test]
async fn an_encoding_that_cannot_be_read_is_refused_with_those_that_can() {
    let server = Server::ready(Config::default()).await;
    for encoding in ["br", "zstd", "compress", "gzip, gzip", "gzip, deflate", "aws-chunked", "gzip;q=1"] {
        for query in ["", "?status=up"] {
            let reply = server.packed(query, encoding, FORM, b"status=down").await;
            assert_eq!(reply.status, 415, "{encoding}");
            assert!(reply.body.contains("gzip, deflate or identity"), "{}", reply.body);
            assert_eq!(reply.header("accept-encoding"), Some("gzip, deflate"));
        }
    }
    assert!(server.heartbeats().is_empty());
    assert_eq!(server.packed("?status=down", "br", FORM, b"").await.status, 200, "nothing to unpack");
}

#[tokio::test]
async fn a_compressed_body_that_is_damaged_or_cut_off_did_not_arrive_whole() {
    let server = Server::ready(Config::default()).await;
    let form = b"msg=all+is+well+so+far&status=down".repeat(9);
    let mut flipped = gzip(&form);
    let sum = flipped.len() - 6;
    flipped[sum] ^= 1;
    let cut = |packed: Vec<u8>, by: usize| packed[..packed.len() - by].to_vec();
    let bad = [
        ("gzip", flipped),
        ("gzip", cut(gzip(&form), 1)),
        ("gzip", cut(gzip(&form), 12)),
        ("gzip", vec![0x1f]),
        ("gzip", [gzip(&form), b"more".to_vec()].concat()),
        ("gzip", form.clone()),
        ("deflate", cut(zlib(&form), 1)),
        ("deflate", cut(deflate(&form, 6), 2)),
        ("deflate", form.clone()),
    ];
    for (encoding, body) in &bad {
        let reply = server.packed("", encoding, FORM, body).await;
        assert_eq!(reply.status, 400, "{encoding}: {}", reply.body);
        assert!(reply.body.contains("damaged or cut off"), "{}", reply.body);
    }
    assert!(server.heartbeats().is_empty());
    for (encoding, body) in &bad {
        let reply = server.packed("?status=down", encoding, FORM, body).await;
        assert_eq!((reply.status, &*reply.body), (200, r#"{"ok":true,"status":"down"}"#), "{encoding}");
    }
    assert_eq!(server.heartbeats().len(), bad.len());
}

#[tokio::test]
async fn a_body_that_unpacks_to_very_much_is_bounded() {
    let server = Server::ready(Config::default()).await;
    let bomb = gzip(&vec![b'x'; 70 << 20]);
    assert!(bomb.len() < 100_000);
    let reply = server.packed("", "gzip", "text/plain", &bomb).await;
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    assert!(server.heartbeats().is_empty());
    let reply = server.packed("?status=down", "gzip", "text/plain", &bomb).await;
    assert_eq!((reply.status, &*reply.body), (200, r#"{"ok":true,"status":"down"}"#));
    assert_eq!(server.last_heartbeat().output.map(|kept| kept.len()), Some(MAX_OUTPUT_BYTES));
}

#[tokio::test]
async fn what_is_unpacked_in_vain_counts_towards_the_limit_of_its_token() {
    let server = Server::ready(config_of(1, 2)).await;
    let damaged = &gzip(b"status=up")[..12];
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(server.packed("", "gzip", FORM, damaged).await.status);
    }
    // The burst, and the reserve for changes.
    assert_eq!(statuses, [[400; 8].as_slice(), &[429; 2]].concat());
    let limited = server.packed("", "gzip", FORM, &gzip(b"status=up")).await;
    assert!(limited.header("retry-after").is_some(), "{limited:?}");
    assert!(server.heartbeats().is_empty());
    // What is not unpacked costs as little as ever, and a failure that comes in time has its reserve.
    let server = Server::ready(config_of(1, 1)).await;
    for _ in 0..10 {
        assert_eq!(server.post(&path(""), FORM, b"status=bogus").await.status, 400);
    }
    assert_eq!(server.packed("", "gzip", FORM, &gzip(b"status=up")).await.status, 200);
    assert_eq!(server.packed("", "gzip", FORM, &gzip(b"status=up")).await.status, 429);
    assert_eq!(server.packed("", "gzip", FORM, &gzip(b"status=down")).await.status, 200);
}

#[tokio::test]
async fn few_bodies_of_a_token_are_unpacked_at_once() {
    let server = Server::ready(Config::default()).await;
    let body = gzip(b"status=down");
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: lubdub\r\nconnection: close\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        path(""),
        body.len()
    );
    let mut slow = Vec::new();
    for _ in 0..Limits::default().unpacked_of_a_token {
        let mut one = server.connect().await;
        one.write_all(head.as_bytes()).await.unwrap();
        let mut asked = [0; 25];
        tokio::io::AsyncReadExt::read_exact(&mut one, &mut asked).await.unwrap();
        slow.push(one);
    }
    let reply = server.packed("", "gzip", FORM, &body).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("2")));
    for mut one in slow {
        one.write_all(&body).await.unwrap();
        assert_eq!(Reply::read(one).await.status, 200);
    }
    assert_eq!(server.packed("", "gzip", FORM, &body).await.status, 200);
}

#[tokio::test]
async fn few_bodies_are_unpacked_at_once() {
    let limits =
        Limits { unpacked_at_once: 1, unpacking_wait: Duration::from_millis(100), ..Limits::default() };
    let server = Server::ready(Config { limits, ..Config::default() }).await;
    let body = gzip(b"status=down");
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: lubdub\r\nconnection: close\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        path(""),
        body.len()
    );
    let mut slow = server.connect().await;
    slow.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body when it is about to read it.
    let mut asked = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut slow, &mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    let reply = server.packed("", "gzip", FORM, &body).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("2")));
    eventually("a frame tells that a push was refused", async || {
        server.log.landed().iter().any(|frame| frame.refused == 1).then_some(())
    })
    .await;
    assert_eq!(server.post(&path(""), FORM, b"status=down").await.status, 200, "others are not held up");
    slow.write_all(&body).await.unwrap();
    assert_eq!(Reply::read(slow).await.status, 200);
    assert_eq!(server.packed("", "gzip", FORM, &body).await.status, 200);
}
