//! Mail to each address of a channel, by a real mail server.

use std::time::Duration;

use doubles::eventually;
use model::channel::{ChannelKind, Email};
use model::delivery::DeliveryState;
use model::flip::{Alert, Flip};
use model::ids::{AlertId, ChannelId, DeliveryId};
use ports::registry::RecordKind;
use sending::mail::MailSettings;
use servers::SmtpSink;

use super::world::World;

/// Longer than any first retry.
const LATER: Duration = Duration::from_secs(60);

async fn world(sink: &SmtpSink, to: &[&str]) -> (World, ChannelId) {
    let mut world = World::new();
    let url = format!("smtp://127.0.0.1:{}", sink.port());
    world.mail = Some(MailSettings::new(&url, "Lubdub <lubdub@example.org>", None).unwrap());
    let to = to.iter().map(|&to| to.to_owned()).collect();
    let channel =
        world.channel_with(String::new(), |channel| channel.kind = ChannelKind::Email(Email { to })).await;
    (world, channel)
}

#[tokio::test]
async fn each_address_gets_a_mail_of_its_own() {
    let sink = SmtpSink::start();
    let (mut world, channel) = world(&sink, &["a@example.net", "b@example.net"]).await;
    let monitor = world.monitor("nightly\r\nBcc: x@example.com", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    let delivered = world.delivery(id, DeliveryState::Delivered, 1).await;
    running.drain().await;
    let attempt = &delivered.attempts[0];
    assert_eq!((attempt.status, &attempt.error, &attempt.request), (Some(250), &None, &None));
    let answer = attempt.answer.as_deref().unwrap();
    assert_eq!(
        answer,
        "a@example.net: 250 2.0.0 OK: queued as 4711\nb@example.net: 250 2.0.0 OK: queued as 4711"
    );
    let mut mails = sink.wait_for(2);
    mails.sort_by(|a, b| a.to.cmp(&b.to));
    for (mail, to) in mails.iter().zip(["a@example.net", "b@example.net"]) {
        assert_eq!(
            (&mail.to[..], mail.header("To"), mail.sender.as_str()),
            (&[to.to_owned()][..], to, "lubdub@example.org")
        );
        assert_eq!(mail.header("Message-ID"), format!("<{id}@example.org>"));
        assert_eq!(mail.header("Subject"), "DOWN: nightly  Bcc: x@example.com");
        assert!(!mail.has("In-Reply-To") && !mail.has("Bcc") && mail.has("List-Unsubscribe"));
        assert!(mail.bodies["text/plain"].contains("\nNo heartbeat for 1 min 6 s\n"), "{:?}", mail.bodies);
    }
    assert_eq!(mails.len(), 2);
    world.nothing_left().await;
}

#[tokio::test]
async fn a_recovery_answers_the_mail_of_its_incident() {
    let sink = SmtpSink::start();
    let (mut world, channel) = world(&sink, &["a@example.net"]).await;
    let monitor = world.monitor("backup", None).await;
    let Alert::Flip(down) = world.flip(monitor, 1) else { unreachable!() };
    let Alert::Flip(up) = world.flip(monitor, 2) else { unreachable!() };
    let up = Flip { down_for: Some(up.at.since(down.at)), ..up };
    let running = world.start();
    let of = |alert: AlertId| DeliveryId::derive(alert, channel);
    let (first, second) = (of(down.id), of(up.id));
    world.publish(&[Alert::Flip(down)]).await;
    world.delivery(first, DeliveryState::Delivered, 1).await;
    world.publish(&[Alert::Flip(up)]).await;
    world.delivery(second, DeliveryState::Delivered, 1).await;
    running.drain().await;
    let mails = sink.wait_for(2);
    let root = mails[0].header("Message-ID");
    assert_eq!((mails[1].header("In-Reply-To"), mails[1].header("References")), (root, root));
}

#[tokio::test]
async fn of_several_addresses_only_those_without_it_get_it_again() {
    let sink = SmtpSink::start();
    let to = ["a@example.net", "rcpt-550@example.net", "data-451-1@example.net"];
    let (mut world, channel) = world(&sink, &to).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    let pending = world.delivery(id, DeliveryState::Pending, 1).await;
    assert_eq!(pending.attempts[0].status, Some(451));
    assert_eq!(
        pending.attempts[0].error.as_deref(),
        Some(
            "1 of 3 accepted; data-451-1@example.net: 451 5.1.1 scripted for data-451-1@example.net; \
             rcpt-550@example.net: 550 5.1.1 scripted for rcpt-550@example.net"
        )
    );
    world.advance(LATER).await;
    eventually("a second attempt", async || {
        let found = world.history.get(id).await.unwrap()?;
        let attempt = found.attempts.get(1)?;
        assert_eq!(attempt.status, Some(550));
        let error = attempt.error.as_deref().unwrap();
        assert_eq!(
            error,
            "2 of 3 accepted; rcpt-550@example.net: 550 5.1.1 scripted for rcpt-550@example.net"
        );
        Some(())
    })
    .await;
    running.kill().await;
    let reached: Vec<String> = sink.wait_for(2).into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(reached, ["a@example.net", "data-451-1@example.net"]);
    assert_eq!(sink.acted("rcpt-550@example.net", "550"), 2);
}

#[tokio::test]
async fn one_address_that_stalls_takes_no_time_from_the_others() {
    let sink = SmtpSink::start();
    let (mut world, channel) = world(&sink, &["data-stall@example.net", "a@example.net"]).await;
    world.limits.attempt = Duration::from_secs(2);
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    let pending = world.delivery(id, DeliveryState::Pending, 1).await;
    let attempt = &pending.attempts[0];
    assert_eq!(
        attempt.error.as_deref(),
        Some("1 of 2 accepted; data-stall@example.net: the mail server did not take it within 2 s")
    );
    assert_eq!(sink.wait_for(1)[0].to, ["a@example.net"]);
    running.kill().await;
}

#[tokio::test]
async fn a_test_shows_what_was_sent_and_answered() {
    let sink = SmtpSink::start();
    let (mut world, channel) = world(&sink, &["a@example.net", "b@example.net"]).await;
    let running = world.start();
    let id = world.test(channel).await;
    let delivered = world.delivery(id, DeliveryState::Delivered, 1).await;
    running.drain().await;
    let attempt = &delivered.attempts[0];
    let request = attempt.request.as_deref().unwrap();
    assert!(
        request.starts_with("MAIL FROM:<lubdub@example.org>\r\nRCPT TO:<a@example.net>\r\n"),
        "{request}"
    );
    assert!(request.len() <= 16 * 1024, "{request}");
    let mails = sink.wait_for(2);
    let first = mails.iter().find(|mail| mail.to == ["a@example.net"]).unwrap();
    assert!(request.contains(first.raw.trim_end()), "{request}\nis not\n{}", first.raw);
    assert_eq!(attempt.answer.as_deref().unwrap().lines().count(), 2);
}

#[tokio::test]
async fn without_a_mail_server_the_attempt_says_which_flags_are_missing() {
    let sink = SmtpSink::start();
    let (mut world, channel) = world(&sink, &["a@example.net"]).await;
    world.mail = None;
    let running = world.start();
    let id = world.test(channel).await;
    let dead = world.delivery(id, DeliveryState::Dead, 1).await;
    running.drain().await;
    assert_eq!(
        dead.attempts[0].error.as_deref(),
        Some("this notifier sends no e-mail: start it with --smtp-url and --mail-from")
    );
}

#[tokio::test]
async fn a_notifier_is_ready_without_a_mail_server_and_says_that_channels_of_mail_get_nothing() {
    let mut world = World::new();
    let to = vec!["a@example.net".to_owned()];
    let channel =
        world.channel_with(String::new(), |channel| channel.kind = ChannelKind::Email(Email { to })).await;
    let running = world.start();
    let lack = eventually("it says what it lacks", async || running.readiness.lacks().pop()).await;
    assert!(lack.contains("channels of e-mail get nothing"), "{lack}");
    assert_eq!(running.readiness.check(), Ok(()));
    world.delete(RecordKind::Channel, channel).await;
    eventually("it lacks nothing", async || running.readiness.lacks().is_empty().then_some(())).await;
    running.drain().await;
}
