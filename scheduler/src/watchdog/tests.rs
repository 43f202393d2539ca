//! Several schedulers and one event: the operator hears of it once, and of its end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use doubles::{FaultyRoster, InMemoryRoster, Switch};
use histories::START;
use ports::clock::ManualClock;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// What a scheduler told the operator: its name, the type, and the type of what ended.
type Heard = (String, String, Option<String>);

/// The operator, who can be kept from hearing some of the schedulers.
#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<Heard>>,
    messages: Mutex<Vec<String>>,
    deaf_to: Mutex<BTreeSet<String>>,
}

impl Ear {
    fn hear(&self, name: String, body: &serde_json::Value) -> StatusCode {
        if self.deaf_to.lock().contains(&name) {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let kind = text(&body["type"]).expect("a type");
        self.messages.lock().extend(text(&body["data"]["message"]));
        self.heard.lock().push((name, kind, text(&body["data"]["ended"])));
        StatusCode::OK
    }
}

/// Something that is wrong for all schedulers, or not.
struct Wrong(Arc<AtomicBool>);

#[async_trait]
impl Concern for Wrong {
    fn kind(&self) -> &'static str {
        "lubdub.wrong"
    }

    fn subject(&self) -> &'static str {
        "It is wrong"
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn trouble(&self) -> Option<String> {
        self.0.load(Ordering::SeqCst).then(|| "it is quite wrong".to_owned())
    }
}

struct Node {
    name: &'static str,
    roster: Arc<dyn Roster>,
    shares: Arc<Shares>,
    progress: Arc<Progress>,
    readiness: Readiness,
    watchdog: Watchdog,
}

struct Scene {
    clock: Arc<ManualClock>,
    roster: Arc<InMemoryRoster>,
    away: Switch,
    wrong: Arc<AtomicBool>,
    ear: Arc<Ear>,
    address: String,
    nodes: Vec<Node>,
    _receiver: JoinSet<()>,
}

impl Scene {
    /// Schedulers that know each other.
    async fn new(names: &[&'static str]) -> Self {
        // The error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ear = Arc::new(Ear::default());
        let hears = Arc::clone(&ear);
        let receive = move |Path(name): Path<String>, Json(body): Json<serde_json::Value>| async move {
            hears.hear(name, &body)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let router = axum::Router::new().route("/{name}", post(receive));
        let mut receiver = JoinSet::new();
        receiver.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        let mut scene = Self {
            clock: Arc::new(ManualClock::new(START)),
            roster: Arc::default(),
            away: Switch::default(),
            wrong: Arc::default(),
            ear,
            address,
            nodes: Vec::new(),
            _receiver: receiver,
        };
        names.iter().for_each(|name| scene.start(name));
        scene.pass(10).await;
        scene
    }

    fn start(&mut self, name: &'static str) {
        let roster: Arc<dyn Roster> =
            Arc::new(FaultyRoster::new(Arc::clone(&self.roster) as _, self.away.clone()));
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let shares = Arc::new(Shares::new(name.to_owned(), 2, Arc::clone(&clock)));
        let (progress, readiness) = (Arc::<Progress>::default(), Readiness::new("scheduler"));
        readiness.set_ready();
        let watched = Watched {
            progress: Arc::clone(&progress),
            readiness: readiness.clone(),
            // Two of one kind are one trouble.
            concerns: vec![
                Arc::new(Wrong(Arc::clone(&self.wrong))),
                Arc::new(Wrong(Arc::clone(&self.wrong))),
            ],
        };
        let url = format!("http://{}/{name}", self.address);
        let config = Config { meta_webhook: Some(url.parse().expect("a URL")), ..Config::default() };
        let others = Some((Arc::clone(&roster), Arc::clone(&shares)));
        let watchdog = Watchdog::new(clock, watched, others, config).expect("a client");
        self.nodes.push(Node { name, roster, shares, progress, readiness, watchdog });
    }

    /// The scheduler is gone at once.
    fn kill(&mut self, name: &str) {
        self.nodes.retain(|node| node.name != name);
    }

    /// Lets time pass; every scheduler beats, and looks.
    async fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds / 2 {
            self.clock.advance(Duration::from_secs(2));
            for node in &self.nodes {
                // It fails while the roster is away.
                let _ = node.shares.beat(node.roster.as_ref()).await;
            }
            for node in &mut self.nodes {
                node.watchdog.look().await;
            }
        }
    }

    fn set_wrong(&self, wrong: bool) {
        self.wrong.store(wrong, Ordering::SeqCst);
    }

    fn deafen(&self, names: &[&str]) {
        *self.ear.deaf_to.lock() = names.iter().map(|name| (*name).to_owned()).collect();
    }

    /// Who told what since the last question.
    fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.ear.heard.lock())
    }

    async fn notes(&self) -> Vec<String> {
        self.roster.notes().await.expect("memory").into_iter().map(|note| note.by).collect()
    }
}

fn began(name: &str) -> Heard {
    (name.to_owned(), "lubdub.wrong".to_owned(), None)
}

fn ended(name: &str) -> Heard {
    (name.to_owned(), "lubdub.recovered".to_owned(), Some("lubdub.wrong".to_owned()))
}

#[tokio::test]
async fn of_two_schedulers_the_first_tells_of_one_event_once_and_of_its_end() {
    let mut scene = Scene::new(&["b", "a"]).await;
    for _ in 0..2 {
        scene.set_wrong(true);
        scene.pass(120).await;
        assert_eq!(scene.heard(), [began("a")]);
        assert_eq!(scene.notes().await, ["a"]);
        scene.set_wrong(false);
        scene.pass(120).await;
        assert_eq!(scene.heard(), [ended("a")]);
        assert!(scene.notes().await.is_empty());
    }
}

#[tokio::test]
async fn when_the_one_that_told_dies_another_one_tells_the_end() {
    let mut scene = Scene::new(&["a", "b", "c"]).await;
    scene.set_wrong(true);
    scene.pass(20).await;
    assert_eq!(scene.heard(), [began("a")]);
    scene.kill("a");
    scene.pass(120).await;
    assert_eq!((scene.heard(), scene.notes().await), (vec![], vec!["b".to_owned()]));
    scene.set_wrong(false);
    scene.pass(60).await;
    assert_eq!(scene.heard(), [ended("b")]);
    assert!(scene.notes().await.is_empty());
}

#[tokio::test]
async fn a_restart_of_all_schedulers_tells_the_end_of_what_was_told_before_once() {
    let mut scene = Scene::new(&["a", "b"]).await;
    scene.set_wrong(true);
    scene.pass(20).await;
    assert_eq!(scene.heard(), [began("a")]);
    for (old, new) in [("a", "c"), ("b", "d")] {
        scene.kill(old);
        scene.roster.leave(old).await.expect("memory");
        scene.start(new);
    }
    scene.set_wrong(false);
    scene.pass(10).await;
    assert_eq!(scene.heard(), [], "it may still be wrong");
    scene.pass(60).await;
    assert_eq!(scene.heard(), [ended("c")]);
}

#[tokio::test]
async fn when_the_first_cannot_reach_the_operator_another_one_tells() {
    let mut scene = Scene::new(&["a", "b", "c"]).await;
    scene.deafen(&["a"]);
    scene.set_wrong(true);
    scene.pass(36).await;
    assert_eq!(scene.heard(), [], "the first may still reach the operator");
    scene.pass(10).await;
    assert_eq!(scene.heard(), [began("b")]);
    scene.deafen(&[]);
    scene.pass(60).await;
    scene.set_wrong(false);
    scene.pass(60).await;
    assert_eq!(scene.heard(), [ended("b")], "the first owes nothing any more");
}

#[tokio::test]
async fn what_no_scheduler_could_tell_while_it_lasted_is_told_once_afterwards() {
    let mut scene = Scene::new(&["a", "b"]).await;
    scene.deafen(&["a", "b"]);
    scene.set_wrong(true);
    scene.pass(120).await;
    scene.set_wrong(false);
    scene.pass(10).await;
    scene.deafen(&[]);
    scene.pass(60).await;
    assert_eq!(scene.heard(), [began("a"), ended("a")]);
    assert!(scene.notes().await.is_empty());
}

#[tokio::test]
async fn while_the_roster_is_away_the_first_tells_at_once_and_the_others_minutes_later() {
    let mut scene = Scene::new(&["a", "b"]).await;
    scene.away.set(true);
    scene.pass(10).await;
    scene.set_wrong(true);
    scene.pass(300).await;
    assert_eq!(scene.heard(), [began("a")]);
    scene.away.set(false);
    scene.pass(120).await;
    assert_eq!((scene.heard(), scene.notes().await), (vec![], vec!["a".to_owned()]));
    scene.set_wrong(false);
    scene.pass(60).await;
    assert_eq!(scene.heard(), [ended("a")]);

    // The first dies with the roster.
    scene.away.set(true);
    scene.kill("a");
    scene.set_wrong(true);
    scene.pass(300).await;
    assert_eq!(scene.heard(), []);
    scene.pass(20).await;
    assert_eq!(scene.heard(), [began("b")]);
    scene.set_wrong(false);
    scene.pass(10).await;
    assert_eq!(scene.heard(), [ended("b")], "although the roster is away");
}

#[tokio::test]
async fn a_scheduler_that_never_reached_the_roster_tells_minutes_later() {
    let mut scene = Scene::new(&[]).await;
    scene.away.set(true);
    scene.start("a");
    scene.set_wrong(true);
    scene.pass(300).await;
    assert_eq!(scene.heard(), []);
    scene.pass(20).await;
    assert_eq!(scene.heard(), [began("a")]);
}

#[tokio::test]
async fn one_who_died_long_ago_is_not_waited_for_when_the_roster_goes_away() {
    let mut scene = Scene::new(&["a", "b"]).await;
    scene.kill("a");
    scene.pass(20).await;
    scene.away.set(true);
    scene.set_wrong(true);
    scene.pass(20).await;
    assert_eq!(scene.heard(), [began("b")]);
}

#[tokio::test]
async fn notes_that_a_wiped_roster_lost_are_written_again() {
    let mut scene = Scene::new(&["a", "b"]).await;
    scene.set_wrong(true);
    scene.pass(40).await;
    scene.roster.forget("lubdub.wrong webhook").await.expect("memory");
    scene.pass(120).await;
    assert_eq!((scene.heard(), scene.notes().await), (vec![began("a")], vec!["a".to_owned()]));
}

#[tokio::test]
async fn the_alert_that_time_stands_still_gives_every_reason_and_ends_when_every_partition_moved() {
    let mut scene = Scene::new(&["a", "b"]).await;
    let expect = |scene: &Scene, index: u16| {
        let partition = PartitionId(index);
        scene.nodes.iter().for_each(|node| node.progress.expect(partition, scene.clock.elapsed()));
    };
    expect(&scene, 0);
    for node in &scene.nodes {
        node.readiness.set(serving::Cause::Redis, Some("Redis is full".to_owned()));
        node.readiness.set_not_ready("it does not hold partition 0 yet");
    }
    scene.pass(120).await;
    let stalled = |name: &str| (name.to_owned(), "lubdub.stalled".to_owned(), None);
    assert_eq!(scene.heard(), [stalled("a")]);
    let message = scene.ear.messages.lock().join("\n");
    assert!(message.ends_with("The reason: Redis is full; it does not hold partition 0 yet"), "{message}");
    // A partition that was just taken says nothing.
    scene.nodes.iter().for_each(|node| node.progress.forget(PartitionId(0)));
    expect(&scene, 1);
    scene.pass(30).await;
    assert_eq!(scene.heard(), []);
    let head = PartitionHead::default();
    for node in &scene.nodes {
        node.progress.reached(PartitionId(1), START, &head, scene.clock.elapsed());
    }
    scene.pass(4).await;
    let over = ("a".to_owned(), "lubdub.recovered".to_owned(), Some("lubdub.stalled".to_owned()));
    assert_eq!(scene.heard(), [over]);
}
