use std::time::Duration;

use model::heartbeat::HeartbeatKind;
use model::time::{APPEND_TIMEOUT, TICK_EVERY, TimeRules};
use model::wire::frame::{Frame, Listening};
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;

use super::*;
use crate::accept::Accepted;
use crate::doubles::{START, TokioClock, monitor_id};
use crate::tokens::Charge;
use doubles::{AppendFate, FaultyHeartbeatLog, InMemoryHeartbeatLog, eventually};

type Answer = oneshot::Receiver<KeptOutput>;

/// One partition at work, in tokio's time.
struct Node {
    log: Arc<FaultyHeartbeatLog>,
    clock: Arc<TokioClock>,
    commits: Arc<GroupCommit>,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

impl Node {
    fn resting(limits: Limits) -> Self {
        let clock = Arc::new(TokioClock::new());
        let entrance = Entrance::undoubted(Arc::clone(&clock) as _);
        Self::behind(entrance, clock, limits)
    }

    fn behind(entrance: Entrance, clock: Arc<TokioClock>, limits: Limits) -> Self {
        let log =
            Arc::new(FaultyHeartbeatLog::new(Arc::new(InMemoryHeartbeatLog::new(Arc::clone(&clock) as _))));
        let commits = Arc::new(GroupCommit::new(
            Author { node: "n1".to_owned(), boot: 7 },
            limits,
            Arc::clone(&log) as _,
            Arc::clone(&clock) as _,
            Arc::new(Health::new(1, TimeRules::EMBEDDED)),
            entrance,
            Arc::new(Metrics::new(&mut Registry::default())),
        ));
        Self { log, clock, commits, shutdown: CancellationToken::new(), tasks: JoinSet::new() }
    }

    /// After its first frame.
    async fn working(limits: Limits) -> Self {
        let mut node = Self::resting(limits);
        node.start();
        node.until_landed(1).await;
        node
    }

    fn start(&mut self) {
        let (commits, shutdown) = (Arc::clone(&self.commits), self.shutdown.clone());
        self.tasks.spawn(async move { commits.commit(PartitionId(0), shutdown).await });
    }

    async fn until_landed(&self, frames: usize) {
        eventually("frames landed", async || (self.log.landed().len() >= frames).then_some(())).await;
    }

    async fn until_attempted(&self, frames: usize) {
        eventually("frames sealed", async || (self.log.attempted().len() >= frames).then_some(())).await;
    }

    fn push(&self, n: u64) -> Result<Answer, Refused> {
        self.push_text(n, None)
    }

    fn push_text(&self, n: u64, message: Option<String>) -> Result<Answer, Refused> {
        let accepted = Accepted { kind: HeartbeatKind::Up, message, value: Some(n as f64), output: None };
        self.commits.enter(Push {
            monitor: monitor_id(1),
            accepted,
            kept: KeptOutput::Whole,
            origin: Origin::default(),
            charge: Charge::free(),
        })
    }

    fn refused(&self) -> u64 {
        self.commits.node.metrics.refused.get()
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn stop(mut self) -> Arc<FaultyHeartbeatLog> {
        self.shutdown.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.log
    }
}

fn values(frame: &Frame) -> Vec<u64> {
    frame.heartbeats.iter().map(|heartbeat| heartbeat.value.unwrap() as u64).collect()
}

/// The heartbeats of each frame that carried any.
fn carried(frames: &[Arc<Frame>]) -> Vec<Vec<u64>> {
    frames.iter().map(|frame| values(frame)).filter(|values| !values.is_empty()).collect()
}

/// Checks what always holds: times of receipt grow, what was received before a frame was sealed is not in a
/// later one, and frames are numbered and chained.
fn check_order(attempted: &[Arc<Frame>]) {
    let mut last = EventTime::EPOCH;
    for (place, frame) in attempted.iter().enumerate() {
        for heartbeat in &frame.heartbeats {
            assert!(heartbeat.received_at > last, "received in order");
            last = heartbeat.received_at;
        }
        assert!(frame.sealed_at >= last, "sealed not before anything in it");
        let since = place.checked_sub(1).map(|before| attempted[before].sealed_at);
        assert!(since.is_none_or(|since| frame.sealed_at > since), "sealed in order");
        last = frame.sealed_at;
        assert_eq!(frame.number, place as u64 + 1);
        assert_eq!(frame.listening, since.map_or(Listening::First, Listening::Since));
        assert_eq!((frame.node.as_str(), frame.boot), ("n1", 7));
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_is_answered_once_its_frame_is_acknowledged() {
    let node = Node::working(Limits::default()).await;
    node.log.set(AppendFate::Waits);
    let mut answer = node.push(1).unwrap();
    node.until_attempted(2).await;
    assert!(answer.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty));
    node.log.permit(1);
    answer.await.unwrap();
    let frame = Arc::clone(&node.log.landed()[1]);
    assert_eq!(frame.heartbeats[0].monitor, monitor_id(1));
    assert!(frame.heartbeats[0].received_at >= START);
    assert_eq!(node.refused(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_arrives_during_an_append_is_the_next_frame() {
    let node = Node::working(Limits::default()).await;
    node.log.set(AppendFate::Waits);
    let mut answers = vec![node.push(1).unwrap()];
    node.until_attempted(2).await;
    for n in 2..=500 {
        answers.push(node.push(n).unwrap());
    }
    node.pass(Duration::from_millis(1_500)).await;
    assert_eq!(node.log.attempted().len(), 2, "one append at a time, and no tick beside it");
    node.log.permit(2);
    for answer in answers {
        answer.await.unwrap();
    }
    assert_eq!(carried(&node.log.landed()), [vec![1], (2..=500).collect()]);
    node.log.set(AppendFate::Lands);
    let log = node.stop().await;
    assert_eq!(log.most_in_flight(), 1);
    check_order(&log.attempted());
}

#[tokio::test(start_paused = true)]
async fn a_frame_is_bounded_in_number_and_in_bytes() {
    for (limits, text, expected) in [
        (Limits { frame_heartbeats: 3, ..Limits::default() }, 0, vec![3, 3, 1]),
        (Limits { frame_bytes: 3_000, ..Limits::default() }, 1_000, vec![2, 2, 2, 1]),
        (Limits { frame_bytes: 10, ..Limits::default() }, 100, vec![1; 7]),
    ] {
        let node = Node::working(limits).await;
        let answers: Vec<Answer> =
            (0..7).map(|n| node.push_text(n, Some("x".repeat(text))).unwrap()).collect();
        for answer in answers {
            answer.await.unwrap();
        }
        let sizes: Vec<usize> = carried(&node.log.landed()).iter().map(Vec::len).collect();
        assert_eq!(sizes, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_goes_out_whenever_nothing_else_did() {
    let node = Node::working(Limits::default()).await;
    node.until_landed(5).await;
    let frames = node.log.landed();
    assert!(frames.iter().all(|frame| frame.is_tick()));
    for pair in frames.windows(2) {
        let between = pair[1].sealed_at.since(pair[0].sealed_at);
        assert!((TICK_EVERY..TICK_EVERY + Duration::from_millis(10)).contains(&between), "{between:?}");
    }
    node.pass(Duration::from_millis(250)).await;
    node.push(1).unwrap().await.unwrap();
    let count = node.log.landed().len();
    node.pass(Duration::from_millis(450)).await;
    assert_eq!(node.log.landed().len(), count, "a frame with heartbeats is as good as a tick");
    node.pass(Duration::from_millis(60)).await;
    assert_eq!(node.log.landed().len(), count + 1);
    check_order(&node.log.attempted());
}

#[tokio::test(start_paused = true)]
async fn a_lost_tick_does_not_break_the_chain() {
    let node = Node::working(Limits::default()).await;
    node.log.set_next([AppendFate::Fails, AppendFate::LandsUnheard]);
    node.until_landed(4).await;
    let attempted = node.log.attempted();
    assert!(attempted.len() >= 5);
    assert!(attempted.iter().all(|frame| frame.refused == 0), "no push was refused");
    check_order(&attempted);
}

#[tokio::test(start_paused = true)]
async fn who_waited_too_long_is_refused_while_the_append_hangs() {
    let node = Node::working(Limits::default()).await;
    node.log.set(AppendFate::Waits);
    let in_flight = node.push(1).unwrap();
    node.until_attempted(2).await;
    node.pass(Duration::from_millis(500)).await;
    let queued = node.push(2).unwrap();
    let began = tokio::time::Instant::now();
    assert!(in_flight.await.is_err());
    assert!(began.elapsed() < Duration::from_millis(1_600), "by its own receipt");
    assert!(queued.await.is_err());
    assert!((Duration::from_secs(2)..Duration::from_millis(2_100)).contains(&began.elapsed()));
    assert_eq!(node.refused(), 2);
    // A third one is queued in time when the first frame lands late.
    let third = node.push(3).unwrap();
    node.log.set(AppendFate::Lands);
    node.log.permit(1);
    third.await.unwrap();
    let landed = node.log.landed();
    assert_eq!(carried(&landed), [vec![1], vec![3]], "the overdue one is not appended");
    assert_eq!(landed[2].refused, 2, "and the next frame tells of both");
    assert_eq!(landed[1].refused, 0);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_is_handled_after_a_freeze_is_too_late() {
    let node = Node::working(Limits::default()).await;
    node.log.set(AppendFate::Waits);
    let frozen = node.push(1).unwrap();
    node.until_attempted(2).await;
    let queued = node.push(2).unwrap();
    node.clock.freeze(APPEND_TIMEOUT);
    let fresh = node.push(3).unwrap();
    node.log.permit(2);
    assert!(frozen.await.is_err());
    assert!(queued.await.is_err());
    fresh.await.unwrap();
    let landed = node.log.landed();
    assert_eq!(carried(&landed), [vec![1], vec![3]]);
    assert_eq!(landed[2].refused, 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_append_refuses_at_once_and_is_told_until_it_is_heard() {
    let node = Node::working(Limits::default()).await;
    node.log.set_next([AppendFate::Fails, AppendFate::LandsUnheard, AppendFate::Fails]);
    let began = tokio::time::Instant::now();
    assert!(node.push(1).unwrap().await.is_err());
    assert!(node.push(2).unwrap().await.is_err());
    assert!(began.elapsed() < Duration::from_millis(100), "no use in waiting");
    node.until_landed(3).await;
    let counted: Vec<u64> = node.log.attempted().iter().map(|frame| frame.refused).collect();
    assert_eq!(counted, [0, 0, 1, 2, 2], "tick, failed, failed, failed tick, tick");
    node.until_landed(4).await;
    assert_eq!(node.log.landed()[3].refused, 0, "the count is not repeated once it was acknowledged");
    assert_eq!(node.refused(), 2);
    check_order(&node.log.attempted());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once() {
    let by_number = Limits { queued_pushes: 3, ..Limits::default() };
    let by_bytes = Limits { queued_bytes: 4_000, ..Limits::default() };
    for (limits, text) in [(by_number, 0), (by_bytes, 1_000)] {
        let node = Node::working(limits).await;
        node.log.set(AppendFate::Waits);
        let text = "x".repeat(text);
        let answers: Vec<_> = (0..5).map(|n| node.push_text(n, Some(text.clone()))).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
        assert!(answers[3..].iter().all(Result::is_err), "the last ones");
        assert_eq!(node.refused(), 2);
        node.log.set(AppendFate::Lands);
        node.log.permit(9);
        for answer in answers.into_iter().flatten() {
            answer.await.unwrap();
        }
        let after = node.push_text(9, Some(text)).unwrap();
        after.await.unwrap();
        let told: u64 = node.log.landed().iter().map(|frame| frame.refused).sum();
        assert_eq!(told, 2);
        assert_eq!(node.commits.node.budget.taken(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_before_the_start_and_after_the_end() {
    let mut node = Node::resting(Limits::default());
    assert!(node.push(1).is_err());
    node.start();
    node.until_landed(1).await;
    assert_eq!(node.log.landed()[0].refused, 1);
    node.push(2).unwrap().await.unwrap();
    let commits = Arc::clone(&node.commits);
    node.stop().await;
    let accepted = Accepted { kind: HeartbeatKind::Up, message: None, value: None, output: None };
    let push = Push {
        monitor: monitor_id(1),
        accepted,
        kept: KeptOutput::Whole,
        origin: Origin::default(),
        charge: Charge::free(),
    };
    assert!(commits.enter(push).is_err());
}

#[tokio::test(start_paused = true)]
async fn on_shutdown_everybody_who_was_taken_gets_a_true_answer() {
    let node = Node::working(Limits { frame_heartbeats: 2, ..Limits::default() }).await;
    node.log.set(AppendFate::LandsAfter(Duration::from_millis(100)));
    let answers: Vec<Answer> = (0..7).map(|n| node.push(n).unwrap()).collect();
    let log = node.stop().await;
    for answer in answers {
        answer.await.unwrap();
    }
    let landed = log.landed();
    assert_eq!(carried(&landed).concat(), (0..7).collect::<Vec<_>>());
    assert!(landed.last().is_some_and(|frame| frame.is_tick()), "the last word is a tick");
    check_order(&log.attempted());
}

#[tokio::test(start_paused = true)]
async fn when_the_committer_is_gone_nobody_waits_for_it() {
    let mut node = Node::working(Limits::default()).await;
    node.log.set(AppendFate::Waits);
    let in_flight = node.push(1).unwrap();
    node.until_attempted(2).await;
    let queued = node.push(2).unwrap();
    node.tasks.abort_all();
    assert!(in_flight.await.is_err());
    assert!(queued.await.is_err());
    assert!(node.push(3).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_is_recorded_and_not_refused() {
    let node = Node::working(Limits::default()).await;
    drop(node.push(1).unwrap());
    node.push(2).unwrap().await.unwrap();
    assert_eq!(carried(&node.log.landed()), [[1, 2]]);
    assert_eq!((node.refused(), node.commits.node.budget.taken()), (0, 0));
}

/// A small generator: the seed names the history.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[tokio::test(start_paused = true)]
async fn in_any_history_the_answers_are_true_and_every_refusal_is_told() {
    for seed in 0..150 {
        let mut random = Random(seed);
        let limits = Limits { queued_pushes: 40, frame_heartbeats: 9, ..Limits::default() };
        let node = Node::working(limits).await;
        let mut answers = Vec::new();
        let mut refused_at_once = 0;
        for n in 0..300 {
            let fate = match random.below(12) {
                0 => AppendFate::Fails,
                1 => AppendFate::LandsUnheard,
                2 => AppendFate::LandsAfter(Duration::from_millis(random.below(4_000))),
                _ => AppendFate::LandsAfter(Duration::from_millis(random.below(20))),
            };
            node.log.set(fate);
            match node.push(n) {
                Ok(answer) => answers.push((n, answer)),
                Err(Refused) => refused_at_once += 1,
            }
            match random.below(40) {
                0 => node.clock.freeze(Duration::from_millis(random.below(3_000))),
                1 => node.pass(Duration::from_millis(random.below(3_000))).await,
                2..20 => node.pass(Duration::from_millis(random.below(5))).await,
                _ => {}
            }
        }
        node.log.set(AppendFate::Lands);
        let mut recorded = Vec::new();
        let mut refused = refused_at_once;
        for (n, answer) in answers {
            match answer.await {
                Ok(_) => recorded.push(n),
                Err(_dropped) => refused += 1,
            }
        }
        assert_eq!((node.refused(), node.commits.node.budget.taken()), (refused, 0), "seed {seed}");
        let log = node.stop().await;
        let landed = carried(&log.landed()).concat();
        assert!(recorded.iter().all(|n| landed.contains(n)), "seed {seed}: answered 200 and not there");
        assert!(landed.is_sorted(), "seed {seed}");
        let told: u64 = log.landed().iter().map(|frame| frame.refused).sum();
        assert!(told >= refused, "seed {seed}: {told} told, {refused} refused");
        assert_eq!(log.most_in_flight(), 1, "seed {seed}");
        check_order(&log.attempted());
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_listener_that_takes_connections_no_frame_vouches() {
    let clock = Arc::new(TokioClock::new());
    let entrance = Entrance::new(Arc::clone(&clock) as _, TimeRules::EMBEDDED.silence);
    let mut node = Node::behind(entrance.clone(), clock, Limits::default());
    node.start();
    node.until_landed(3).await;
    assert!(node.log.landed().iter().all(|frame| frame.refused == 1), "it has not begun");
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut listener = JoinSet::new();
    let router = axum::Router::new();
    listener.spawn(serving::serve(
        socket,
        router,
        serving::ServerLimits::default(),
        entrance,
        CancellationToken::new(),
    ));
    let vouching = async || node.log.landed().last().is_some_and(|frame| frame.refused == 0).then_some(());
    eventually("frames vouch", vouching).await;
    // As it ends by a defect: without a word.
    listener.shutdown().await;
    let landed = node.log.landed().len();
    node.until_landed(landed + 5).await;
    let refused: Vec<u64> = node.log.landed()[landed..].iter().map(|frame| frame.refused).collect();
    assert!(refused[3..].iter().all(|refused| *refused == 1), "after B: {refused:?}");
    assert!(node.commits.node.metrics.deaf_frames.get() >= 5);
}

#[tokio::test(start_paused = true)]
async fn while_the_log_is_full_no_frame_vouches() {
    let node = Node::working(Limits::default()).await;
    let refused_of_new = async || {
        let landed = node.log.landed().len();
        node.until_landed(landed + 4).await;
        // The first one may have been sealed before.
        node.log.landed()[landed + 1..].iter().map(|frame| frame.refused).collect::<Vec<u64>>()
    };
    let health = &node.commits.node.health;
    health.full(PartitionId(0), Some("the disk is full".to_owned()));
    health.full(PartitionId(1), Some("the disk is full".to_owned()));
    assert_eq!(refused_of_new().await, [1, 1, 1]);
    health.full(PartitionId(0), None);
    assert_eq!(refused_of_new().await, [1, 1, 1], "another partition makes the node not ready as well");
    health.full(PartitionId(1), None);
    assert_eq!(refused_of_new().await, [0, 0, 0]);
}
