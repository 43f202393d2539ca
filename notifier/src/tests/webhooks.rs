//! The settings that the owner of a webhook may choose.

use std::time::Duration;

use model::channel::{OldSecret, Secret, WebhookMethod};
use model::delivery::DeliveryState;
use ports::clock::Clock;
use serde_json::json;

use super::receiver::{Receiver, Reply};
use super::world::{SECRET, World};

const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLDER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn after_a_rotation_both_keys_sign_until_the_old_one_ends() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let now = world.clock.now();
    let channel = world
        .channel_with(receiver.url("/"), |channel| {
            let webhook = World::webhook(channel);
            webhook.secret = Secret::new(NEW.to_owned());
            let old =
                |secret: &str, expires_at| OldSecret { secret: Secret::new(secret.to_owned()), expires_at };
            webhook.old_secrets = vec![
                old(SECRET, now + Duration::from_secs(60)),
                old(OLDER, now),
                old("whsec_%%%", now + Duration::from_secs(60)),
            ];
        })
        .await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    world.delivery(id, DeliveryState::Delivered, 1).await;
    world.advance(Duration::from_secs(60)).await;
    let id = world.alert(monitor, 2, channel).await;
    world.delivery(id, DeliveryState::Delivered, 1).await;
    running.drain().await;

    let received = receiver.received();
    let signatures = received[0].header("webhook-signature");
    assert_eq!(signatures.split(' ').count(), 2, "{signatures}");
    let signed_by: Vec<bool> = [NEW, SECRET, OLDER].iter().map(|key| received[0].is_signed_by(key)).collect();
    assert_eq!(signed_by, [true, true, false]);
    let signed_by: Vec<bool> = [NEW, SECRET, OLDER].iter().map(|key| received[1].is_signed_by(key)).collect();
    assert_eq!(signed_by, [true, false, false]);
}

#[tokio::test]
async fn a_template_makes_the_body_and_the_method_is_the_owners() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel = world
        .channel_with(receiver.url("/"), |channel| {
            let webhook = World::webhook(channel);
            webhook.method = WebhookMethod::Put;
            webhook.template = Some(
                "{\"what\": {{ title }}, \"tags\": {{ monitor.tags }}, \"long\": {{ title ~ \"\\n\" ~ text|cut(10) }}}"
                    .to_owned(),
            );
        })
        .await;
    let plain = world
        .channel_with(receiver.url("/plain"), |channel| {
            let webhook = World::webhook(channel);
            webhook.method = WebhookMethod::Patch;
            webhook.template = Some("{{ event }} of {{ monitor.name }}".to_owned());
            webhook.content_type = Some("text/plain; charset=utf-8".to_owned());
        })
        .await;
    let monitor = world.monitor("a \"quoted\"\nname", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    world.delivery(id, DeliveryState::Delivered, 1).await;
    let same = model::ids::DeliveryId::derive(world.flip(monitor, 1).id(), plain);
    world.delivery(same, DeliveryState::Delivered, 1).await;
    running.drain().await;

    let received = receiver.received();
    let json = received.iter().find(|one| one.path == "/").unwrap();
    assert_eq!((json.method.as_str(), json.header("content-type").as_str()), ("PUT", "application/json"));
    assert_eq!(json.json()["what"], "DOWN: a \"quoted\" name");
    assert_eq!(json.json()["tags"], json!(["prod"]));
    assert!(json.is_signed());
    let text = received.iter().find(|one| one.path == "/plain").unwrap();
    assert_eq!(text.method.as_str(), "PATCH");
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(text.body, "monitor.down of a \"quoted\"\nname");
    assert!(text.is_signed());
}

/// The console refuses such templates; what was stored nevertheless must not take the notifier with it.
#[tokio::test]
async fn a_template_that_cannot_be_filled_in_says_where() {
    for (template, expected) in [
        ("{\n\"x\": {{ tilte }}}", "line 2: undefined value"),
        (
            "\n{{ monitor|tojson(1000000000) }}",
            "line 2: invalid operation: tojson: the indent may be 8 at most",
        ),
        ("{% for a in range(9999) %}0123456789{% endfor %}", "it makes more than 65536 bytes"),
    ] {
        let receiver = Receiver::start(|_| Reply::status(200)).await;
        let mut world = World::new();
        let channel = world
            .channel_with(receiver.url("/"), |channel| {
                World::webhook(channel).template = Some(template.to_owned());
            })
            .await;
        let monitor = world.monitor("backup", None).await;
        let running = world.start();
        let id = world.alert(monitor, 1, channel).await;
        let pending = world.delivery(id, DeliveryState::Pending, 1).await;
        let error = pending.attempts[0].error.clone().unwrap();
        let expected = format!("the channel's template cannot be filled in: {expected}");
        assert!(error.starts_with(&expected), "{error}");
        running.drain().await;
        assert_eq!(receiver.received().len(), 0);
    }
}

#[tokio::test]
async fn a_test_shows_what_was_sent_and_answered() {
    let receiver = Receiver::start(|_| Reply { body: "thanks".to_owned(), ..Reply::status(202) }).await;
    let mut world = World::new();
    let channel = world
        .channel_with(receiver.url("/secret/path?key=secret"), |channel| {
            let webhook = World::webhook(channel);
            webhook.headers.insert("X-Api-Key".to_owned(), Secret::new("s3cret".to_owned()));
        })
        .await;
    let running = world.start();
    let id = world.test(channel).await;
    let delivered = world.delivery(id, DeliveryState::Delivered, 1).await;
    let monitor = world.monitor("backup", None).await;
    let other = world.alert(monitor, 1, channel).await;
    let ordinary = world.delivery(other, DeliveryState::Delivered, 1).await;
    running.drain().await;

    let attempt = &delivered.attempts[0];
    assert_eq!((attempt.status, attempt.answer.as_deref()), (Some(202), Some("thanks")));
    let shown = attempt.request.clone().unwrap();
    let received = receiver.received();
    let (head, body) = shown.split_once("\n\n").unwrap();
    assert_eq!(body.as_bytes(), received[0].body);
    assert!(head.starts_with(&format!("POST {}\n", receiver.url("/***?***"))), "{head}");
    for name in ["user-agent", "content-type", "webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert!(head.contains(&format!("\n{name}: {}", received[0].header(name))), "{name}: {head}");
    }
    assert!(
        head.contains("\nx-api-key: ***") && !shown.contains("s3cret") && !shown.contains("secret"),
        "{head}"
    );
    assert_eq!(ordinary.attempts[0].request, None, "only of tests");
}
