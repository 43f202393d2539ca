//! The commands that Redis refuses to each role, and how a refused login is reported.

use std::sync::Arc;

use backend_redis::{RedisBackend, RedisError, RedisOptions, User};
use model::chain::Chain;
use model::channel::Secret;
use model::delivery::DeliveryState;
use model::ids::PartitionId;
use model::role::Role;
use ports::clock::ManualClock;
use ports::history::{DeliveryFilter, DeliveryHistory, History, HistoryBatch};
use ports::ledger::Ledger;
use ports::roster::Roster;
use ports::state_store::{Leases, Outbox, StateReader, States};
use servers::{Authority, RedisServer};
use tokio::time::Instant;
use uuid::Uuid;

use crate::secured::{Secured, options, password};
use conformance::sample::{START, at, channel, delivery, flip, head, heartbeat, monitor, state, with_output};
use conformance::suite::state_store::commit;
use doubles::eventually;

const P: PartitionId = PartitionId(0);

/// The output of redis-cli for a command of a user.
fn said(secured: &Secured, user: User, command: &[&str]) -> String {
    let login = ["--user", user.name(), "--pass", &password(user)];
    secured.server.cli(&[login.as_slice(), command].concat())
}

#[track_caller]
fn assert_refused(error: Option<impl std::error::Error + 'static>, what: &str) {
    let text = error.map(|error| Chain(&error).to_string().to_lowercase());
    let refused = text.as_deref().is_some_and(|text| text.contains("noperm") || text.contains("permissions"));
    assert!(refused, "{what}: {text:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_and_the_notifier_write_no_state_lease_history_or_roster() {
    let secured = Secured::start();
    let scheduler = secured.connect(Role::Scheduler).await;
    let lease = scheduler.state().acquire(P, "owner").await.expect("acquire");
    let change = commit(0, 7, 1, vec![(monitor(1), Some(state(1, Some(at(5)))))]);
    scheduler.state().commit(&lease, &change).await.expect("commit");
    for role in [Role::Console, Role::Notifier] {
        let other = secured.connect(role).await;
        let store = other.state();
        let what = |call: &str| format!("{call} of the {role}");
        assert_refused(store.acquire(P, "other").await.err(), &what("acquire"));
        assert_refused(store.take_over(P, &lease.token, "other").await.err(), &what("take_over"));
        let next = commit(7, 8, 2, Vec::new());
        assert_refused(store.commit(&lease, &next).await.err(), &what("commit"));
        assert_refused(store.reset(&lease).await.err(), &what("reset"));
        assert_refused(store.trim_outbox(&lease, 10).await.err(), &what("trim"));
        assert_refused(store.release(&lease).await.err(), &what("release"));
        let batch = HistoryBatch {
            heartbeats: vec![heartbeat(monitor(1), at(1))],
            flips: vec![flip(monitor(1), at(1), 1)],
            removed: Vec::new(),
        };
        assert_refused(other.history().append(batch).await.err(), &what("append"));
        let removal = HistoryBatch { removed: vec![monitor(1)], ..HistoryBatch::default() };
        assert_refused(other.history().append(removal).await.err(), &what("removal"));
        let roster = other.roster("scheduler").await.expect("connect");
        assert_refused(roster.beat("owner").await.err(), &what("beat"));
        assert_refused(roster.leave("owner").await.err(), &what("leave"));
        assert_refused(roster.forget("lubdub.stalled webhook").await.err(), &what("forget"));
    }
    assert_eq!(scheduler.state().load_head(&lease).await.expect("head"), head(7), "as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_reads_what_it_shows_and_the_notifier_what_it_tells() {
    let secured = Secured::start();
    let scheduler = secured.connect(Role::Scheduler).await;
    let lease = scheduler.state().acquire(P, "owner").await.expect("acquire");
    let known = Some(state(1, Some(at(5))));
    scheduler
        .state()
        .commit(&lease, &commit(0, 7, 1, vec![(monitor(1), known.clone())]))
        .await
        .expect("commit");
    let heartbeats = vec![with_output(monitor(1), at(1), b"an output")];
    scheduler.history().append(HistoryBatch { heartbeats, ..HistoryBatch::default() }).await.expect("append");

    let console = secured.connect(Role::Console).await;
    assert_eq!(console.state().head(P).await.expect("head"), head(7));
    assert_eq!(console.state().states(P, &[monitor(1)]).await.expect("states"), std::slice::from_ref(&known));
    let output = console.history().output(monitor(1), at(1)).await.expect("output");
    assert_eq!(output.as_deref(), Some(b"an output".as_slice()));

    let notifier = secured.connect(Role::Notifier).await;
    assert_eq!(notifier.state().head(P).await.expect("head"), head(7));
    assert_eq!(notifier.state().states(P, &[monitor(1)]).await.expect("states"), [known]);
    let output = notifier.history().output(monitor(1), at(1)).await.expect("output");
    assert_eq!(output.as_deref(), Some(b"an output".as_slice()));
    assert_refused(notifier.history().flips(monitor(1), None, 1).await.err(), "flips of the notifier");
    let sent = delivery(monitor(1), channel(1), at(1), DeliveryState::Pending);
    notifier.deliveries().put(vec![sent.clone()]).await.expect("put");
    assert_eq!(notifier.deliveries().get(sent.id).await.expect("get"), Some(sent.clone()));
    assert_eq!(notifier.deliveries().oldest_pending().await.expect("oldest"), Some(at(1)));
    let listed = console.deliveries().list(DeliveryFilter::default(), None, 10).await.expect("list");
    assert_eq!(listed, std::slice::from_ref(&sent));

    let (ledger, scope) = (notifier.ledger(), Uuid::from_u128(7));
    let rows = || vec![(Uuid::nil(), Some("a row".into()))];
    let version = ledger.write(scope, 0, rows()).await.expect("write");
    assert_eq!(ledger.load(scope).await.expect("load").version, version);
    assert_eq!(ledger.write(scope, version, vec![(Uuid::nil(), None)]).await.expect("write"), 0);
    assert_refused(console.ledger().load(scope).await.err(), "load of the console");
    assert_refused(scheduler.ledger().load(scope).await.err(), "load of the scheduler");
    assert_refused(scheduler.ledger().write(scope, 0, rows()).await.err(), "write of the scheduler");

    let deliveries = scheduler.deliveries();
    assert_refused(deliveries.put(vec![sent.clone()]).await.err(), "put of the scheduler");
    assert_refused(deliveries.get(sent.id).await.err(), "get of the scheduler");
    let delivered = DeliveryFilter { state: Some(DeliveryState::Delivered), ..DeliveryFilter::default() };
    assert_refused(deliveries.list(delivered, None, 10).await.err(), "list of the scheduler");
    assert_eq!(deliveries.oldest_pending().await.expect("oldest"), Some(at(1)));
}

#[tokio::test]
async fn nobody_may_do_what_is_none_of_their_business() {
    let secured = Secured::start();
    let (everybody, roles) = (User::NAMED.to_vec(), &User::NAMED[..4]);
    // It finds what `init --new` removes.
    let but_init: Vec<User> =
        everybody.iter().copied().filter(|user| *user != User::Role(Role::Init)).collect();
    let commands: [(&[User], &str); 27] = [
        (&everybody, "CONFIG GET requirepass"),
        (&roles[..1], "ZADD lubdub:{deliveries}:s:0 0 x"),
        (&roles[..1], "ZRANGE lubdub:{deliveries}:s:2 0 0"),
        (&roles[..1], "ZRANGE lubdub:{deliveries}:all 0 0"),
        (&everybody, "CONFIG SET maxmemory 1"),
        (&everybody, "FLUSHALL"),
        (&everybody, "FLUSHDB"),
        (&but_init, "KEYS *"),
        (&but_init, "SCAN 0"),
        (&everybody, "UNLINK other:{p0}:meta"),
        (&everybody, "SAVE"),
        (&everybody, "SHUTDOWN NOSAVE"),
        (&everybody, "MONITOR"),
        (&everybody, "ACL LIST"),
        (&everybody, "ACL SETUSER tester off"),
        (&everybody, "ACL GETUSER default"),
        (&everybody, "RESTORE lubdub:{p0}:meta 0 x"),
        (&everybody, "GET anything"),
        (&everybody, "SET lubdub:{p0}:meta x"),
        (&everybody, "HSET other:{p0}:meta owner somebody"),
        (&roles[1..3], "HSET lubdub:{p0}:meta owner somebody"),
        (roles, "BGSAVE"),
        (roles, "REPLICAOF NO ONE"),
        (roles, "CLIENT KILL TYPE normal"),
        (roles, "CLIENT LIST"),
        (roles, "PUBLISH __sentinel__:hello x"),
        (roles, "REPLCONF ACK 0"),
    ];
    for (users, command) in commands {
        for user in users {
            let answer = said(&secured, *user, &command.split(' ').collect::<Vec<_>>());
            assert!(answer.starts_with("NOPERM"), "{user:?}: {command}: {answer}");
        }
    }
    let scripts: [(&[User], [&str; 5]); 3] = [
        (
            &[User::Role(Role::Console)],
            ["EVAL_RO", "return redis.call('GET', KEYS[1])", "1", "lubdub:{p0}:meta", ""],
        ),
        (roles, ["EVAL", "return redis.call('FLUSHALL')", "0", "", ""]),
        (roles, ["EVAL", "return redis.call('HSET', 'other:x', 'a', 'b')", "0", "", ""]),
    ];
    for (users, script) in scripts {
        for user in users {
            let answer = said(&secured, *user, &script);
            assert!(
                answer.contains("NOPERM") || answer.contains("The user executing the script can't"),
                "{user:?}: {script:?}: {answer}"
            );
        }
    }
    assert_eq!(said(&secured, User::Health, &["PING"]).trim(), "PONG");
    assert!(said(&secured, User::Health, &["INFO"]).starts_with("NOPERM"));
    for password in ["", "anything"] {
        let answer = secured.server.cli(&["--user", "default", "--pass", password, "PING"]);
        assert!(!answer.contains("PONG"), "{answer}");
    }
    assert_eq!(said(&secured, User::Operator, &["ACL", "LOAD"]).trim(), "OK");
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why_at_once() {
    let secured = Secured::start();
    let plain = RedisServer::start();
    let right = || options(secured.server.url(), &secured.authority, User::Role(Role::Scheduler));
    let refused = async |options: RedisOptions| {
        let began = Instant::now();
        let refused = RedisBackend::connect(options, Arc::new(ManualClock::new(START))).await;
        let error = refused.err().expect("it is refused");
        assert!(began.elapsed().as_secs() < 5, "{:?}: {error:?}", began.elapsed());
        error
    };
    let wrong = Some(Secret::new("wrong".to_owned()));
    let error = refused(RedisOptions { password: wrong, ..right() }).await;
    assert!(matches!(error, RedisError::Login(_)), "wrong password: {error:?}");
    let error = refused(RedisOptions { user: Some("nobody".to_owned()), ..right() }).await;
    assert!(matches!(error, RedisError::Login(_)), "no such user: {error:?}");
    let error = refused(RedisOptions { user: None, password: None, ..right() }).await;
    assert!(matches!(error, RedisError::Login(_)), "no user at all: {error:?}");
    let error = refused(options(right().url, &secured.authority, User::Health)).await;
    assert!(matches!(error, RedisError::Login(_)), "a user without any right: {error:?}");

    let other = Authority::new().certificate().as_bytes().to_vec();
    let error = refused(RedisOptions { ca: Some(other), ..right() }).await;
    assert!(matches!(error, RedisError::Tls(_)), "another authority: {error:?}");
    assert!(Chain(&error).to_string().contains("certificate"), "{}", Chain(&error));
    let url = secured.server.url().replace("localhost", "127.0.0.2");
    let error = refused(RedisOptions { url, ..right() }).await;
    assert!(!matches!(error, RedisError::Login(_)), "another name: {error:?}");
    let url = secured.server.url().replace("rediss://", "redis://");
    let error = refused(RedisOptions { url, ca: None, ..right() }).await;
    assert!(matches!(error, RedisError::Silent(_)), "without TLS where TLS is spoken: {error:?}");
    let url = plain.url().replace("redis://127.0.0.1", "rediss://localhost");
    let error = refused(RedisOptions { url, ..right() }).await;
    assert!(matches!(error, RedisError::Silent(_)), "with TLS where none is spoken: {error:?}");
}

/// Files of a node on a server: its password, and the authority that it trusts.
struct Files(tempfile::TempDir);

impl Files {
    fn new(authority: &Authority) -> Self {
        let files = Self(tempfile::tempdir().expect("a folder"));
        files.put("ca.pem", authority.certificate());
        files
    }

    fn put(&self, name: &str, text: &str) {
        let new = self.0.path().join("new");
        std::fs::write(&new, text).expect("write");
        std::fs::rename(new, self.0.path().join(name)).expect("replace");
    }

    async fn connect(&self, url: String) -> RedisBackend {
        let options = RedisOptions {
            user: Some("scheduler".to_owned()),
            password_file: Some(self.0.path().join("password")),
            ca_file: Some(self.0.path().join("ca.pem")),
            ..RedisOptions::new(url)
        };
        RedisBackend::connect(options, Arc::new(ManualClock::new(START))).await.expect("connect")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_password_is_taken_at_the_next_connection() {
    let secured = Secured::start();
    let permit = |passwords: &[&str]| {
        secured.server.cli(&["ACL", "SETUSER", "scheduler", "resetpass"]);
        for password in passwords {
            secured.server.cli(&["ACL", "SETUSER", "scheduler", &format!(">{password}")]);
        }
    };
    let end_connections = || secured.server.cli(&["CLIENT", "KILL", "USER", "scheduler"]);
    let files = Files::new(&secured.authority);
    files.put("password", "of-scheduler\n");
    let backend = files.connect(secured.server.url()).await;
    let works = async || backend.state().head(P).await.is_ok();

    files.put("password", "another");
    end_connections();
    assert!(works().await, "the server does not know the new one yet, and takes the former");
    permit(&["of-scheduler", "another"]);
    end_connections();
    assert!(works().await, "it takes both");
    permit(&["another"]);
    end_connections();
    assert!(works().await, "it takes the new one only");

    files.put("password", "");
    end_connections();
    assert!(works().await, "what is no password changes nothing");
    permit(&["a-third"]);
    end_connections();
    assert!(!works().await, "both are refused");
    files.put("password", "a-third");
    eventually("the third one is taken", async || works().await.then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_authority_is_trusted_at_the_next_connection() {
    let mut secured = Secured::start();
    let files = Files::new(&secured.authority);
    files.put("password", "of-scheduler");
    let backend = files.connect(secured.server.url()).await;
    let other = Authority::new();
    files.put("ca.pem", &format!("{}{}", other.certificate(), secured.authority.certificate()));
    other.certify(secured.server.folder());
    secured.server.restart();
    let works = async || backend.state().head(P).await.is_ok().then_some(());
    eventually("the other authority is trusted", works).await;
    files.put("ca.pem", "damaged");
    secured.server.restart();
    eventually("it is still trusted", works).await;
}
