//! Several nodes share the work on a queue on NATS, while nodes and servers are slow, killed or restarted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use backend_nats::{NatsBackend, NatsOptions, NatsQueue};
use bytes::Bytes;
use parking_lot::Mutex;
use ports::clock::{Clock, SystemClock};
use ports::queue::{DeadLetters, Outcome, Queue, QueueError, QueueMessage, QueueName};
use servers::{NatsCluster, NatsServer};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};

use crate::adapter;
use crate::queue::{holds, join, join_alone};
use conformance::suite::queue::{body, enqueue, id, message};
use doubles::eventually;

const NAME: QueueName = QueueName::Deliveries;

fn options(url: impl Into<String>) -> NatsOptions {
    NatsOptions { queue_capacity: 200_000, ..adapter::options(url) }
}

/// A node that only enqueues.
async fn producer(options: NatsOptions) -> Arc<NatsQueue> {
    backend_nats::init(options.clone()).await.expect("set up");
    let backend = NatsBackend::connect(options, Arc::new(SystemClock::new())).await.expect("connect");
    backend.queue(NAME)
}

/// Repeats a call that may fail for a while.
async fn patiently<T>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, QueueError>) -> T {
    eventually(what, async || match attempt().await {
        Ok(done) => Some(done),
        Err(QueueError::Unavailable(_)) => None,
        Err(error @ QueueError::Full) => panic!("{error}"),
    })
    .await
}

/// The record of a test's nodes: claims, and completed messages.
#[derive(Default)]
struct Seen {
    /// Claimed messages, with the node that claimed them.
    in_hands: BTreeMap<u128, &'static str>,
    done: BTreeSet<u128>,
    /// The greatest completed number of each order key.
    done_of: BTreeMap<u128, u128>,
    /// Number of messages that each node completed.
    done_by: BTreeMap<&'static str, usize>,
    wrongs: Vec<String>,
}

impl Seen {
    fn claimed(&mut self, node: &'static str, number: u128) {
        if let Some(other) = self.in_hands.insert(number, node) {
            self.wrongs.push(format!("{node} claimed {number}, which {other} held"));
        }
        if self.done.contains(&number) {
            self.wrongs.push(format!("{node} claimed {number}, which was done"));
        }
        if self.done_of.get(&key(number)).is_some_and(|done| *done > number) {
            self.wrongs.push(format!("{node} claimed {number} after a later one of its order key"));
        }
    }

    fn settled(&mut self, node: &'static str, number: u128) {
        self.in_hands.remove(&number);
        self.done.insert(number);
        self.done_of.insert(key(number), number);
        *self.done_by.entry(node).or_default() += 1;
    }

    /// Notes that a node died: its claimed messages may be completed, or not.
    fn died(&mut self, node: &'static str) -> BTreeSet<u128> {
        let held: BTreeSet<u128> =
            self.in_hands.iter().filter(|(_, holder)| **holder == node).map(|(number, _)| *number).collect();
        self.in_hands.retain(|_, holder| *holder != node);
        held
    }
}

/// Messages in 30 lanes, each with 3 order keys.
fn key(number: u128) -> u128 {
    number % 90
}

fn numbered(number: u128) -> QueueMessage {
    QueueMessage { order_key: id(1_000 + key(number)), lane: id(key(number) / 3), ..message(number, 0) }
}

/// Claims and completes messages until the task is aborted.
async fn work(node: &'static str, queue: Arc<NatsQueue>, seen: Arc<Mutex<Seen>>) {
    let clock = SystemClock::new();
    loop {
        let lanes = queue.lanes(clock.now()).await.unwrap_or_default();
        for lane in &lanes {
            let claims = queue.claim(*lane, clock.now(), 4).await.unwrap_or_default();
            let numbers: Vec<u128> = claims.iter().map(|claim| claim.id.as_uuid().as_u128()).collect();
            numbers.iter().for_each(|number| seen.lock().claimed(node, *number));
            if numbers.is_empty() {
                continue;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            let outcomes: Vec<_> = numbers.iter().map(|number| (id(*number), Outcome::Complete)).collect();
            while let Err(error) = queue.settle(outcomes.clone()).await {
                assert!(matches!(error, QueueError::Unavailable(_)), "{error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            numbers.iter().for_each(|number| seen.lock().settled(node, *number));
        }
        if lanes.is_empty() {
            let _ = tokio::time::timeout(Duration::from_millis(50), queue.changed()).await;
        }
    }
}

struct Worker {
    queue: Arc<NatsQueue>,
    task: AbortHandle,
}

struct Nodes {
    options: NatsOptions,
    seen: Arc<Mutex<Seen>>,
    tasks: JoinSet<()>,
}

impl Nodes {
    fn new(options: NatsOptions) -> Self {
        Self { options, seen: Arc::default(), tasks: JoinSet::new() }
    }

    async fn start(&mut self, node: &'static str) -> Worker {
        let queue = join(self.options.clone(), NAME).await;
        let task = self.tasks.spawn(work(node, Arc::clone(&queue), Arc::clone(&self.seen)));
        Worker { queue, task }
    }

    /// Ends a node in order.
    async fn end(&mut self, worker: Worker) {
        worker.queue.close().await;
        worker.task.abort();
    }

    /// Ends a node as if its machine had lost power; answers the messages that it had claimed.
    async fn kill(&mut self, node: &'static str, worker: Worker) -> BTreeSet<u128> {
        worker.task.abort();
        eventually("it is dead", async || worker.task.is_finished().then_some(())).await;
        drop(worker);
        self.seen.lock().died(node)
    }

    async fn all_done(&self, numbers: impl Iterator<Item = u128> + Clone, but: &BTreeSet<u128>) {
        let left = || {
            let seen = self.seen.lock();
            assert!(seen.wrongs.is_empty(), "{:?}", seen.wrongs);
            numbers.clone().filter(|number| !seen.done.contains(number) && !but.contains(number)).count()
        };
        eventually("all is done", async || (left() == 0).then_some(())).await;
    }

    fn done_by(&self, node: &'static str) -> usize {
        self.seen.lock().done_by.get(node).copied().unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_the_work_as_they_come_and_go() {
    let server = NatsServer::start();
    let producer = producer(options(server.url())).await;
    let mut nodes = Nodes::new(options(server.url()));
    let nobody = BTreeSet::new();
    let first = nodes.start("first").await;
    holds(&first.queue, 16).await;
    enqueue(&*producer, (0..900).map(numbered)).await;
    let second = nodes.start("second").await;
    enqueue(&*producer, (900..1_800).map(numbered)).await;
    holds(&first.queue, 8).await;
    holds(&second.queue, 8).await;
    enqueue(&*producer, (1_800..2_700).map(numbered)).await;
    nodes.all_done(0..2_700, &nobody).await;
    assert!(nodes.done_by("first") > 0 && nodes.done_by("second") > 0);

    let third = nodes.start("third").await;
    enqueue(&*producer, (2_700..3_600).map(numbered)).await;
    eventually("each has its part", async || {
        let parts = [&first, &second, &third].map(|worker| worker.queue.shards_held());
        (parts.iter().sum::<usize>() == 16 && parts.iter().all(|part| (4..=6).contains(part))).then_some(())
    })
    .await;
    enqueue(&*producer, (3_600..4_500).map(numbered)).await;
    nodes.end(first).await;
    enqueue(&*producer, (4_500..5_400).map(numbered)).await;
    nodes.all_done(0..5_400, &nobody).await;
    holds(&third.queue, 8).await;

    enqueue(&*producer, (5_400..6_300).map(numbered)).await;
    let lost = nodes.kill("second", second).await;
    enqueue(&*producer, (6_300..7_200).map(numbered)).await;
    holds(&third.queue, 16).await;
    nodes.all_done(0..7_200, &lost).await;
    nodes.end(third).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_is_given_over_when_what_is_claimed_of_it_is_settled() {
    let server = NatsServer::start();
    let first = join_alone(options(server.url()), NAME).await;
    let now = SystemClock::new().now();
    // Two messages of an order key, in enough lanes that every shard has some.
    let (lanes, ordered) =
        (100..200_u128, |number, lane| QueueMessage { order_key: id(lane), ..message(number, lane) });
    enqueue(&*first, lanes.clone().flat_map(|lane| [ordered(lane, lane), ordered(1_000 + lane, lane)])).await;
    let mut claimed = Vec::new();
    for lane in lanes.clone() {
        claimed.extend(
            first
                .claim(id(lane), now, 10)
                .await
                .expect("claim")
                .into_iter()
                .map(|claim| claim.id.as_uuid().as_u128()),
        );
    }
    assert_eq!(claimed, lanes.clone().collect::<Vec<_>>());
    let second = join(options(server.url()), NAME).await;
    holds(&first, 8).await;
    // Time enough to look several times.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(second.shards_held(), 0);
    first.settle(lanes.clone().map(|lane| (id(lane), Outcome::Complete)).collect()).await.expect("settle");
    holds(&second, 8).await;
    let mut claimed = Vec::new();
    for lane in lanes.clone() {
        for queue in [&first, &second] {
            let claims = queue.claim(id(lane), now, 10).await.expect("claim");
            claimed.extend(claims.into_iter().map(|claim| claim.id.as_uuid().as_u128()));
        }
    }
    assert_eq!(claimed, lanes.map(|lane| 1_000 + lane).collect::<Vec<_>>());
    // No node is left to settle the second's claims.
    second.close().await;
    holds(&first, 16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_parked_retries_are_in_nobodys_way() {
    let mut server = NatsServer::start();
    let queue = join_alone(options(server.url()), NAME).await;
    let clock = SystemClock::new();
    let hours = Duration::from_secs(3 * 3_600);
    enqueue(&*queue, (0..10_000).map(|number| message(number, 1))).await;
    let parked = queue.claim(id(1), clock.now(), 10_000).await.expect("claim");
    assert_eq!(parked.len(), 10_000);
    let due_at = clock.now() + hours;
    let retry = |number: u128| (id(number), Outcome::Retry { due_at, body: body(number + 1) });
    queue.settle((0..10_000).map(retry).collect()).await.expect("settle");
    let others = 100..140;
    let mut queue = queue;
    for round in 0..2_u128 {
        let numbers = others.clone().map(|lane| 100_000 * (round + 1) + lane);
        enqueue(&*queue, numbers.clone().zip(others.clone()).map(|(number, lane)| message(number, lane)))
            .await;
        let now = clock.now();
        let lanes: BTreeSet<u128> =
            queue.lanes(now).await.expect("lanes").iter().map(|lane| lane.as_uuid().as_u128()).collect();
        assert_eq!(lanes, others.clone().collect());
        for (number, lane) in numbers.zip(others.clone()) {
            let claims = queue.claim(id(lane), now, 10).await.expect("claim");
            assert_eq!(claims.iter().map(|claim| claim.id).collect::<Vec<_>>(), [id(number)]);
            queue.settle(vec![(id(number), Outcome::Complete)]).await.expect("settle");
        }
        assert!(queue.claim(id(1), now, 10).await.expect("claim").is_empty());
        queue.close().await;
        server.restart();
        queue = join_alone(options(server.url()), NAME).await;
    }
    let due = queue.claim(id(1), due_at, 20_000).await.expect("claim");
    assert_eq!(due.len(), 10_000);
    assert!(
        due.iter().all(|claim| claim.body == body(claim.id.as_uuid().as_u128() + 1)),
        "bodies that are not kept are read"
    );
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enqueued_by_two_nodes_at_once_it_is_one_message() {
    let server = NatsServer::start();
    let (one, other) = (producer(options(server.url())).await, producer(options(server.url())).await);
    let queue = join_alone(options(server.url()), NAME).await;
    let (one, other) = tokio::join!(
        one.enqueue((0..2_000).map(|number| message(number, number % 7)).collect()),
        other.enqueue((0..2_000).rev().map(|number| message(number, number % 7)).collect()),
    );
    one.and(other).expect("enqueue");
    let mut claimed = Vec::new();
    eventually("all are claimed", async || {
        for lane in 0..7 {
            let claims = queue.claim(id(lane), SystemClock::new().now(), 5_000).await.expect("claim");
            claimed.extend(claims.iter().map(|claim| claim.id.as_uuid().as_u128()));
        }
        (claimed.len() >= 2_000).then_some(())
    })
    .await;
    claimed.sort_unstable();
    assert_eq!(claimed, (0..2_000).collect::<Vec<_>>());
    queue.close().await;
}

/// A node in its own runtime, which stands still with its thread.
fn freezing_node(
    options: NatsOptions,
    claimed: oneshot::Sender<Vec<u128>>,
    frozen_for: Duration,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let clock = SystemClock::new();
            let queue = join_alone(options, NAME).await;
            let claims = queue.claim(id(1), clock.now(), 2).await.expect("claim");
            claimed
                .send(claims.iter().map(|claim| claim.id.as_uuid().as_u128()).collect())
                .expect("the test listens");
            std::thread::sleep(frozen_for);
            let unsure = queue.claim(id(1), clock.now(), 10).await;
            assert!(unsure.is_err(), "a node cannot know what happened while it was frozen: {unsure:?}");
            let outcomes = vec![(id(1), Outcome::Complete), (id(2), Outcome::Bury)];
            queue.settle(outcomes).await.expect("nothing of it is its own any more");
            queue.close().await;
        });
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_frozen_changes_nothing_that_others_took_over() {
    let server = NatsServer::start();
    let clock = SystemClock::new();
    let producer = producer(options(server.url())).await;
    enqueue(&*producer, (1..=4).map(|number| message(number, 1))).await;
    let (tell, told) = oneshot::channel();
    let frozen = freezing_node(options(server.url()), tell, Duration::from_secs(10));
    assert_eq!(told.await.expect("it has claimed"), [1, 2]);
    let queue = join_alone(options(server.url()), NAME).await;
    let claims = queue.claim(id(1), clock.now(), 10).await.expect("claim");
    assert_eq!(claims.iter().map(|claim| claim.id).collect::<Vec<_>>(), [1, 2, 3, 4].map(id));
    let retry =
        |number| (id(number), Outcome::Retry { due_at: clock.now(), body: Bytes::from_static(b"again") });
    queue.settle(vec![retry(1)]).await.expect("settle");
    tokio::task::spawn_blocking(|| frozen.join()).await.expect("a thread").expect("it thawed");
    let left = (2..=4).map(|number| (id(number), Outcome::Complete)).collect::<Vec<_>>();
    patiently("settled", async || queue.settle(left.clone()).await).await;
    holds(&queue, 16).await;
    let claims = queue.claim(id(1), clock.now(), 10).await.expect("claim");
    let claims: Vec<_> = claims.iter().map(|claim| (claim.id, &claim.body[..])).collect();
    assert_eq!(claims, [(id(1), &b"again"[..])]);
    assert!(!queue.revive(id(2), clock.now(), Bytes::new()).await.expect("revive"), "it was not buried");
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_outlive_a_restart_of_the_server() {
    let mut server = NatsServer::start_durable();
    let queue = join_alone(options(server.url()), NAME).await;
    let now = SystemClock::new().now();
    enqueue(&*queue, (0..100).map(|number| message(number, 1))).await;
    let claims = queue.claim(id(1), now, 50).await.expect("claim");
    assert_eq!(claims.len(), 50);
    tokio::task::block_in_place(|| server.restart());
    let outcomes: Vec<_> = claims.iter().map(|claim| (claim.id, Outcome::Complete)).collect();
    patiently("settled", async || queue.settle(outcomes.clone()).await).await;
    patiently("enqueued", async || {
        queue.enqueue((100..110).map(|number| message(number, 1)).collect()).await
    })
    .await;
    let mut claimed = Vec::new();
    eventually("the others are claimed", async || {
        let claims = queue.claim(id(1), now, 100).await.unwrap_or_default();
        claimed.extend(claims.iter().map(|claim| claim.id.as_uuid().as_u128()));
        (claimed.len() >= 60).then_some(())
    })
    .await;
    assert_eq!(claimed, (50..110).collect::<Vec<_>>());
    let outcomes: Vec<_> = claimed.iter().map(|number| (id(*number), Outcome::Complete)).collect();
    patiently("settled", async || queue.settle(outcomes.clone()).await).await;
    queue.close().await;
    let queue = join_alone(options(server.url()), NAME).await;
    assert!(queue.lanes(now).await.expect("lanes").is_empty(), "nothing is left");
    queue.close().await;
}

/// Which of the cluster's servers leads the queue's stream.
async fn leader(url: &str) -> usize {
    let context =
        jetstream::new(async_nats::connect(url.split(',').collect::<Vec<_>>()).await.expect("connect"));
    let stream = context.get_stream("lubdub-deliveries").await.expect("the stream");
    let leader = stream.cached_info().cluster.as_ref().and_then(|cluster| cluster.leader.clone());
    leader.expect("a leader").trim_start_matches('n').parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_costs_no_message_and_doubles_none() {
    let mut cluster = NatsCluster::start();
    let options = NatsOptions { replicas: 3, ..options(cluster.url()) };
    let producer = producer(options.clone()).await;
    let mut nodes = Nodes::new(options);
    let worker = nodes.start("worker").await;
    holds(&worker.queue, 16).await;
    let mut wave = 0_u128;
    for round in 0..6 {
        if round == 2 {
            let leader = leader(&cluster.url()).await;
            cluster.server(leader).kill();
        }
        let numbers = wave..wave + 300;
        patiently("enqueued", async || producer.enqueue(numbers.clone().map(numbered).collect()).await).await;
        wave = numbers.end;
    }
    nodes.all_done(0..wave, &BTreeSet::new()).await;
    nodes.end(worker).await;
}
