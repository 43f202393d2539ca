//! A name server that changes its mind, asked by the system's own resolver.
//!
//! The test runs itself again in namespaces of its own, where a public address is this host's and the only
//! name server is the test's.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use model::delivery::DeliveryState;
use sending::address_guard::AddressGuard;

use super::world::World;

const PUBLIC: Ipv4Addr = Ipv4Addr::new(1, 2, 3, 4);

/// Answers A questions with the public address the first time and with loopback from then on; other questions
/// with nothing.
fn name_server() -> Arc<AtomicU32> {
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            // The header is 12 bytes; the name ends with an empty label, the type and the class follow.
            let name_end = 12 + question[12..length].iter().position(|byte| *byte == 0).unwrap();
            let is_for_v4 = question[name_end + 1..name_end + 3] == [0, 1];
            let address = match (is_for_v4, counted.load(Ordering::SeqCst)) {
                (true, 0) => Some(PUBLIC),
                (true, _) => Some(Ipv4Addr::LOCALHOST),
                (false, _) => None,
            };
            counted.fetch_add(u32::from(is_for_v4), Ordering::SeqCst);
            let mut answer = question[..name_end + 5].to_vec();
            // An answer, recursion available; one question, as many answers as there are, nothing else.
            answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
            if let Some(address) = address {
                // The question's name, A, IN, for 0 s, four bytes.
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                answer.extend(address.octets());
            }
            socket.send_to(&answer, from).unwrap();
        }
    });
    asked
}

/// Takes connections and counts them.
fn listener(address: SocketAddr) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind(address).unwrap();
    let port = listener.local_addr().unwrap().port();
    let visits = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&visits);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(b"HTTP/1.1 500 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (port, visits)
}

#[test]
fn a_name_that_changes_between_attempts_leads_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let resolv_conf = folder.path().join("resolv.conf");
    std::fs::write(&resolv_conf, "nameserver 127.0.0.1\n").unwrap();
    let program = std::env::current_exe().unwrap();
    let script = "ip link set lo up && ip address add \"$1/32\" dev lo && mount --bind \"$2\" /etc/resolv.conf && \
                  exec \"$3\" --exact --ignored --nocapture tests::rebinding::inside_the_namespaces";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--mount", "sh", "-ec", script, "sh"]);
    let output = command.arg(PUBLIC.to_string()).arg(&resolv_conf).arg(program).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "it is run by the test above"]
async fn inside_the_namespaces() {
    let asked = name_server();
    let (port, visits) = listener((PUBLIC, 0).into());
    let (_, intrusions) = listener((IpAddr::from(Ipv4Addr::LOCALHOST), port).into());
    let mut world = World::new();
    world.allow_private = "";
    assert!(AddressGuard::default().check(PUBLIC.into()).is_ok());
    let url = format!("http://rebound.example:{port}/");
    let channel = world.channel_with(url, |channel| channel.default = false).await;
    let monitor = world.monitor("backup", Some(vec![channel])).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    let mut delivery = world.delivery(id, DeliveryState::Pending, 1).await;
    for attempts in 2..=4 {
        world.advance(Duration::from_secs(100)).await;
        delivery = world.delivery(id, DeliveryState::Pending, attempts).await;
    }
    running.drain().await;
    let errors: Vec<String> = delivery.attempts.iter().filter_map(|attempt| attempt.error.clone()).collect();
    assert_eq!(errors[0], "answered 500 Internal Server Error");
    for error in &errors[1..] {
        assert!(error.starts_with("127.0.0.1 is a loopback address"), "{error}");
    }
    assert_eq!(visits.load(Ordering::SeqCst), 1);
    assert_eq!(intrusions.load(Ordering::SeqCst), 0);
    assert_eq!(asked.load(Ordering::SeqCst), 4, "one look-up for each connection");
}
