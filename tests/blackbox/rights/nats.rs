//! On NATS.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, Event, ServerError};
use backend_nats::{NatsBackend, NatsOptions};
use model::ids::{Offset, PartitionId};
use model::role::Role;
use model::time::EventTime;
use ports::checkpoints::{CheckpointPlace, CheckpointStore};
use ports::clock::SystemClock;
use ports::registry::{Expected, Record, RecordKey, RecordKind, Registry, RegistryObserver};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::secured::{Installation, Secured, until_ready};
use crate::harness::eventually;
use crate::receiver::Receiver;
use crate::stub::Answer;

/// The time within which a wrong key is reported: less than a server has to come up.
const SOON: Duration = Duration::from_secs(15);

#[test]
fn all_works_with_each_role_on_its_own_key_and_rights() {
    let mut cluster = Installation::start();
    let receiver = Receiver::start();
    let api = cluster.api();
    let (channel, _) = api.channel("ops", &receiver.url());
    assert_eq!(api.api(&format!("POST /channels/{channel}/test"), &Value::Null)["delivered"], true);
    let monitor = api.monitor("job", 1, 1);
    eventually("the token is known", || (cluster.push(&monitor.token, "") == 200).then_some(()));
    receiver.until_types(&monitor.id, &["monitor.down"]);

    receiver.plan(Answer::text(410, ""));
    assert_eq!(cluster.push(&monitor.token, ""), 200);
    let dead = eventually("the delivery is dead", || api.list("/deliveries?state=dead").pop());
    let id = dead["id"].as_str().expect("a text");
    eventually("the channel is disabled", || {
        (api.get(&format!("/channels/{channel}"))["state"] == "disabled").then_some(())
    });
    cluster.restart();
    api.api(&format!("PATCH /channels/{channel}"), &json!({"state": "ok"}));
    api.api(&format!("POST /deliveries/{id}/redrive"), &Value::Null);
    eventually("it is delivered", || {
        (api.get(&format!("/deliveries/{id}"))["state"] == "delivered").then_some(())
    });

    for verify in [true, false] {
        api.api("POST /replay/rebuilds", &json!({"verify": verify, "history": !verify}));
        eventually("every partition is rebuilt", || {
            let shown = api.rebuilds();
            assert!(shown.iter().all(|one| one["state"] != "failed"), "{shown:#?}");
            shown.iter().all(|one| one["state"] == "done").then_some(())
        });
    }
    let key = api.api("POST /keys", &json!({"name": "reader", "scope": "read"}));
    api.api(&format!("DELETE /keys/{}", key["id"].as_str().expect("a text")), &Value::Null);
    let path = format!("/monitors/{}", monitor.id);
    api.api(&format!("POST {path}/rotate-token"), &json!({"overlap": 0}));
    let rotated = api.shown(&monitor).token;
    eventually("the new token is known", || (cluster.push(&rotated, "") == 200).then_some(()));
    api.api(&format!("DELETE {path}"), &Value::Null);
    eventually("the token is forgotten", || (cluster.push(&rotated, "") == 404).then_some(()));
    api.api(&format!("DELETE /channels/{channel}"), &Value::Null);
    assert_eq!(cluster.secured.violations(), Vec::<String>::new());
}

async fn connect(secured: &Secured, role: Role) -> NatsBackend {
    let options = NatsOptions {
        ca: Some(secured.file(role, "ca.pem")),
        nkey: Some(secured.file(role, "nats.nk")),
        role,
        ..NatsOptions::new(secured.nats.tls_url(), format!("a-{role}"))
    };
    NatsBackend::connect(options, Arc::new(SystemClock::new())).await.expect("connect")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduler_may_keep_and_remove_checkpoints_and_a_console_read_them() {
    let secured = Secured::start();
    secured.init();
    let backend = connect(&secured, Role::Scheduler).await;
    let checkpoints = backend.checkpoints();
    let place = |applied| CheckpointPlace { applied: Offset(applied), watermark: EventTime::from_secs(1) };
    for (applied, checkpoint) in [(1, "one"), (2, "another"), (2, "a third")] {
        checkpoints.put(PartitionId(1), place(applied), checkpoint.into()).await.expect("put");
        let found = checkpoints.get(PartitionId(1), place(applied)).await.expect("get");
        assert_eq!(found.as_deref(), Some(checkpoint.as_bytes()));
    }
    checkpoints.remove(PartitionId(1), place(1)).await.expect("remove");
    let console = connect(&secured, Role::Console).await;
    assert_eq!(console.checkpoints().places(PartitionId(1)).await.expect("places"), [place(2)]);
    let found = console.checkpoints().get(PartitionId(1), place(2)).await.expect("get");
    assert_eq!(found.as_deref(), Some(&b"a third"[..]));
    assert_eq!(secured.violations(), Vec::<String>::new());
}

/// The records that the observer was told, and whether it is current.
#[derive(Default)]
struct Heard {
    records: Mutex<BTreeSet<RecordKey>>,
    current: AtomicBool,
}

impl RegistryObserver for Heard {
    fn put(&self, record: &Record) {
        self.records.lock().expect("no holder panicked").insert(record.key.clone());
    }

    fn deleted(&self, _key: &RecordKey) {}

    fn current(&self) {
        self.current.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notifier_may_read_monitors_and_maintenance_windows_and_change_channels() {
    let secured = Secured::start();
    secured.init();
    let (console, notifier) =
        (connect(&secured, Role::Console).await, connect(&secured, Role::Notifier).await);
    let kinds = [RecordKind::Monitor, RecordKind::Channel, RecordKind::Maintenance];
    let keys = kinds.map(|kind| RecordKey::new(kind, "a"));
    for key in &keys {
        console.registry().put(key, Expected::Absent, "one".into()).await.expect("put");
    }
    let (registry, heard) = (notifier.registry(), Arc::new(Heard::default()));
    let _guard = registry.watch(&kinds, Arc::clone(&heard) as _).await.expect("watch");
    eventually("it is current", || heard.current.load(Ordering::Relaxed).then_some(()));
    assert_eq!(*heard.records.lock().expect("no holder panicked"), BTreeSet::from(keys.clone()));
    for key in &keys {
        let record = registry.get(key).await.expect("get").expect("a record");
        assert_eq!(registry.list(key.kind, None, 10).await.expect("list"), std::slice::from_ref(&record));
        if key.kind == RecordKind::Channel {
            registry.put(key, Expected::At(record.revision), "two".into()).await.expect("put");
        }
    }
    assert_eq!(secured.violations(), Vec::<String>::new());
}

/// A client with the key of a role, and the refusals that it receives.
struct Intruder {
    client: Client,
    refused: mpsc::UnboundedReceiver<String>,
}

/// A subject that no role may publish to. The server judges in order: when it refuses this, it has judged all
/// before.
const END: &str = "end";
/// The number of refusals that the client keeps until they are read; it drops further ones.
const AT_ONCE: usize = 20;

impl Intruder {
    async fn of(secured: &Secured, role: Role) -> Self {
        let (tell, refused) = mpsc::unbounded_channel();
        let seed = std::fs::read_to_string(secured.file(role, "nats.nk")).expect("a seed");
        let options = ConnectOptions::with_nkey(seed.trim().to_owned())
            .add_root_certificates(secured.file(role, "ca.pem"))
            .custom_inbox_prefix(format!("_INBOX_{role}"))
            .event_callback(move |event| {
                if let Event::ServerError(ServerError::Other(said)) = event {
                    let _ = tell.send(said);
                }
                std::future::ready(())
            });
        let client = options.connect(secured.nats.tls_url()).await.expect("it has a key");
        Self { client, refused }
    }

    /// The subjects that are refused.
    async fn judge(&mut self, publish: &[String], subscribe: &[String]) -> BTreeSet<String> {
        let mut refused = BTreeSet::new();
        let mut subscribed = Vec::new();
        for some in subscribe.chunks(AT_ONCE) {
            for subject in some {
                subscribed.push(self.client.subscribe(subject.clone()).await.expect("sent"));
            }
            self.hear(&mut refused).await;
        }
        for some in publish.chunks(AT_ONCE) {
            for subject in some {
                self.client.publish(subject.clone(), "{}".into()).await.expect("sent");
            }
            self.hear(&mut refused).await;
        }
        refused
    }

    /// Hears what is refused of all that was sent.
    async fn hear(&mut self, refused: &mut BTreeSet<String>) {
        self.client.publish(END, "".into()).await.expect("sent");
        self.client.flush().await.expect("sent");
        loop {
            let said = tokio::time::timeout(SOON, self.refused.recv()).await.expect("in time");
            let said = said.expect("the connection lives");
            let subject = said.split('"').nth(1).expect("it names the subject");
            if subject == END {
                return;
            }
            let what = if said.contains("Subscription") { "hear " } else { "" };
            refused.insert(format!("{what}{subject}"));
        }
    }
}

/// Kinds of the registry that several roles read.
const MONITORS: &str = "lubdub-registry-monitor";
const CHANNELS: &str = "lubdub-registry-channel";
const MAINTENANCE: &str = "lubdub-registry-maintenance";
const REBUILDS: &str = "lubdub-registry-rebuild";

/// Every stream of an installation of one partition.
const STREAMS: [&str; 12] = [
    "lubdub-heartbeats-0",
    "lubdub-alerts",
    "lubdub-deliveries",
    MONITORS,
    CHANNELS,
    "lubdub-registry-key",
    "lubdub-registry-token",
    MAINTENANCE,
    REBUILDS,
    "lubdub-registry-turn",
    "KV_lubdub-shares",
    "OBJ_lubdub-checkpoints",
];

/// The requests that can be made of a stream.
const REQUESTS: [&str; 20] = [
    "STREAM.INFO.{}",
    "STREAM.CREATE.{}",
    "STREAM.UPDATE.{}",
    "STREAM.DELETE.{}",
    "STREAM.PURGE.{}",
    "STREAM.SNAPSHOT.{}",
    "STREAM.RESTORE.{}",
    "STREAM.LEADER.STEPDOWN.{}",
    "STREAM.MSG.GET.{}",
    "STREAM.MSG.DELETE.{}",
    "DIRECT.GET.{}",
    "DIRECT.GET.{}.some.subject",
    "CONSUMER.CREATE.{}",
    "CONSUMER.CREATE.{}.mine",
    "CONSUMER.CREATE.{}.mine.some.subject",
    "CONSUMER.DURABLE.CREATE.{}.mine",
    "CONSUMER.MSG.NEXT.{}.mine",
    "CONSUMER.INFO.{}.mine",
    "CONSUMER.LIST.{}",
    "CONSUMER.DELETE.{}.mine",
];

/// Subjects that can be written, and requests that concern no stream.
const OTHERS: [&str; 26] = [
    "lubdub.heartbeats.0",
    "lubdub.alerts.0.a",
    "lubdub.alerts.number.0",
    "lubdub.deliveries.0.a",
    "$KV.lubdub-registry.monitor.0.a",
    "$KV.lubdub-registry.channel.a",
    "$KV.lubdub-registry.key.a",
    "$KV.lubdub-registry.token.a",
    "$KV.lubdub-registry.maintenance.a",
    "$KV.lubdub-registry.rebuild.0",
    "$KV.lubdub-registry.turn.rules",
    "$KV.lubdub-registry.pulse.monitor.a",
    "$KV.lubdub-registry.pulse.channel.a",
    "$KV.lubdub-registry.pulse.key.a",
    "$KV.lubdub-registry.pulse.token.a",
    "$KV.lubdub-registry.pulse.maintenance.a",
    "$KV.lubdub-registry.pulse.rebuild.a",
    "$KV.lubdub-registry.pulse.turn.a",
    "$KV.lubdub-shares.shard.alerts.0",
    "$O.lubdub-checkpoints.C.a",
    "$O.lubdub-checkpoints.M.a",
    "$JS.API.INFO",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.CREATE.mine",
    "$JS.API.CONSUMER.CREATE.other",
    "$SYS.REQ.SERVER.PING",
];

/// A scheduler follows these.
const APPLIED: &[&str] = &["lubdub-heartbeats-0", MONITORS, REBUILDS, "OBJ_lubdub-checkpoints"];

/// The console follows these: the past, and all of the registry.
const REPLAYED: &[&str] = &[
    "lubdub-heartbeats-0",
    MONITORS,
    CHANNELS,
    "lubdub-registry-key",
    "lubdub-registry-token",
    MAINTENANCE,
    REBUILDS,
    "lubdub-registry-turn",
    "OBJ_lubdub-checkpoints",
];

/// The console reads single messages of these.
const LOOKED_UP: &[&str] = &[
    "lubdub-alerts",
    "lubdub-deliveries",
    MONITORS,
    CHANNELS,
    "lubdub-registry-key",
    "lubdub-registry-token",
    MAINTENANCE,
    REBUILDS,
    "lubdub-registry-turn",
    "OBJ_lubdub-checkpoints",
];

/// The console writes these.
const MANAGED: &[&str] = &[
    "lubdub.heartbeats.0",
    "lubdub.alerts.0.a",
    "lubdub.deliveries.0.a",
    "$KV.lubdub-registry.monitor.0.a",
    "$KV.lubdub-registry.channel.a",
    "$KV.lubdub-registry.key.a",
    "$KV.lubdub-registry.token.a",
    "$KV.lubdub-registry.maintenance.a",
    "$KV.lubdub-registry.rebuild.0",
    "$KV.lubdub-registry.turn.rules",
    "$KV.lubdub-registry.pulse.monitor.a",
    "$KV.lubdub-registry.pulse.channel.a",
    "$KV.lubdub-registry.pulse.key.a",
    "$KV.lubdub-registry.pulse.token.a",
    "$KV.lubdub-registry.pulse.maintenance.a",
    "$KV.lubdub-registry.pulse.rebuild.a",
    "$KV.lubdub-registry.pulse.turn.a",
];

/// The rights of a role among all these: requests of streams, and the rest.
fn can(role: Role) -> (&'static [(&'static str, &'static [&'static str])], &'static [&'static str]) {
    match role {
        Role::Init => (&[("STREAM.CREATE.{}", &STREAMS), ("STREAM.UPDATE.{}", &STREAMS)], &[]),
        Role::Ingest => (
            &[
                ("STREAM.MSG.GET.{}", &["lubdub-heartbeats-0", MONITORS]),
                ("CONSUMER.CREATE.{}", &[MONITORS]),
                ("CONSUMER.MSG.NEXT.{}.mine", &[MONITORS]),
            ],
            &["lubdub.heartbeats.0", "$KV.lubdub-registry.pulse.monitor.a"],
        ),
        Role::Scheduler => (
            &[
                (
                    "STREAM.MSG.GET.{}",
                    &["lubdub-heartbeats-0", MONITORS, REBUILDS, "OBJ_lubdub-checkpoints", "lubdub-alerts"],
                ),
                ("CONSUMER.CREATE.{}", APPLIED),
                ("CONSUMER.MSG.NEXT.{}.mine", APPLIED),
                ("STREAM.PURGE.{}", &["OBJ_lubdub-checkpoints"]),
            ],
            &[
                "lubdub.heartbeats.0",
                "lubdub.alerts.0.a",
                "lubdub.alerts.number.0",
                "$KV.lubdub-registry.pulse.monitor.a",
                "$KV.lubdub-registry.pulse.rebuild.a",
                "$KV.lubdub-registry.rebuild.0",
                "$O.lubdub-checkpoints.C.a",
                "$O.lubdub-checkpoints.M.a",
            ],
        ),
        Role::Notifier => {
            const READ: &[&str] =
                &["lubdub-alerts", "lubdub-deliveries", MONITORS, CHANNELS, MAINTENANCE, "KV_lubdub-shares"];
            (
                &[
                    ("STREAM.MSG.GET.{}", READ),
                    ("CONSUMER.CREATE.{}", READ),
                    ("CONSUMER.MSG.NEXT.{}.mine", READ),
                ],
                &[
                    "lubdub.alerts.0.a",
                    "lubdub.deliveries.0.a",
                    "$KV.lubdub-registry.channel.a",
                    "$KV.lubdub-registry.pulse.monitor.a",
                    "$KV.lubdub-registry.pulse.channel.a",
                    "$KV.lubdub-registry.pulse.maintenance.a",
                    "$KV.lubdub-shares.shard.alerts.0",
                ],
            )
        }
        Role::Console => (
            &[
                ("STREAM.MSG.GET.{}", LOOKED_UP),
                ("CONSUMER.CREATE.{}", REPLAYED),
                ("CONSUMER.MSG.NEXT.{}.mine", REPLAYED),
            ],
            MANAGED,
        ),
    }
}

/// Subjects on which other people's words could be heard.
fn ears(role: Role) -> Vec<String> {
    let subjects =
        [">", "*.>", "lubdub.>", "lubdub.heartbeats.0", "$KV.>", "$O.>", "$JS.>", "$SYS.>", "_INBOX.>"];
    let others = Role::ALL.into_iter().filter(|other| *other != role);
    let inboxes = others.map(|other| format!("_INBOX_{other}.>"));
    subjects.iter().map(|&subject| subject.to_owned()).chain(inboxes).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_role_can_do_more_than_its_work() {
    let secured = Secured::start();
    secured.init();
    for role in Role::ALL {
        let mut tried: Vec<String> = OTHERS.map(str::to_owned).to_vec();
        let mut refused: BTreeSet<String> = tried.iter().cloned().collect();
        let (requests, others) = can(role);
        others.iter().for_each(|subject| assert!(refused.remove(*subject), "{subject}"));
        for request in REQUESTS {
            for stream in STREAMS {
                let subject = format!("$JS.API.{}", request.replace("{}", stream));
                let allowed = request == "STREAM.INFO.{}"
                    || requests.iter().any(|(may, streams)| *may == request && streams.contains(&stream));
                if !allowed {
                    refused.insert(subject.clone());
                }
                tried.push(subject);
            }
        }
        for other in Role::ALL {
            let inbox = format!("_INBOX_{other}.a");
            refused.insert(inbox.clone());
            tried.push(inbox);
        }
        let ears = ears(role);
        refused.extend(ears.iter().map(|subject| format!("hear {subject}")));
        let mut intruder = Intruder::of(&secured, role).await;
        let found = intruder.judge(&tried, &ears).await;
        let permitted: Vec<_> = refused.difference(&found).collect();
        let missing: Vec<_> = found.difference(&refused).collect();
        assert!(permitted.is_empty() && missing.is_empty(), "{role}: may {permitted:?}, may not {missing:?}");
    }
}

#[test]
fn a_role_waits_for_init_and_tries_to_make_nothing() {
    let secured = Secured::start();
    let (address, mut ingest) = secured.ingest(&secured.flags(Role::Ingest));
    eventually("it has looked", || {
        let answer =
            crate::http::Client::new(address, Duration::from_secs(5)).ask("GET /readyz", "", b"").ok()?;
        answer.body.contains("it is missing").then_some(())
    });
    secured.init();
    until_ready("ingest", address, &mut ingest);
    assert_eq!(secured.violations(), Vec::<String>::new());
}

#[test]
fn a_wrong_key_or_authority_is_told_at_once_and_by_name() {
    let (secured, other) = (Secured::start(), Secured::start());
    let file = |of: &Secured, name: &str| of.file(Role::Ingest, name).display().to_string();
    let url = secured.nats.tls_url();
    let (ca, key) = (file(&secured, "ca.pem"), file(&secured, "nats.nk"));
    let (wrong_ca, wrong_key) = (file(&other, "ca.pem"), file(&other, "nats.nk"));
    let missing = file(&secured, "missing");
    for (ca, key, told) in [
        (Some(&ca), Some(&wrong_key), format!("it refused the nkey in {wrong_key}")),
        (Some(&ca), None, "it refused a node without nkey or credentials".to_owned()),
        (Some(&wrong_ca), Some(&key), format!("by TLS, trusting the authority in {wrong_ca}")),
        (None, Some(&key), "by TLS, trusting the system's authorities, without --nats-ca".to_owned()),
        (
            Some(&key),
            Some(&key),
            format!("read the certificates of NATS from {key}: it is not a certificate"),
        ),
        (Some(&ca), Some(&ca), format!("read the NATS nkey file {ca}: it is not the seed of a user")),
        (Some(&ca), Some(&missing), format!("read the NATS nkey file {missing}: No such file")),
    ] {
        let mut flags = vec!["--nats".to_owned(), url.clone()];
        let given = [("--nats-ca", ca), ("--nats-nkey", key)];
        flags.extend(given.into_iter().filter_map(|(flag, file)| file.map(|file| format!("{flag}={file}"))));
        let began = Instant::now();
        let (_, ingest) = secured.ingest(&flags);
        let finished = ingest.finish();
        assert_eq!(finished.status.code(), Some(2), "{finished:?}");
        assert!(finished.stderr.contains(&told), "{told}: {finished:?}");
        assert!(began.elapsed() < SOON, "{:?}: {told}", began.elapsed());
    }
}
