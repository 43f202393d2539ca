//! Guards: what the notifier does not let receivers do to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use model::delivery::DeliveryState;

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
            error.contains(
                "is a loopback address; to allow it, start Lubdub with --allow-private 127.0.0.0/8"
            ),
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
    // The two sockets buffer the rest.
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
        // Reads until the other side gives up.
        while stream.read(&mut head).is_ok_and(|read| read > 0) {}
    });
    let mut world = World::new();
    world.limits.attempt = Duration::from_millis(300);
    let channel = world.channel(url).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    let delivered = world.delivery(id, DeliveryState::Delivered, 1).await;
    assert_eq!(delivered.attempts[0].answer.as_deref(), Some("half"));
    running.drain().await;
    tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
}

/// Answers one connection with these bytes, one every so often, and then closes it, or resets it if there is
/// nothing to say.
fn answering(bytes: &[u8], every: Duration) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let bytes = bytes.to_vec();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        if bytes.is_empty() {
            // Unread bytes would turn the close into a reset.
            std::thread::sleep(every);
            return;
        }
        read_request(&mut stream);
        for byte in bytes {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::sleep(every);
        }
    });
    (url, server)
}

/// Reads a request to its end: what is left unread would turn a later close into a reset, and the answer with
/// it would be lost.
fn read_request(stream: &mut TcpStream) {
    let mut request = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        request.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    request.read_exact(&mut vec![0; length]).unwrap();
}

#[tokio::test]
async fn slow_drips_are_cut_off_and_a_reset_is_a_broken_exchange() {
    // Right as far as it goes, however many bytes of it are read at once.
    let never = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'H'; 600]].concat();
    let redirect = b"HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let patient = Duration::from_millis(1);
    for (bytes, every, status, expected) in [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\ndrip drip drip".as_slice(), 5, Some(200), ""),
        (&never, 10, None, "no answer within 2 s"),
        (b"", 100, None, "the exchange broke off: "),
        (b"HTTP/1.1 2", 1, None, "the exchange broke off: "),
        (redirect, 0, Some(307), "answered 307 Temporary Redirect; redirects are not followed"),
    ] {
        let (url, server) = answering(bytes, patient * every);
        let mut world = World::new();
        world.limits.attempt = Duration::from_secs(2);
        let channel = world.channel(url).await;
        let monitor = world.monitor("backup", None).await;
        let running = world.start();
        let id = world.alert(monitor, 1, channel).await;
        let state = if expected.is_empty() { DeliveryState::Delivered } else { DeliveryState::Pending };
        let delivery = world.delivery(id, state, 1).await;
        let attempt = &delivery.attempts[0];
        let error = attempt.error.clone().unwrap_or_default();
        assert!(error.starts_with(expected) && error.is_empty() == expected.is_empty(), "{error}");
        assert_eq!(attempt.status, status, "{error}");
        running.drain().await;
        tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
    }
}
