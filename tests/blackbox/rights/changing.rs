//! Keys and passwords change while everything runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::role::Role;
use nkeys::KeyPair;

use super::secured::{Installation, Secured};
use crate::harness::{directory, eventually};
use crate::http::Client;

/// Roles that stay connected to NATS.
const RUNNING: [Role; 4] = [Role::Ingest, Role::Scheduler, Role::Notifier, Role::Console];

/// The public keys of the running roles, by what their files hold.
fn keys(secured: &Secured) -> BTreeMap<Role, String> {
    let key = |role| {
        let seed = std::fs::read_to_string(secured.file(role, "nats.nk")).expect("a seed");
        KeyPair::from_seed(seed.trim()).expect("a seed").public_key()
    };
    RUNNING.into_iter().map(|role| (role, key(role))).collect()
}

/// Ends the pushes, also when an assertion fails: the scope waits for its thread.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn keys_and_passwords_change_without_a_restart_and_no_push_is_refused() {
    let mut cluster = Installation::start();
    let monitor = cluster.api().monitor("job", 60, 60);
    eventually("the token is known", || (cluster.push(&monitor.token, "") == 200).then_some(()));
    let address = cluster.address(Role::Ingest);
    let (former, password) = (keys(&cluster.secured), password(&cluster.secured));
    let kept = directory();
    let seed = kept.path().join("nats.nk");
    std::fs::copy(cluster.secured.file(Role::Ingest, "nats.nk"), &seed).expect("copy");

    let is_over = AtomicBool::new(false);
    let pushes = std::thread::scope(|scope| {
        let pushing = scope.spawn(|| {
            let line = format!("POST /api/push/{}", monitor.token);
            let mut answers = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let answer = Client::new(address, Duration::from_secs(10)).ask(&line, "", b"");
                answers.push(answer.map(|answer| answer.status).unwrap_or_default());
            }
            answers
        });
        let ends = Ends(&is_over);
        let told = cluster.secured.make(&["--change", "all"]);
        assert!(told.contains("each NATS server") && told.contains("--retire"), "{told}");
        cluster.secured.reload();
        let present = keys(&cluster.secured);
        assert!(present.iter().all(|(role, key)| former[role] != *key));
        eventually("each role has logged in to NATS by its new key", || {
            let connected = cluster.secured.connected();
            let is_new = present.values().all(|key| connected.contains(key));
            (is_new && !former.values().any(|key| connected.contains(key))).then_some(())
        });
        cluster.until_all_are_ready();
        cluster.secured.make(&["--retire"]);
        cluster.secured.reload();
        eventually("the former password is refused", || {
            let said = ping(&cluster.secured, &password);
            said.contains("NOAUTH").then_some(())
        });
        cluster.until_all_are_ready();
        drop(ends);
        pushing.join().expect("it pushed")
    });
    let refused: Vec<_> = pushes.iter().filter(|status| **status != 200).collect();
    assert!(refused.is_empty(), "{} of {} pushes: {refused:?}", refused.len(), pushes.len());

    let receiver = crate::receiver::Receiver::start();
    let (channel, _) = cluster.api().channel("ops", &receiver.url());
    let sent = cluster.api().api(&format!("POST /channels/{channel}/test"), &serde_json::Value::Null);
    assert_eq!(sent["delivered"], true);
    cluster.until_all_are_ready();
    let mut flags = cluster.secured.flags(Role::Ingest);
    *flags.last_mut().expect("the file of the key") = seed.display().to_string();
    let (_, refused) = cluster.secured.ingest(&flags);
    let finished = refused.finish();
    assert!(finished.stderr.contains("it refused the nkey"), "{finished:?}");
    assert_eq!(cluster.secured.violations(), Vec::<String>::new());
}

fn password(secured: &Secured) -> String {
    let text = std::fs::read_to_string(secured.file(Role::Scheduler, "redis-password")).expect("a password");
    text.trim().to_owned()
}

/// What Redis says to a scheduler with this password.
fn ping(secured: &Secured, password: &str) -> String {
    let login = ["--user", "scheduler", "--pass", password, "--no-auth-warning", "INFO", "server"];
    secured.redis.cli(&login)
}
