//! A role that waits for what it stands on, and one whose settings stay wrong.

use std::path::Path;
use std::time::Duration;

use servers::{NatsServer, RedisServer};

use super::installation::{Installation, Plan};
use super::node::{Node, Role};
use crate::harness::{Finished, Process, directory, eventually, lubdub};
use crate::http::Client;

fn init(home: &Path, nats: &NatsServer, redis: &RedisServer, more: &[&str]) -> Finished {
    let mut command = lubdub(home);
    command.args(["init", "--partitions", "2", "--nats", &nats.url(), "--redis", &redis.url()]).args(more);
    Process::start(&mut command).finish()
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
    }
    for node in others.iter().chain([&ingest]) {
        until_it_says(node, "it waits for NATS: connect to NATS");
        let ask = |line: &str| Client::new(node.address(), Duration::from_secs(5)).ask(line, "", b"");
        assert_eq!(ask("GET /healthz").expect("an answer").status, 200);
        assert_eq!(ask("GET /metrics").expect("an answer").status, 200);
        let push = ask("GET /api/push/0123456789abcdef0123").expect("an answer");
        assert_eq!((push.status, push.header("retry-after")), (503, Some("1")), "a client tries again");
        let why = if node.name().starts_with("console") { "detail" } else { "error" };
        let body: serde_json::Value = serde_json::from_str(&push.body).expect("as refusals are");
        assert!(body[why].as_str().is_some_and(|why| why.contains("is starting")), "{push:?}");
    }
    // A server that holds no installation gets none by a role: it may be the wrong one, or one that lost its
    // disk.
    nats.restart();
    for node in others.iter().chain([&ingest]) {
        until_it_says(node, "lubdub-heartbeats-0 on NATS: it is missing");
        assert!(node.readiness().expect("an answer").body.contains("`lubdub init` sets a new one up"));
    }
    redis.restart();
    let done = init(home.path(), &nats, &redis, &[]);
    assert!(done.status.success() && done.stdout.contains("made     lubdub-heartbeats-0"), "{done:?}");
    assert!(done.stdout.contains("marked   Redis"), "{done:?}");
    for node in others.iter_mut().chain([&mut ingest]) {
        node.until_ready();
        let said = node.said();
        assert_eq!(said.matches("lubdub-heartbeats-0").count(), 1, "a reason is logged once: {said}");
    }
    redis.stop();
    let mut late = Node::new(Role::Notifier, 1, home.path(), of_redis);
    late.launch();
    until_it_says(&late, "it waits for Redis: connect to Redis");
    redis.restart();
    late.until_ready();
}

#[test]
fn settings_that_stay_wrong_end_a_role_with_2_and_say_what_is_wrong() {
    let home = directory();
    let (nats, redis) = (NatsServer::start(), RedisServer::with_settings(&["--requirepass", "right"]));
    let bare = NatsServer::with_settings("enabled: false");
    let (own, open, alone) = (nats.url(), RedisServer::start(), NatsServer::start());
    assert!(init(home.path(), &nats, &open, &[]).status.success());
    let fresh = RedisServer::start();
    let (nats, bare, alone, open, fresh) = (own, bare.url(), alone.url(), open.url(), fresh.url());
    let with_password = redis.url().replace("redis://", "redis://:wrong@");
    let cases: [(&[&str], &str); 5] = [
        (&["ingest", "--nats", &nats, "--partitions", "7"], "it has 2 partitions, not 7"),
        (&["init", "--nats", &nats, "--redis", &open, "--partitions", "7"], "it has 2 partitions, not 7"),
        (&["ingest", "--nats", &bare], "JetStream is off"),
        (&["init", "--nats", &alone, "--redis", &fresh, "--replicas", "3"], "keeps one copy"),
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

#[test]
fn a_redis_that_is_not_the_installations_is_refused_and_left_as_it_is() {
    let home = directory();
    let (nats, other_nats) = (NatsServer::start(), NatsServer::start());
    let (redis, other_redis, empty) = (RedisServer::start(), RedisServer::start(), RedisServer::start());
    assert!(init(home.path(), &nats, &redis, &[]).status.success());
    assert!(init(home.path(), &other_nats, &other_redis, &[]).status.success());
    let again = init(home.path(), &nats, &redis, &[]);
    assert_eq!((again.status.code(), &*again.stdout), (Some(0), "ready, with 2 partitions\n"), "{again:?}");
    let on = |role, index, redis: &RedisServer| {
        let flags = ["--nats", &nats.url(), "--redis", &redis.url()].map(str::to_owned).to_vec();
        let mut node = Node::new(role, index, home.path(), flags);
        node.launch();
        node
    };
    let mut wrong: Vec<Node> = Vec::new();
    for (index, role) in [Role::Scheduler, Role::Notifier, Role::Console].into_iter().enumerate() {
        for (which, redis, words) in [
            (0, &other_redis, "it is that of installation"),
            (1, &empty, "it holds nothing of this installation"),
        ] {
            let node = on(role, index * 2 + which, redis);
            until_it_says(&node, words);
            wrong.push(node);
        }
    }
    assert_eq!(empty.cli(&["DBSIZE"]).trim(), "0", "nothing was written");
    assert_eq!(other_redis.cli(&["DBSIZE"]).trim(), "1", "the mark alone");
    let refused = init(home.path(), &nats, &other_redis, &[]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(refused.stderr.contains("Redis knows no monitor of another one"), "{refused:?}");
    let taken = init(home.path(), &nats, &empty, &[]);
    assert!(taken.status.success() && taken.stdout.contains("marked   Redis"), "{taken:?}");
    let taken = init(home.path(), &nats, &other_redis, &["--new"]);
    assert!(taken.status.success() && taken.stdout.contains("marked   Redis"), "{taken:?}");
    wrong.iter_mut().for_each(Node::until_ready);
    let again = init(home.path(), &nats, &redis, &["--new"]);
    assert_eq!(again.status.code(), Some(2), "{again:?}");
}

#[test]
fn a_nats_that_is_set_up_anew_while_a_role_waits_is_met_as_it_is() {
    let home = directory();
    let (mut nats, mut redis) = (NatsServer::start_durable(), RedisServer::start());
    assert!(init(home.path(), &nats, &redis, &[]).status.success());
    let first = nats.snapshot();
    redis.stop();
    let flags = ["--nats", &nats.url(), "--redis", &redis.url()].map(str::to_owned).to_vec();
    let mut node = Node::new(Role::Notifier, 0, home.path(), flags);
    node.launch();
    until_it_says(&node, "it waits for Redis");
    let empty = directory();
    std::fs::create_dir(empty.path().join("jetstream")).expect("a folder");
    nats.restore(&empty);
    redis.restart();
    until_it_says(&node, "lubdub-heartbeats-0 on NATS: it is missing");
    let anew = init(home.path(), &nats, &redis, &["--new"]);
    assert!(anew.status.success(), "{anew:?}");
    node.until_ready();
    // The same while it works: it ends, and does not wait for what it began on.
    nats.restore(&first);
    assert!(!node.ends().success());
    assert!(node.said().contains("NATS held installation"), "{}", node.said());
}

#[test]
fn a_redis_that_cannot_be_written_keeps_roles_from_being_ready_and_is_named() {
    let mut cluster = Installation::start(Plan { ingest: 1, scheduler: 1, notifier: 1, ..Plan::USUAL });
    let redis = |cluster: &Installation, name: &str, value: &str| {
        cluster.redis.cli(&["CONFIG", "SET", name, value]);
    };
    let of_redis = [Role::Scheduler, Role::Notifier, Role::Console];
    redis(&cluster, "maxmemory", "1");
    for role in of_redis {
        until_it_says(&cluster.nodes(role)[0], "Redis is full: give it more memory (maxmemory)");
    }
    redis(&cluster, "maxmemory", "0");
    cluster.until_ready();
    cluster.redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    for role in of_redis {
        until_it_says(&cluster.nodes(role)[0], "Redis can only be read, for it is a replica");
        let connected = cluster.nodes(role)[0].metric("lubdub_connected");
        assert_eq!(connected, Some(1.0), "to NATS, and not to Redis");
    }
    cluster.redis.cli(&["REPLICAOF", "NO", "ONE"]);
    cluster.until_ready();
    redis(&cluster, "maxmemory-policy", "allkeys-lru");
    for role in of_redis {
        let node = &cluster.nodes(role)[0];
        eventually("it says what it may lose", || {
            let answer = node.readiness()?;
            (answer.status == 200 && answer.body.contains("maxmemory-policy is allkeys-lru")).then_some(())
        });
        assert_eq!(node.metric("lubdub_lacks"), Some(1.0));
        let said = node.said();
        assert_eq!(said.matches("reason=\"Redis is full").count(), 1, "once: {said}");
    }
}
