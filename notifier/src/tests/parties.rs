//! Third parties that read what is sent: libraries that verify signatures, and Alertmanager.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use doubles::{eventually, samples};
use jiff::tz::TimeZone;
use model::channel::{Channel, ChannelKind, OldSecret, PresetChannel, Secret, Webhook, WebhookMethod};
use model::delivery::DeliveryTask;
use model::flip::{Alert, Flip, Reason, State};
use model::ids::{AlertId, DeliveryId, MonitorId};
use model::notice::{LabelledFlip, MonitorLabel, Notice, Repost};
use model::time::EventTime;
use ports::clock::{Clock, SystemClock};
use sending::address_guard::AddressGuard;
use serde_json::{Value, json};
use servers::{Process, find_program, free_port};
use uuid::Uuid;

use super::receiver::{Received, Receiver, Reply};
use super::world::SECRET;
use crate::message::Facts;
use crate::transport::{Answer, Transports};

const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ENDED: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn now() -> EventTime {
    SystemClock::new().now()
}

fn down(monitor: u128, at: EventTime) -> Flip {
    samples::flip(MonitorId::from_uuid(Uuid::from_u128(monitor)), at)
}

fn label(name: &str) -> MonitorLabel {
    MonitorLabel { name: name.to_owned(), tags: vec!["prod".to_owned()], ..MonitorLabel::default() }
}

fn transports() -> Transports {
    let guard = AddressGuard::parse("127.0.0.0/8").unwrap();
    Transports::new(guard, None, TimeZone::UTC, Duration::from_secs(15)).unwrap()
}

async fn send(
    channel: &Channel,
    notice: impl Into<Notice>,
    monitor: Option<MonitorLabel>,
    at: EventTime,
) -> Answer {
    let notice = notice.into();
    let id = DeliveryId::derive(notice.id(), channel.id);
    let task = DeliveryTask {
        id,
        notice,
        channel: channel.id,
        created_at: at,
        monitor,
        redriven: false,
        attempts: 0,
        sent_to: vec![],
        at_desk: false,
        folded_into: None,
    };
    let transports = transports();
    transports.send(&transports.prepare(&task, channel, &Facts::default()).unwrap(), at).await
}

/// Prints what each library says of each request.
const VERIFY: &str = r#"
import json, sys
import standardwebhooks.webhooks, svix.webhooks
for one in json.load(sys.stdin):
    for library in standardwebhooks.webhooks, svix.webhooks:
        try:
            library.Webhook(one["secret"]).verify(one["body"], one["headers"])
            print("good")
        except library.WebhookVerificationError as error:
            print(error)
"#;

/// Verifies a request with two libraries that know nothing of Lubdub.
fn verified(secret: &str, request: &Received) -> Vec<String> {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: BTreeMap<_, _> = names.iter().map(|name| (*name, request.header(name))).collect();
    let one = json!({"secret": secret, "body": String::from_utf8_lossy(&request.body), "headers": headers});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("request.json");
    std::fs::write(&path, json!([one]).to_string()).unwrap();
    let python = find_program("python", "LUBDUB_TEST_PYTHON");
    let output = Command::new(python)
        .args(["-c", VERIFY])
        .stdin(std::fs::File::open(&path).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "run `make tools`: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn other_libraries_verify_what_either_key_signed_and_refuse_what_is_old() {
    let receiver = Receiver::start(|_| Reply::status(204)).await;
    let old = |secret: &str, expires_at| OldSecret { secret: Secret::new(secret.to_owned()), expires_at };
    let channel = samples::channel(ChannelKind::Webhook(Box::new(Webhook {
        url: Secret::new(receiver.url("/")),
        secret: Secret::new(NEW.to_owned()),
        old_secrets: vec![old(SECRET, now() + Duration::from_secs(3_600)), old(ENDED, now())],
        headers: BTreeMap::new(),
        method: WebhookMethod::Post,
        template: None,
        content_type: None,
        digest: false,
    })));
    let sent = [now(), now() - Duration::from_secs(400)];
    for at in sent {
        let answer = send(&channel, Alert::Flip(down(1, at)), Some(label("backup ✗")), at).await;
        assert_eq!(answer.status, Some(204));
    }
    let requests = receiver.received();
    let good = ["good", "good"];
    assert_eq!(verified(NEW, &requests[0]), good);
    assert_eq!(verified(SECRET, &requests[0]), good);
    let unknown = ["No matching signature found", "No matching signature found"];
    // When the late one was sent, the old key had not ended yet, but the libraries look at the time first.
    assert_eq!(verified(ENDED, &requests[0]), unknown);
    assert_eq!(verified(NEW, &requests[1]), ["Message timestamp too old", "Message timestamp too old"]);
    let mut forged = requests[0].clone();
    forged.body = String::from_utf8_lossy(&forged.body).replace("backup", "BACKUP").into_bytes().into();
    assert_eq!(verified(NEW, &forged), unknown);
}

/// Debian's Alertmanager; it tells `receiver` of what it would tell people.
struct Alertmanager {
    _process: Process,
    _folder: tempfile::TempDir,
    url: String,
}

impl Alertmanager {
    fn start(receiver: &Receiver) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let configuration = format!(
            "route: {{receiver: test, group_by: ['...'], group_wait: 0s, group_interval: 1s}}\n\
             receivers: [{{name: test, webhook_configs: [{{url: '{}'}}]}}]\n",
            receiver.url("/notified")
        );
        std::fs::write(path("alertmanager.yml"), configuration).unwrap();
        let port = free_port();
        let mut command = Command::new(find_program("prometheus-alertmanager", "LUBDUB_TEST_ALERTMANAGER"));
        command
            .arg(format!("--config.file={}", path("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", path("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=");
        let process = Process::serve(&mut command, port, &path("log"));
        Self { _process: process, _folder: folder, url: format!("http://127.0.0.1:{port}") }
    }

    /// The alerts that are not over, by monitor.
    async fn alerts(&self) -> BTreeMap<String, Value> {
        let answer = reqwest::get(format!("{}/api/v2/alerts", self.url)).await.unwrap();
        let alerts: Vec<Value> = answer.json().await.unwrap();
        let name = |alert: &Value| alert["labels"]["monitor"].as_str().unwrap_or_default().to_owned();
        alerts.into_iter().map(|alert| (name(&alert), alert)).collect()
    }
}

fn time(alert: &Value, name: &str) -> EventTime {
    EventTime::parse_rfc3339(alert[name].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn alertmanager_shows_an_alert_keeps_it_while_it_is_posted_again_and_shows_its_end() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let server = Alertmanager::start(&receiver);
    let settings = [("url".to_owned(), Secret::new(server.url.clone()))].into();
    let channel =
        samples::channel(ChannelKind::Preset(PresetChannel { preset: "alertmanager".to_owned(), settings }));
    let taken = |answer: Answer| {
        assert!(answer.failure.is_none(), "{answer:?}");
        assert_eq!(answer.status, Some(200));
    };

    // Told for the last time almost twelve minutes ago.
    let began = now() - Duration::from_secs(716);
    let (kept, forgotten) = (down(1, began), down(2, began));
    taken(send(&channel, Alert::Flip(kept.clone()), Some(label("kept \"one\"\n✗")), began).await);
    taken(send(&channel, Alert::Flip(forgotten), Some(label("forgotten")), began).await);
    let shown = server.alerts().await;
    assert_eq!(shown.keys().collect::<Vec<_>>(), ["forgotten", "kept \"one\"\n✗"]);
    assert_eq!(shown["forgotten"]["labels"]["alertname"], "LubdubMonitorDown");
    assert_eq!(time(&shown["forgotten"], "startsAt"), EventTime::from_millis(began.as_millis()));

    let one = LabelledFlip { flip: kept.clone(), monitor: label("kept \"one\"\n✗") };
    let repost =
        Repost { id: AlertId::from_uuid(Uuid::from_u128(5)), at: now(), part: 0, parts: 1, down: vec![one] };
    taken(send(&channel, Notice::Repost(Box::new(repost)), None, now()).await);
    let left = eventually("what is not posted again ends by itself", async || {
        Some(server.alerts().await).filter(|alerts| !alerts.contains_key("forgotten"))
    })
    .await;
    let alert = &left["kept \"one\"\n✗"];
    assert!(time(alert, "endsAt") > now() + Duration::from_secs(600), "{alert}");
    assert_eq!(time(alert, "startsAt"), EventTime::from_millis(began.as_millis()), "it is the same one");

    let up_at = now();
    let up = Flip {
        id: AlertId::derive(kept.monitor, up_at, "up"),
        from: State::Down,
        to: State::Up,
        reason: Reason::Recovered,
        at: up_at,
        down_for: Some(up_at.since(began)),
        ..kept
    };
    taken(send(&channel, Alert::Flip(up), Some(label("kept \"one\"\n✗")), now()).await);
    eventually("it is over", async || server.alerts().await.is_empty().then_some(())).await;
    eventually("people are told of its end", async || {
        let told = receiver.received();
        let ended =
            |alert: &Value| alert["status"] == "resolved" && alert["labels"]["monitor"] == "kept \"one\"\n✗";
        let all = told.iter().flat_map(|one| one.json()["alerts"].as_array().cloned().unwrap_or_default());
        all.into_iter().any(|alert| ended(&alert)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_test_and_a_failing_channel_are_alerts_that_alertmanager_takes() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let server = Alertmanager::start(&receiver);
    let settings = [("url".to_owned(), Secret::new(format!("{}/", server.url)))].into();
    let channel =
        samples::channel(ChannelKind::Preset(PresetChannel { preset: "alertmanager".to_owned(), settings }));
    let test = Alert::Test { id: AlertId::from_uuid(Uuid::from_u128(7)), channel: channel.id, at: now() };
    let answer = send(&channel, test, None, now()).await;
    assert_eq!((answer.status, answer.failure.is_none()), (Some(200), true), "{answer:?}");
    let alerts = server.alerts().await;
    let alert = &alerts[""];
    assert_eq!(alert["labels"]["alertname"], "LubdubTest");
    assert!(time(alert, "endsAt") < now() + Duration::from_secs(120), "it ends by itself: {alert}");
    let shown = answer.request.unwrap();
    assert!(shown.starts_with(&format!("POST {}/api/v2/alerts\n", server.url)), "{shown}");
}
