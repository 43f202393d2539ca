//! Clients cannot get in: nobody is reported down for that, and Lubdub says so.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, prlimit, setrlimit};

use super::pusher::{Attempt, Habit, Pusher, check_answers, check_recorded};
use super::server::Server;
use crate::api::Monitor;
use crate::harness::eventually;
use crate::http::Client;

/// More than a node takes at once, and than one client gets.
const MANY: usize = 17_000;
/// Files that this process needs besides.
const OTHER_FILES: usize = 500;
/// The contract for a node with every connection taken.
const MOST_MB: u64 = 300;
/// Timeout and grace, seconds.
const TIMEOUT: (u32, u32) = (3, 2);

/// As many connections as this process may have, and of no use to anybody.
struct Crowd(Vec<TcpStream>);

impl Crowd {
    /// Each of them sends `head`, and nothing more.
    #[track_caller]
    fn gather(server: &Server, head: &[u8]) -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("up to the hard limit is allowed");
        let files = limit.maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let count = MANY.min(files.saturating_sub(OTHER_FILES));
        let connections = (0..count).map(|n| {
            let connect = || TcpStream::connect_timeout(&server.address(), Duration::from_secs(5));
            let mut connection = connect().unwrap_or_else(|error| panic!("connection {n}: {error}"));
            connection.set_nonblocking(true).expect("a socket");
            // It may be closed already, and what the socket does not take is not sent.
            let _ = connection.write(head);
            connection
        });
        Self(connections.collect())
    }

    fn closed(&mut self) -> usize {
        let mut byte = [0];
        let mut open = |connection: &mut TcpStream| {
            connection.read(&mut byte).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
        };
        self.0.iter_mut().filter_map(|connection| (!open(connection)).then_some(())).count()
    }
}

/// A job that pushes every second.
struct Job {
    monitor: Monitor,
    pusher: Pusher,
}

impl Job {
    fn start(server: &Server) -> Self {
        let monitor = server.monitor("job", TIMEOUT.0, TIMEOUT.1);
        let habit = Habit { patience: Duration::from_secs(5), ..Habit::every(Duration::from_secs(1)) };
        let pusher = Pusher::start(server.address(), &monitor, "job", habit);
        eventually("it is heard", || (!server.heartbeats(&monitor).is_empty()).then_some(()));
        Self { monitor, pusher }
    }

    /// Others get in as well, over connections of their own.
    #[track_caller]
    fn others_get_in(&self, server: &Server) {
        for n in 0..5 {
            eventually("a push gets in", || {
                let mut client = Client::new(server.address(), Duration::from_secs(5));
                let line = format!("POST /api/push/{}?msg=other-{n}", self.monitor.token);
                client.ask(&line, "", b"").is_ok_and(|answer| answer.status == 200).then_some(())
            });
        }
    }

    #[track_caller]
    fn check_never_down(self, server: &Server) -> Vec<Attempt> {
        let attempts = self.pusher.stop();
        check_answers(&attempts);
        check_recorded(server, &self.monitor, &attempts);
        assert_eq!(server.reasons(&self.monitor), ["first"]);
        attempts
    }
}

#[test]
fn idle_connections_of_one_client_keep_nobody_out() {
    let server = Server::start(&["--push-limit", "0"]);
    let job = Job::start(&server);
    let mut crowd = Crowd::gather(&server, b"");
    eventually("those that it makes least use of are closed", || {
        (crowd.closed() >= crowd.0.len() / 2).then_some(())
    });
    job.others_get_in(&server);
    std::thread::sleep(Duration::from_secs(u64::from(TIMEOUT.0 + TIMEOUT.1)));
    let attempts = job.check_never_down(&server);
    let answered = attempts.iter().filter(|one| one.status == 200).count();
    assert!(answered * 10 >= attempts.len() * 8, "{answered} of {}: {attempts:?}", attempts.len());
    let memory = server.peak_memory_mb();
    println!("{} idle connections: {memory} MB, {answered} of {} pushes", crowd.0.len(), attempts.len());
    assert!(memory < MOST_MB, "{memory} MB");
}

#[test]
fn half_sent_heads_of_one_client_keep_nobody_out_and_cost_little() {
    let server = Server::start(&["--push-limit", "0"]);
    let job = Job::start(&server);
    let head = format!("GET /api/push/x?msg={}", "a".repeat(60_000));
    let crowd = Crowd::gather(&server, head.as_bytes());
    job.others_get_in(&server);
    std::thread::sleep(Duration::from_secs(u64::from(TIMEOUT.0 + TIMEOUT.1)));
    job.check_never_down(&server);
    let memory = server.peak_memory_mb();
    println!("{} heads of 60 kB: {memory} MB", crowd.0.len());
    assert!(memory < MOST_MB, "{memory} MB");
}

fn allow_files(server: &Server, most: u64) {
    let limit = Rlimit { current: Some(most), maximum: getrlimit(Resource::Nofile).maximum };
    prlimit(Some(server.pid()), Resource::Nofile, limit).expect("it is ours");
}

#[test]
fn when_files_run_out_idle_connections_are_closed_and_pushes_get_in() {
    let server = Server::start(&["--push-limit", "0"]);
    let job = Job::start(&server);
    allow_files(&server, 100);
    let connect = || TcpStream::connect_timeout(&server.address(), Duration::from_secs(5));
    let mut crowd = Crowd((0..200).map(|_| connect().expect("there is a backlog")).collect());
    crowd.0.iter().for_each(|one| one.set_nonblocking(true).expect("a socket"));
    eventually("some are closed", || (crowd.closed() >= 100).then_some(()));
    std::thread::sleep(Duration::from_secs(u64::from(TIMEOUT.0 + TIMEOUT.1)));
    job.others_get_in(&server);
    job.check_never_down(&server);
}

#[test]
fn while_nobody_can_get_in_time_is_deaf_and_the_readiness_says_why() {
    let mut server = Server::start(&["--push-limit", "0"]);
    let job = Job::start(&server);
    let dead = server.monitor("dead", TIMEOUT.0, TIMEOUT.1);
    assert_eq!(server.push(&dead, "msg=farewell"), 200);
    let mut inside = Client::new(server.address(), Duration::from_secs(5));
    let mut ready = || inside.ask("GET /readyz", "", b"").expect("its connection is open");
    assert_eq!(ready().status, 200);
    // Fewer than it has open already.
    allow_files(&server, 10);
    let told = eventually("it says that it is not ready", || {
        let answer = ready();
        (answer.status == 503).then_some(answer.body)
    });
    assert!(told.contains("Too many open files") || told.contains("own push"), "{told}");
    // A connection that is idle for longer would be closed to make room.
    for _ in 0..80 {
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(ready().status, 503);
    }
    allow_files(&server, 1_000);
    eventually("it is ready again", || (ready().status == 200).then_some(()));
    let flips = server.until_reasons(&dead, &["first", "missed"]);
    assert!(flips[1].deaf_seconds >= 5, "{flips:?}");
    job.check_never_down(&server);
    let said = server.stop().stderr;
    assert_eq!(said.matches("no room for a connection").count(), 1, "once, not all the time: {said}");
}

#[test]
fn what_was_sent_into_a_freeze_is_not_heard_at_the_thaw() {
    let server = Server::start(&["--push-limit", "0"]);
    let monitor = server.monitor("job", 60, None);
    let push = |connection: &mut TcpStream, msg: &str| {
        let head = format!(
            "POST /api/push/{}?msg={msg} HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n",
            monitor.token
        );
        connection.write_all(head.as_bytes()).expect("there is room for it");
    };
    let connect = || TcpStream::connect(server.address()).expect("there is a backlog");
    let answer = |connection: &mut TcpStream| {
        let mut status = [0; 12];
        connection.read_exact(&mut status).expect("an answer");
        String::from_utf8_lossy(&status[9..]).into_owned()
    };
    // One that was used before, and two that lie idle.
    let mut used = connect();
    push(&mut used, "before");
    assert_eq!(answer(&mut used), "200");
    let mut idle = Client::new(server.address(), Duration::from_secs(5));
    assert_eq!(idle.ask("GET /healthz", "", b"").expect("an answer").status, 200);
    let mut fresh = connect();
    std::thread::sleep(Duration::from_millis(500));
    server.freeze();
    let mut given_up = connect();
    push(&mut given_up, "ghost-of-one-who-left");
    given_up.shutdown(Shutdown::Both).expect("it was open");
    let mut new = connect();
    for (connection, msg) in [(&mut used, "ghost-used"), (&mut fresh, "ghost-fresh"), (&mut new, "ghost-new")]
    {
        push(connection, msg);
    }
    std::thread::sleep(Duration::from_secs(3));
    server.thaw();
    let mut rest = String::new();
    used.read_to_string(&mut rest).expect("it is closed behind the answer");
    assert!(rest.contains("HTTP/1.1 503 "), "{rest}");
    assert_eq!((answer(&mut fresh), answer(&mut new)), ("503".to_owned(), "503".to_owned()));
    // What comes afterwards counts, also over a connection of before.
    let line = format!("POST /api/push/{}?msg=after", monitor.token);
    eventually("it is ready", || {
        let answer = Client::new(server.address(), Duration::from_secs(5)).ask("GET /readyz", "", b"");
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    });
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(idle.ask(&line, "", b"").expect("an answer").status, 200);
    let heard = eventually("what came afterwards is recorded", || {
        let heard: Vec<_> = server.heartbeats(&monitor).into_iter().filter_map(|one| one.msg).collect();
        heard.contains(&"after".to_owned()).then_some(heard)
    });
    assert!(heard.contains(&"before".to_owned()), "{heard:?}");
    assert!(!heard.iter().any(|msg| msg.contains("ghost")), "{heard:?}");
}
