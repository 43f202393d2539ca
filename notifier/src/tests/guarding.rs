//! What the notifier does not let receivers do to it.

use std::io::{Read, Write};
use std::net::TcpListener;

use common::model::delivery::DeliveryState;

use super::receiver::{Receiver, Reply};
use super::world::World;

#[tokio::test]
async fn private_addresses_are_refused_when_they_are_used() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let port = receiver.url("").rsplit(':').next().unwrap().to_owned();
    let mut world = World::new();
    world.allow_private = "10.0.0.0/8";
    let running = world.start();
    for (n, host) in
        ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "a.localhost"].iter().enumerate()
    {
        let url = format!("http://{host}:{port}/");
        let channel = world.channel_with(url, |channel| channel.default = false).await;
        let monitor = world.monitor(&format!("monitor {n}"), Some(vec![channel])).await;
        let id = world.alert(monitor, 1, channel).await;
        let pending = world.delivery(id, DeliveryState::Pending, 1).await;
        let error = pending.attempts[0].error.clone().unwrap();
        assert!(
            error.contains("is a loopback address; to allow it, add --allow-private 127.0.0.0/8"),
            "{error}"
        );
        assert_eq!(pending.attempts[0].status, None);
    }
    running.drain().await;
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn of_an_endless_answer_the_beginning_is_read() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4_096];
        let _ = stream.read(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nbegun \xff").unwrap();
        let mut written: u64 = 0;
        while stream.write_all(&[b'x'; 4_096]).is_ok() {
            written += 4_096;
        }
        written
    });
    let mut world = World::new();
    let channel = world.channel(url).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    let delivered = world.delivery(id, DeliveryState::Delivered, 1).await;
    let answer = delivered.attempts[0].answer.clone().unwrap();
    assert!(answer.starts_with("begun \u{fffd}xxx") && answer.len() <= 2_048, "{} bytes", answer.len());
    running.drain().await;
    let written = tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
    // What the two sockets hold besides.
    assert!(written < 16 * 1024 * 1024, "{written} bytes were taken");
}

#[tokio::test]
async fn an_answer_that_stalls_counts_by_its_status() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4_096];
        let _ = stream.read(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").unwrap();
        // Until the other side gives up.
        while stream.read(&mut head).is_ok_and(|read| read > 0) {}
    });
    let mut world = World::new();
    world.limits.attempt = std::time::Duration::from_millis(300);
    let channel = world.channel(url).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    let delivered = world.delivery(id, DeliveryState::Delivered, 1).await;
    assert_eq!(delivered.attempts[0].answer.as_deref(), Some("half"));
    running.drain().await;
    tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
}
