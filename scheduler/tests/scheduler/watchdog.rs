//! When Lubdub itself stands still, its operator hears of it, and of the end of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Json;
use axum::routing::{get, post};
use doubles::{
    InMemoryCheckpoints, InMemoryHeartbeatLog, InMemoryHistory, InMemoryQueue, InMemoryRegistry,
    InMemoryRoster, InMemoryStateStore, eventually,
};
use model::ids::PartitionId;
use model::time::{EventTime, TimeRules};
use parking_lot::Mutex;
use ports::clock::{Clock, ManualClock};
use ports::heartbeat_log::HeartbeatLog;
use scheduler::{Concern, Config, Deps, Service};
use sending::mail::MailSettings;
use servers::SmtpSink;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use histories::{START, Writer};

const PATIENCE: Duration = Duration::from_secs(60);

/// A scheduler whose time stands still until ingest listens.
struct Still {
    clock: Arc<ManualClock>,
    log: Arc<InMemoryHeartbeatLog>,
    service: Service,
}

impl Still {
    fn new(config: Config) -> Self {
        Self::with(config, Vec::new())
    }

    fn with(config: Config, concerns: Vec<Arc<dyn Concern>>) -> Self {
        // The error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(ManualClock::new(START));
        let log = Arc::new(InMemoryHeartbeatLog::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let deps = Deps {
            owner: "test".to_owned(),
            log: Arc::clone(&log) as Arc<dyn HeartbeatLog>,
            registry: Arc::new(InMemoryRegistry::new()),
            states: Arc::new(InMemoryStateStore::new()),
            roster: Arc::new(InMemoryRoster::new()),
            checkpoints: Arc::new(InMemoryCheckpoints::new()),
            checkpoint_every: scheduler::CHECKPOINTS_IN_CLUSTER,
            concerns,
            history: Arc::new(InMemoryHistory::new(10)),
            alerts: Arc::new(InMemoryQueue::new(10)),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        };
        let mut metrics = prometheus_client::registry::Registry::default();
        let service = Service::new(config, TimeRules::EMBEDDED, deps, &mut metrics).expect("a client");
        Self { clock, log, service }
    }
}

/// Ingest listens again.
async fn listen(clock: &ManualClock, log: &InMemoryHeartbeatLog) {
    let mut writer = Writer::new(1);
    writer.wait(Duration::from_secs(61));
    writer.tick(10);
    for entry in writer.log {
        clock.advance(Duration::from_millis(500));
        log.append(PartitionId(0), Arc::new(entry.frame)).await.expect("memory takes it");
    }
}

#[tokio::test]
async fn standing_still_for_a_minute_is_told_to_the_operator_once() {
    let (tell, mut told) = mpsc::channel(16);
    let receive = move |Json(body): Json<serde_json::Value>| async move {
        tell.send(body).await.expect("the test listens");
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let receiver = axum::serve(listener, axum::Router::new().route("/operator", post(receive)));

    let webhook = format!("http://{address}/operator").parse().expect("a URL");
    let Still { clock, log, service } =
        Still::new(Config { meta_webhook: Some(webhook), ..Config::default() });
    let stop = CancellationToken::new();

    let story = async {
        clock.advance(Duration::from_secs(61));
        let stalled = tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("an alert");
        assert_eq!(stalled["type"], "lubdub.stalled");
        assert_eq!(stalled["data"]["partition"], 0);

        listen(&clock, &log).await;
        let recovered =
            tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("an alert");
        assert_eq!(recovered["type"], "lubdub.recovered");
        stop.cancel();
    };
    tokio::select! {
        served = receiver => served.expect("it serves"),
        (outcome, ()) = async { tokio::join!(service.run(stop.clone()), story) } => outcome.expect("it drains"),
    }
    assert!(told.try_recv().is_err(), "one alert each");
}

/// Something that is wrong, or not.
#[derive(Default)]
struct Wrong {
    now: AtomicBool,
    seen: AtomicUsize,
    told: AtomicUsize,
    was_told: Mutex<Option<EventTime>>,
}

#[async_trait::async_trait]
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
        let wrong = self.now.load(Ordering::SeqCst);
        self.seen.fetch_add(usize::from(wrong), Ordering::SeqCst);
        wrong.then(|| "it is quite wrong".to_owned())
    }

    fn was_told(&self, _way: &'static str) -> Option<EventTime> {
        *self.was_told.lock()
    }

    fn told(&self, way: &'static str, of: Option<EventTime>) {
        assert_eq!(way, "webhook");
        *self.was_told.lock() = of;
        self.told.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn another_monitor_hears_of_us_while_all_is_well_and_the_operator_when_it_is_not() {
    let (tell, mut told) = mpsc::channel(16);
    let receive = move |Json(body): Json<serde_json::Value>| async move {
        tell.send(body).await.expect("the test listens");
    };
    let beats = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&beats);
    let beat = move || async move {
        let _ = counted.fetch_add(1, Ordering::SeqCst);
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let router = axum::Router::new().route("/operator", post(receive)).route("/beat/secret", get(beat));
    let receiver = axum::serve(listener, router);

    let wrong = Arc::new(Wrong::default());
    let config = Config {
        meta_webhook: Some(format!("http://{address}/operator").parse().expect("a URL")),
        beat_url: Some(format!("http://{address}/beat/secret").parse().expect("a URL")),
        ..Config::default()
    };
    assert!(!format!("{config:?}").contains("secret"));
    let Still { clock, log, service } = Still::with(config, vec![Arc::clone(&wrong) as _]);
    let stop = CancellationToken::new();
    let count = || beats.load(Ordering::SeqCst);

    let story = async {
        assert_eq!(count(), 0, "event time has not begun to move");
        listen(&clock, &log).await;
        eventually("a beat", async || (count() == 1).then_some(())).await;
        wrong.now.store(true, Ordering::SeqCst);
        eventually("it is seen", async || (wrong.seen.load(Ordering::SeqCst) > 0).then_some(())).await;
        assert!(told.try_recv().is_err(), "not at once");
        clock.advance(Duration::from_secs(10));
        let trouble = tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("an alert");
        assert_eq!(
            (&trouble["type"], &trouble["data"]["message"]),
            (&"lubdub.wrong".into(), &"it is quite wrong".into())
        );
        assert_eq!(count(), 1);
        wrong.now.store(false, Ordering::SeqCst);
        let over = tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("an alert");
        assert_eq!(
            (&over["type"], &over["data"]["ended"]),
            (&"lubdub.recovered".into(), &"lubdub.wrong".into())
        );
        // A minute in all: for longer, Lubdub would stand still.
        clock.advance(Duration::from_secs(50));
        eventually("another beat", async || (count() == 2).then_some(())).await;
        stop.cancel();
    };
    tokio::select! {
        served = receiver => served.expect("it serves"),
        (outcome, ()) = async { tokio::join!(service.run(stop.clone()), story) } => outcome.expect("it drains"),
    }
    assert_eq!(wrong.told.load(Ordering::SeqCst), 2, "of the trouble, and of its end");
}

#[tokio::test]
async fn what_an_earlier_process_told_is_not_told_again_but_its_end_is_and_nothing_beats_meanwhile() {
    let (tell, mut told) = mpsc::channel(16);
    let receive = move |Json(body): Json<serde_json::Value>| async move {
        tell.send(body).await.expect("the test listens");
    };
    let beats = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&beats);
    let beat = move || async move {
        let _ = counted.fetch_add(1, Ordering::SeqCst);
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let router = axum::Router::new().route("/operator", post(receive)).route("/beat", get(beat));
    let receiver = axum::serve(listener, router);
    let wrong = Arc::new(Wrong::default());
    wrong.now.store(true, Ordering::SeqCst);
    *wrong.was_told.lock() = Some(START);
    let config = Config {
        meta_webhook: Some(format!("http://{address}/operator").parse().expect("a URL")),
        beat_url: Some(format!("http://{address}/beat").parse().expect("a URL")),
        ..Config::default()
    };
    let Still { clock, log, service } = Still::with(config, vec![Arc::clone(&wrong) as _]);
    let stop = CancellationToken::new();
    let story = async {
        let seen = || wrong.seen.load(Ordering::SeqCst);
        eventually("it is seen", async || (seen() > 0).then_some(())).await;
        clock.advance(Duration::from_secs(10));
        listen(&clock, &log).await;
        let before = seen();
        eventually("it is seen twice more", async || (seen() > before + 1).then_some(())).await;
        assert!(told.try_recv().is_err(), "it was told before");
        assert_eq!(beats.load(Ordering::SeqCst), 0);
        wrong.now.store(false, Ordering::SeqCst);
        let over = tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("an alert");
        assert_eq!(
            (&over["type"], &over["data"]["ended"]),
            (&"lubdub.recovered".into(), &"lubdub.wrong".into())
        );
        eventually("a beat", async || (beats.load(Ordering::SeqCst) == 1).then_some(())).await;
        stop.cancel();
    };
    tokio::select! {
        served = receiver => served.expect("it serves"),
        (outcome, ()) = async { tokio::join!(service.run(stop.clone()), story) } => outcome.expect("it drains"),
    }
    assert_eq!(*wrong.was_told.lock(), None);
}

#[tokio::test]
async fn a_user_and_a_password_in_a_url_are_sent_as_a_header_and_nowhere_else() {
    let (tell, mut told) = mpsc::channel(16);
    let hear = move |request: axum::extract::Request| async move {
        let authorization = request.headers().get_all("authorization").iter();
        let authorization: Vec<String> =
            authorization.map(|value| value.to_str().expect("text").to_owned()).collect();
        tell.send((request.uri().to_string(), authorization)).await.expect("the test listens");
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let receiver = axum::serve(listener, axum::Router::new().fallback(hear));
    let url = |path: &str| format!("http://o%40ps:s3cret%3A1@{address}/{path}").parse().expect("a URL");
    let config =
        Config { meta_webhook: Some(url("operator")), beat_url: Some(url("beat")), ..Config::default() };
    assert!(!format!("{config:?}").contains("s3cret"));
    let wrong = Arc::new(Wrong::default());
    let Still { clock, log, service } = Still::with(config, vec![Arc::clone(&wrong) as _]);
    let stop = CancellationToken::new();
    let story = async {
        // `o@ps:s3cret:1`
        let expected = vec!["Basic b0BwczpzM2NyZXQ6MQ==".to_owned()];
        listen(&clock, &log).await;
        let beat = tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("a beat");
        assert_eq!(beat, ("/beat".to_owned(), expected.clone()));
        wrong.now.store(true, Ordering::SeqCst);
        eventually("it is seen", async || (wrong.seen.load(Ordering::SeqCst) > 0).then_some(())).await;
        clock.advance(Duration::from_secs(10));
        let alert = tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("an alert");
        assert_eq!(alert, ("/operator".to_owned(), expected));
        stop.cancel();
    };
    tokio::select! {
        served = receiver => served.expect("it serves"),
        (outcome, ()) = async { tokio::join!(service.run(stop.clone()), story) } => outcome.expect("it drains"),
    }
}

#[tokio::test]
async fn trouble_that_nobody_could_be_told_of_is_told_when_it_is_over() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let wrong = Arc::new(Wrong::default());
    wrong.now.store(true, Ordering::SeqCst);
    let config = Config {
        meta_webhook: Some(format!("http://{address}/operator").parse().expect("a URL")),
        ..Config::default()
    };
    let Still { clock, log, service } = Still::with(config, vec![Arc::clone(&wrong) as _]);
    let stop = CancellationToken::new();
    // It answers nothing that is of use while all is wrong.
    let refusals = Arc::new(AtomicUsize::new(0));
    let (tell, mut told) = mpsc::channel(16);
    let (counted, state) = (Arc::clone(&refusals), Arc::clone(&wrong));
    let receive = move |Json(body): Json<serde_json::Value>| async move {
        if state.now.load(Ordering::SeqCst) {
            counted.fetch_add(1, Ordering::SeqCst);
            return axum::http::StatusCode::SERVICE_UNAVAILABLE;
        }
        tell.send(body).await.expect("the test listens");
        axum::http::StatusCode::OK
    };
    let receiver = axum::serve(listener, axum::Router::new().route("/operator", post(receive)));
    let story = async {
        listen(&clock, &log).await;
        eventually("it is seen", async || (wrong.seen.load(Ordering::SeqCst) > 0).then_some(())).await;
        clock.advance(Duration::from_secs(10));
        let refused = || refusals.load(Ordering::SeqCst) > 0;
        eventually("a way that fails", async || refused().then_some(())).await;
        wrong.now.store(false, Ordering::SeqCst);
        for kind in ["lubdub.wrong", "lubdub.recovered"] {
            let news = tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("an alert");
            assert_eq!(news["type"], kind);
        }
        stop.cancel();
    };
    tokio::select! {
        served = receiver => served.expect("it serves"),
        (outcome, ()) = async { tokio::join!(service.run(stop.clone()), story) } => outcome.expect("it drains"),
    }
    assert!(told.try_recv().is_err(), "each once");
}

#[tokio::test]
async fn the_operator_hears_of_it_by_mail_once_while_the_webhook_is_away() {
    let sink = SmtpSink::start();
    let mail = MailSettings::new(&format!("smtp://127.0.0.1:{}", sink.port()), "lubdub@example.org", None);
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it is bound");
    let Still { clock, log, service } = Still::new(Config {
        meta_webhook: Some(format!("http://{nobody}/").parse().expect("a URL")),
        // The first mail is refused for now, so it is sent again.
        meta_mail: Some("data-451-1@example.net".to_owned()),
        mail: Some(mail.expect("settings")),
        ..Config::default()
    });
    let stop = CancellationToken::new();
    let story = async {
        clock.advance(Duration::from_secs(61));
        eventually("the first mail", async || (sink.mails().len() == 1).then_some(())).await;
        listen(&clock, &log).await;
        eventually("the second mail", async || (sink.mails().len() == 2).then_some(())).await;
        stop.cancel();
    };
    let (outcome, ()) = tokio::join!(service.run(stop.clone()), story);
    outcome.expect("it drains");

    let mails = sink.mails();
    let subjects: Vec<&str> = mails.iter().map(|mail| mail.header("Subject")).collect();
    assert_eq!(subjects, ["Lubdub stands still", "Lubdub moves again"]);
    assert_eq!(mails[1].header("In-Reply-To"), mails[0].header("Message-ID"));
    assert!(mails[0].bodies["text/plain"].starts_with("Lubdub has not moved on for more than 60 s"));
    assert!(
        mails
            .iter()
            .all(|mail| !mail.has("List-Unsubscribe") && mail.header("Auto-Submitted") == "auto-generated")
    );
    assert_eq!(sink.acted("data-451-1@example.net", "451"), 1);
}

#[test]
fn the_operators_mail_needs_a_mail_server() {
    let config = Config { meta_mail: Some("ops@example.net".to_owned()), ..Config::default() };
    let error = config.validate().expect_err("there is none").to_string();
    assert_eq!(error, "--meta-mail needs --smtp-url and --mail-from: they say how mail is sent");
}
