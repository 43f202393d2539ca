//! A role that waits for what it stands on, and one whose settings stay wrong.

use std::path::Path;
use std::time::Duration;

use servers::{NatsServer, RedisServer};

use super::node::{Node, Role};
use crate::harness::{Finished, Process, directory, eventually, lubdub};
use crate::http::Client;

fn init(home: &Path, nats: &str) -> Finished {
    Process::start(lubdub(home).args(["init", "--partitions", "2", "--nats", nats])).finish()
}

#[track_caller]
fn until_it_says(node: &Node, words: &str) {
    eventually(&format!("{} says {words:?}", node.name()), || {
        let answer = node.readiness()?;
        (answer.status == 503 && answer.body.contains(words)).then_some(())
    });
}

#[test]
fn a_role_answers_from_the_first_moment_and_says_what_it_waits_for() {
    let home = directory();
    let (mut nats, mut redis) = (NatsServer::start_durable(), RedisServer::start());
    nats.stop();
    redis.stop();
    let flags = |more: &[(&str, &str)]| -> Vec<String> {
        let url = nats.url();
        let all = [("--nats", url.as_str())].into_iter().chain(more.iter().copied());
        all.flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]).collect()
    };
    let redis_url = redis.url();
    let of_redis = flags(&[("--redis", &redis_url)]);
    let mut ingest = Node::new(Role::Ingest, 0, home.path(), flags(&[("--node", "a")]));
    let mut others: Vec<Node> = [Role::Scheduler, Role::Notifier, Role::Console]
        .map(|role| Node::new(role, 0, home.path(), of_redis.clone()))
        .into();
    for node in others.iter_mut().chain([&mut ingest]) {
        node.launch();
        until_it_says(node, "it waits for NATS: connect to NATS");
        let ask = |line: &str| Client::new(node.address(), Duration::from_secs(5)).ask(line, "", b"");
        assert_eq!(ask("GET /healthz").expect("an answer").status, 200);
        assert_eq!(ask("GET /metrics").expect("an answer").status, 200);
        let push = ask("GET /api/push/0123456789abcdef0123").expect("an answer");
        assert_eq!((push.status, push.header("retry-after")), (503, Some("1")), "a client tries again");
    }
    // A server that holds no installation gets none by a role: it may be the wrong one, or have lost its disk.
    nats.restart();
    for node in others.iter().chain([&ingest]) {
        until_it_says(node, "lubdub-heartbeats-0 on NATS: it is missing");
        assert!(node.readiness().expect("an answer").body.contains("`lubdub init` sets a new one up"));
    }
    let done = init(home.path(), &nats.url());
    assert!(done.status.success() && done.stdout.contains("made     lubdub-heartbeats-0"), "{done:?}");
    ingest.until_ready();
    for node in &others {
        until_it_says(node, "it waits for Redis: connect to Redis");
    }
    redis.restart();
    others.iter_mut().for_each(Node::until_ready);
    for node in others.iter().chain([&ingest]) {
        let said = node.said();
        assert_eq!(said.matches("waiting for NATS").count(), 1, "each reason is logged once: {said}");
    }
}

#[test]
fn settings_that_stay_wrong_end_a_role_with_2_and_say_what_is_wrong() {
    let home = directory();
    let (nats, redis) = (NatsServer::start(), RedisServer::with_settings(&["--requirepass", "right"]));
    let bare = NatsServer::with_settings("enabled: false");
    assert!(init(home.path(), &nats.url()).status.success());
    let (nats, bare) = (nats.url(), bare.url());
    let with_password = redis.url().replace("redis://", "redis://:wrong@");
    let cases: [(&[&str], &str); 4] = [
        (&["ingest", "--nats", &nats, "--partitions", "7"], "it has 2 partitions, not 7"),
        (&["init", "--nats", &nats, "--partitions", "7"], "it has 2 partitions, not 7"),
        (&["ingest", "--nats", &bare], "JetStream is off"),
        (&["notifier", "--nats", &nats, "--redis", &with_password], "log in to Redis"),
    ];
    for (arguments, words) in cases {
        let mut command = lubdub(home.path());
        command.args(arguments);
        if arguments[0] != "init" {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let finished = Process::start(&mut command).finish();
        assert_eq!(finished.status.code(), Some(2), "{arguments:?}: {finished:?}");
        assert!(finished.stderr.contains(words), "{arguments:?}: {finished:?}");
    }
}
