//! Clients cannot get in: nobody is reported down for that, and Lubdub says so.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, prlimit, setrlimit};

use super::pusher::{Attempt, Habit, Pusher, check_answers, check_recorded};
use super::server::Server;
use crate::api::Monitor;
use crate::harness::eventually;
use crate::http::{Client, connect_from, metric};

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
        Self::start_at(server, None)
    }

    fn start_at(server: &Server, from: Option<Ipv4Addr>) -> Self {
        let monitor = server.monitor("job", TIMEOUT.0, TIMEOUT.1);
        let habit = Habit { patience: Duration::from_secs(5), from, ..Habit::every(Duration::from_secs(1)) };
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

/// An address behind which there are many clients; the own push has another.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Open files, and more connections than one address gets then.
const FEW_FILES: u32 = 1_024;
const MORE_THAN_A_SHARE: usize = 400;

/// Clients at an address that keep their connections and ask again and again.
struct Regulars {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Regulars {
    fn start(server: &Server, from: Ipv4Addr, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..4).map(|_| {
            let (stop, address) = (Arc::clone(&stop), server.address());
            std::thread::spawn(move || {
                let client = || Client::new(address, Duration::from_secs(5)).at(from);
                let mut clients: Vec<Client> = (0..count / 4).map(|_| client()).collect();
                while !stop.load(Ordering::Relaxed) {
                    for client in &mut clients {
                        // One that was closed connects again with its next request.
                        let _ = client.ask("GET /healthz", "", b"");
                    }
                }
            })
        });
        Self { threads: threads.collect(), stop }
    }
}

impl Drop for Regulars {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The longest time between two pushes that got in, in milliseconds.
fn longest_silence(attempts: &[Attempt]) -> Option<i64> {
    let got_in = attempts.iter().filter(|one| one.status == 200).map(|one| one.ended_ms);
    got_in.clone().zip(got_in.skip(1)).map(|(one, next)| next - one).max()
}

#[test]
fn who_uses_its_share_all_the_time_keeps_nobody_at_its_address_out() {
    let mut server = Server::start_with_files(FEW_FILES, &["--push-limit", "0"]);
    let job = Job::start_at(&server, Some(GATEWAY));
    let regulars = Regulars::start(&server, GATEWAY, MORE_THAN_A_SHARE);
    std::thread::sleep(Duration::from_secs(u64::from(2 * (TIMEOUT.0 + TIMEOUT.1))));
    drop(regulars);
    // Its own connection is closed while it is idle, so a try may fail, but not the ones after it.
    let attempts = job.check_never_down(&server);
    let longest = longest_silence(&attempts);
    assert!(longest < Some(i64::from(TIMEOUT.0) * 1_000), "{longest:?} ms: {attempts:?}");
    assert_eq!(metric(server.address(), "lubdub_ingest_refused_connections_total"), Some(0.0));
    let said = server.stop().stderr;
    assert!(!said.contains("refused a connection"), "{said}");
}

#[test]
fn who_is_turned_away_for_others_at_its_address_is_not_down() {
    let mut server = Server::start_with_files(FEW_FILES, &["--push-limit", "0"]);
    let job = Job::start_at(&server, Some(GATEWAY));
    // They send bodies, and are left alone for 10 s.
    let busy: Vec<TcpStream> = (0..MORE_THAN_A_SHARE)
        .step_by(50)
        .flat_map(|n| {
            let monitor = server.monitor(&format!("slow-{n}"), 3_600, None);
            (0..50).map(move |_| monitor.token.clone())
        })
        .filter_map(|token| {
            let mut one = connect_from(GATEWAY, server.address(), Duration::from_secs(5)).ok()?;
            let head = format!("POST /api/push/{token} HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\n");
            one.write_all(head.as_bytes()).ok()?;
            Some(one)
        })
        .collect();
    let mut inside = Client::new(server.address(), Duration::from_secs(5));
    let told = eventually("it says that it turns clients away", || {
        let _ = connect_from(GATEWAY, server.address(), Duration::from_secs(5));
        let answer = inside.ask("GET /readyz", "", b"").ok()?;
        (answer.status == 503).then_some(answer.body)
    });
    assert!(told.contains("refuses connections (a client's address has all"), "{told}");
    std::thread::sleep(Duration::from_secs(u64::from(TIMEOUT.0 + TIMEOUT.1) + 2));
    let refused = metric(server.address(), "lubdub_ingest_refused_connections_total");
    assert!(refused > Some(10.0), "{refused:?}");
    drop(busy);
    eventually("it is ready again", || {
        let answer = inside.ask("GET /readyz", "", b"").ok()?;
        (answer.status == 200).then_some(())
    });
    let attempts = job.check_never_down(&server);
    let longest = longest_silence(&attempts);
    assert!(longest > Some(i64::from(TIMEOUT.0 + TIMEOUT.1) * 1_000), "it was kept out for {longest:?} ms");
    let said = server.stop().stderr;
    assert_eq!(said.matches("refused a connection").count(), 1, "once a minute: {said}");
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
