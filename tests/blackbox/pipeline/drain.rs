//! SIGTERM while clients push.

use std::time::{Duration, Instant};

use super::pusher::{Attempt, Habit, Pusher, check_answers, check_recorded};
use super::server::Server;

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
