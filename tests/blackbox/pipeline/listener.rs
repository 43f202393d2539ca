//! A listener that ends takes its process with it, and nobody is reported down for that.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::pusher::{Habit, Pusher, check_answers, check_recorded};
use super::server::Server;
use crate::harness::eventually;

/// Timeout and grace, seconds.
const TIMEOUT: (u32, u32) = (3, 2);
/// Longer than both.
const AWAY: Duration = Duration::from_secs(6);

/// Ends the listener of a process at this address, as nothing in the program does; `false` for want of
/// permission to reach into the process.
pub(crate) fn end_listener(process: Pid, address: SocketAddr) -> bool {
    let Ok(files) = std::fs::read_dir(format!("/proc/{}/fd", process.as_raw_nonzero())) else { return false };
    let numbers = files.filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok());
    let process = pidfd_open(process, PidfdFlags::empty()).expect("it runs");
    let mut ended = false;
    for number in numbers.collect::<Vec<i32>>() {
        // It may be closed by now.
        let Ok(file) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else { continue };
        let socket = TcpStream::from(file);
        let is_listener = socket.peer_addr().is_err();
        if is_listener && socket.local_addr().is_ok_and(|local| local == address) {
            socket.shutdown(Shutdown::Both).expect("it listens");
            ended = true;
        }
    }
    ended
}

#[test]
fn a_listener_that_ends_ends_the_process_and_no_monitor_goes_down_for_that() {
    let mut server = Server::start(&["--push-limit", "0"]);
    let job = server.monitor("job", TIMEOUT.0, TIMEOUT.1);
    let dead = server.monitor("dead", TIMEOUT.0, TIMEOUT.1);
    let habit = Habit { patience: Duration::from_secs(5), ..Habit::every(Duration::from_secs(1)) };
    let pusher = Pusher::start(server.address(), &job, "job", habit);
    assert_eq!(server.push(&dead, "msg=farewell"), 200);
    eventually("it is heard", || (!server.heartbeats(&job).is_empty()).then_some(()));
    if !end_listener(server.pid(), server.address()) {
        println!("this user may not reach into another process: nothing is tested");
        drop(pusher.stop());
        return;
    }
    let ended = server.until_ended();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    for said in ["the listener is gone", "Invalid argument", "the listener ended by itself"] {
        assert!(ended.stderr.contains(said), "{said:?}: {}", ended.stderr);
    }
    std::thread::sleep(AWAY);
    server.start_again();
    let flips = server.until_reasons(&dead, &["first", "missed"]);
    assert!(flips[1].deaf_seconds >= AWAY.as_secs(), "{flips:?}");
    let attempts = pusher.stop();
    check_answers(&attempts);
    check_recorded(&server, &job, &attempts);
    assert_eq!(server.reasons(&job), ["first"]);
}
