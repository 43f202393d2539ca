//! Memory stays bounded, and a full disk is survived.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::pusher::{Habit, Pusher, check_answers, check_recorded};
use super::server::Server;
use crate::api::Monitor;
use crate::harness::eventually;
use crate::http;

/// Connections that send slowly: as many as one client gets.
const SLOW: usize = 4_000;
/// Files that this process needs besides.
const OTHER_FILES: usize = 200;
/// The server may use so much memory for them.
const SLOW_MB: u64 = 250;
/// Large bodies at once, their size, and what the server may use for them.
const BODIES: usize = 6;
const BODY_BYTES: usize = 100 << 20;
const BODIES_MB: u64 = 150;

/// Raises what this process may open: how many connections it can have.
fn possible_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit is allowed");
    let files = limit.maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    SLOW.min(files.saturating_sub(OTHER_FILES))
}

/// Pushes are answered while something else goes on.
#[track_caller]
fn check_answered(server: &Server, monitor: &Monitor) {
    for n in 0..5 {
        let begin = Instant::now();
        assert_eq!(server.push(monitor, &format!("msg=normal-{n}")), 200);
        assert!(begin.elapsed() < Duration::from_secs(5), "it took {:?}", begin.elapsed());
    }
}

#[test]
fn four_thousand_slow_connections_cost_little_and_hold_nobody_up() {
    let server = Server::start(&["--push-limit", "0"]);
    let monitor = server.monitor("job", 60, None);
    // A token has 64 bodies on their way at most.
    let many: Vec<Monitor> = (0..64).map(|n| server.monitor(&format!("job {n}"), 60, None)).collect();
    let count = possible_connections();
    let mut connections = Vec::with_capacity(count);
    for n in 0..count {
        let mut connection = TcpStream::connect(server.address())
            .unwrap_or_else(|error| panic!("connection {n} of {count}: {error}"));
        // Half of them are slow with the head, the others with the body.
        let end = if n % 2 == 0 { "x-slow: " } else { "content-length: 9000\r\n\r\n" };
        let token = &many[n / 2 % many.len()].token;
        let begin = format!("POST /api/push/{token} HTTP/1.1\r\nhost: test\r\n{end}");
        connection.write_all(begin.as_bytes()).expect("there is room for it");
        connection.set_nonblocking(true).expect("a socket");
        connections.push(connection);
    }
    for _ in 0..3 {
        for connection in &mut connections {
            // A connection that is closed is no longer slow.
            let sent = connection.write(b"a");
            let open = sent.as_ref().map_or_else(|error| error.kind() == ErrorKind::WouldBlock, |n| *n == 1);
            assert!(open, "connections are given 30 s: {sent:?}");
        }
        check_answered(&server, &monitor);
    }
    let memory = server.peak_memory_mb();
    println!("{count} slow connections: {memory} MB");
    assert!(
        memory < SLOW_MB,
        "{memory} MB for {count} connections (wanted {SLOW}, the system's limit is less)"
    );
}

#[test]
fn bodies_of_100_mb_cost_no_more_than_their_end() {
    let server = Server::start(&["--push-limit", "0"]);
    let monitor = server.monitor("job", 60, None);
    let before = server.peak_memory_mb();
    std::thread::scope(|scope| {
        let sending: Vec<_> = (0..BODIES)
            .map(|n| {
                let (address, token) = (server.address(), &monitor.token);
                scope.spawn(move || {
                    let mut connection = TcpStream::connect(address).expect("it accepts");
                    let head = format!(
                        "POST /api/push/{token}?msg=body-{n} HTTP/1.1\r\nhost: test\r\ncontent-length: {BODY_BYTES}\r\n\r\n"
                    );
                    connection.write_all(head.as_bytes()).expect("it reads");
                    let piece = vec![b'a' + u8::try_from(n).expect("few"); 1 << 20];
                    for _ in 0..BODY_BYTES / piece.len() {
                        connection.write_all(&piece).expect("it reads");
                    }
                    http::read(&mut BufReader::new(connection)).expect("an answer").status
                })
            })
            .collect();
        check_answered(&server, &monitor);
        for body in sending {
            assert_eq!(body.join().expect("no thread panics"), 200);
        }
    });
    let memory = server.peak_memory_mb();
    println!("{BODIES} bodies of 100 MB: {memory} MB, {before} MB before");
    assert!(memory < BODIES_MB, "{memory} MB");
    let heard = eventually("they are recorded", || {
        let heard = server.heartbeats(&monitor);
        let bodies = heard.iter().filter(|one| one.msg.as_deref().is_some_and(|msg| msg.starts_with("body")));
        let bodies: Vec<_> = bodies.cloned().collect();
        (bodies.len() == BODIES).then_some(bodies)
    });
    for one in heard {
        let path = format!("GET /monitors/{}/heartbeats/{}/output", monitor.id, one.id);
        let output = server.call(&path, &serde_json::Value::Null);
        assert_eq!((output.status, output.body.len()), (200, 10_000), "the end of it is kept");
    }
}

#[test]
fn one_token_that_fills_the_log_takes_no_room_from_another_monitor() {
    let flags = ["--push-limit", "0", "--output-limit", "0", "--log-size", "16MiB", "--history", "100000"];
    let server = Server::start(&flags);
    let (loud, quiet) = (server.monitor("loud", 60, None), server.monitor("quiet", 60, None));
    let pusher = Pusher::start(server.address(), &quiet, "quiet", Habit::every(Duration::from_millis(100)));
    let output = vec![b'x'; 10_000];
    let mut client = http::Client::new(server.address(), Duration::from_secs(30));
    let line = format!("POST /api/push/{}", loud.token);
    for number in 0..4_000 {
        let answer = client.ask(&line, "content-type: text/plain\r\n", &output);
        assert_eq!(answer.expect("an answer").status, 200, "push {number}");
    }
    let attempts = pusher.stop();
    assert!(attempts.iter().all(|attempt| attempt.status == 200), "all of the quiet one's are taken");
    check_recorded(&server, &quiet, &attempts);
    assert_eq!(server.reasons(&quiet), ["first"], "it was up all the time");
    for file in ["log.db", "history.db"] {
        let size = || std::fs::metadata(server.data().join(file)).expect("it is there").len();
        // 40 MB of output came. Up to 16 MiB of free pages are kept. Write-ahead logs have their own bound.
        let bytes = eventually("it has given room back", || Some(size()).filter(|bytes| *bytes < 34 << 20));
        println!("{file}: {bytes} bytes after 40 MB of output");
    }
}

#[test]
fn a_disk_that_is_nearly_full_costs_outputs_and_no_push() {
    let Some(server) = Server::start_on_disk(24, &["--push-limit", "0"]) else { return };
    let monitor = server.monitor("job", 60, None);
    let mut client = http::Client::new(server.address(), Duration::from_secs(30));
    let line = format!("POST /api/push/{}", monitor.token);
    let mut push =
        || client.ask(&line, "content-type: text/plain\r\n", b"what the job said").expect("an answer");
    assert_eq!(push().body, r#"{"ok":true,"status":"up"}"#);
    let filler = server.data().with_file_name("filler");
    let rest = 1_800_000;
    let free = rustix::fs::statvfs(server.data()).map(|disk| disk.f_bavail * disk.f_frsize).expect("a disk");
    let size = usize::try_from(free - rest).expect("it fits");
    std::fs::write(&filler, vec![0; size]).expect("there is room for it");
    eventually("outputs are dropped", || {
        let answer = push();
        assert_eq!(answer.status, 200);
        answer.body.ends_with(r#""output":"dropped"}"#).then_some(())
    });
    for _ in 0..200 {
        assert_eq!(push().status, 200);
    }
    std::fs::remove_file(&filler).expect("it is there");
    eventually("outputs are kept again", || push().body.ends_with(r#""status":"up"}"#).then_some(()));
    assert_eq!(server.reasons(&monitor), ["first"]);
}

/// Takes all the room that is left.
fn fill(file: &Path) {
    let mut file = File::create(file).expect("made");
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[test]
fn a_full_disk_is_answered_503_and_nothing_that_was_answered_200_is_lost() {
    let flags = ["--push-limit", "0", "--history", "100000", "--log-size", "8MiB"];
    let Some(mut server) = Server::start_on_disk(24, &flags) else { return };
    let monitors: Vec<Monitor> = (0..3).map(|n| server.monitor(&format!("job {n}"), 60, None)).collect();
    let pushers: Vec<Pusher> = monitors
        .iter()
        .map(|monitor| {
            Pusher::start(server.address(), monitor, "push", Habit::every(Duration::from_millis(5)))
        })
        .collect();
    eventually("it is heard", || (!server.heartbeats(&monitors[0]).is_empty()).then_some(()));

    let filler = server.data().with_file_name("filler");
    fill(&filler);
    // Space that the files already have can be written over, so pushes may succeed for a while.
    let status = |query: &str| server.push(&monitors[0], query);
    eventually("a push is answered 503", || (status("msg=probe") == 503).then_some(()));
    let answers: Vec<u16> = (0..20).map(|_| status("msg=probe")).collect();
    assert!(answers.iter().all(|answer| [200, 503].contains(answer)), "{answers:?}");
    assert!(answers.contains(&503), "{answers:?}");
    let health = server.call("GET /monitors", &serde_json::Value::Null);
    assert_eq!(health.status, 200, "what is known can be seen: {health:?}");
    let disk = format!("the disk of {} is full", server.data().display());
    eventually("it says what is full", || {
        let mut client = http::Client::new(server.address(), Duration::from_secs(30));
        let ready = client.ask("GET /readyz", "", b"").expect("an answer");
        (ready.status == 503 && ready.body.contains(&disk)).then_some(())
    });

    std::fs::remove_file(&filler).expect("it is there");
    eventually("pushes are answered 200 again", || (status("msg=after") == 200).then_some(()));
    let attempts: Vec<_> = pushers.into_iter().map(Pusher::stop).collect();
    for (monitor, attempts) in monitors.iter().zip(&attempts) {
        check_answers(attempts);
        assert!(attempts.iter().any(|one| one.status == 503), "it noticed");
        check_recorded(&server, monitor, attempts);
        assert_eq!(server.reasons(monitor), ["first"], "it pages no one");
    }
    let said = server.stop().stderr;
    let lines = said.lines().filter(|line| line.contains("failed to")).count();
    assert!(said.contains(&disk) && lines < 20, "it says so, and not at every try: {said}");
}
