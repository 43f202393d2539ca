//! SIGTERM while clients push.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::pusher::{Attempt, Habit, Pusher, check_answers, check_recorded};
use super::server::{ALLOW, Server};
use crate::http::Client;

#[test]
fn a_stop_under_load_answers_truly_and_ends_with_exit_code_0() {
    let mut server = Server::start(&["--push-limit", "0", "--history", "100000"]);
    let monitors: Vec<_> = (0..4).map(|n| server.monitor(&format!("job {n}"), 60, None)).collect();
    for round in 0..3 {
        let pushers: Vec<(usize, Pusher)> = (0..16)
            .map(|n| {
                let label = format!("{round}-{n}");
                let habit = Habit::every(Duration::from_millis(1));
                (n % 4, Pusher::start(server.address(), &monitors[n % 4], &label, habit))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(700));
        let begin = Instant::now();
        let finished = server.stop();
        assert!(begin.elapsed() < Duration::from_secs(10), "it took {:?}", begin.elapsed());
        assert_eq!(finished.status.code(), Some(0), "{finished:?}");
        assert!(!finished.stderr.contains("leaving before everything was drained"), "{finished:?}");

        let attempts: Vec<(usize, Vec<Attempt>)> =
            pushers.into_iter().map(|(monitor, pusher)| (monitor, pusher.stop())).collect();
        server.start_again();
        for (monitor, attempts) in attempts {
            check_answers(&attempts);
            assert!(attempts.iter().any(|attempt| attempt.status == 200), "it was under load: {attempts:?}");
            check_recorded(&server, &monitors[monitor], &attempts);
        }
    }
}

#[test]
fn a_stop_waits_for_nobody_who_never_finishes() {
    // The socket accepts connections and never sends anything.
    let mute = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut server = Server::start(&ALLOW);
    let address = mute.local_addr().expect("it is bound");
    server.channel("mute", &format!("http://{address}/"));
    let monitor = server.monitor("job", 3_600, None);
    let mut open = Vec::new();
    for sent in
        ["", "POST /api/push", "POST /api/push/{} HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\nhalf"]
    {
        let mut connection = TcpStream::connect(server.address()).expect("it accepts");
        connection.write_all(sent.replace("{}", &monitor.token).as_bytes()).expect("it reads");
        open.push(connection);
    }
    let mut idle = Client::new(server.address(), Duration::from_secs(5));
    assert_eq!(idle.ask("GET /healthz", "", b"").expect("an answer").status, 200);
    assert_eq!(server.push(&monitor, "status=down&msg=broken"), 200);
    let attempt = mute.accept();
    assert!(attempt.is_ok(), "an attempt is under way: {attempt:?}");

    let begin = Instant::now();
    let finished = server.stop();
    assert!(begin.elapsed() < Duration::from_secs(11), "it took {:?}", begin.elapsed());
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    server.start_again();
    let pending = server.list("/deliveries?state=pending");
    assert_eq!(pending.len(), 1, "it is not forgotten: {pending:?}");
    assert_eq!(server.reasons(&monitor), ["reported"]);
}
