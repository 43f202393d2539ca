//! Channels of presets, with a receiver that answers as the services do.

use std::collections::BTreeMap;
use std::sync::Arc;

use doubles::eventually;
use model::channel::{Channel, ChannelKind, PresetChannel, Secret};
use model::delivery::{Delivery, DeliveryState};
use model::ids::ChannelId;
use ports::registry::RecordKind;

use super::receiver::{Receiver, Reply};
use super::world::World;
use crate::directory::Directory;
use crate::transport::SettingChange;

async fn channel(world: &mut World, preset: &str, settings: &[(&str, &str)]) -> ChannelId {
    let settings =
        settings.iter().map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned()))).collect();
    let kind = ChannelKind::Preset(PresetChannel { preset: preset.to_owned(), settings });
    world
        .channel_with(String::new(), |channel| {
            channel.kind = kind;
            channel.default = false;
        })
        .await
}

/// The delivery of a flip after its first attempt.
async fn attempted(world: &mut World, channel: ChannelId) -> Delivery {
    let monitor = world.monitor("backup", Some(vec![channel])).await;
    let id = world.alert(monitor, 1, channel).await;
    eventually("an attempt", async || {
        world.history.get(id).await.unwrap().filter(|delivery| delivery.attempts.len() == 1)
    })
    .await
}

#[tokio::test]
async fn what_a_service_answers_is_read_by_its_file() {
    for (preset, status, body, delivered, error) in [
        ("slack", 200, "ok", true, ""),
        ("slack", 404, "no_service", false, "answered 404 Not Found: no_service"),
        ("slack", 200, "something else", false, "answered 200 OK: something else"),
        ("discord", 204, "", true, ""),
        (
            "discord",
            404,
            r#"{"message": "Unknown Webhook", "code": 10015}"#,
            false,
            "answered 404 Not Found: Unknown Webhook",
        ),
        ("telegram", 200, r#"{"ok": true, "result": {"message_id": 5}}"#, true, ""),
        ("telegram", 200, r#"{"ok": false, "description": "no"}"#, false, "answered 200 OK: no"),
        (
            "telegram",
            403,
            r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#,
            false,
            "answered 403 Forbidden: Forbidden: bot was blocked by the user",
        ),
        ("slack", 302, "", false, "answered 302 Found; redirects are not followed"),
        ("slack", 410, "channel_is_archived", false, "answered 410 Gone; the channel is disabled"),
        ("slack", 500, "<html>", false, "answered 500 Internal Server Error"),
    ] {
        let receiver =
            Receiver::start(move |_| Reply { body: body.to_owned(), ..Reply::status(status) }).await;
        let mut world = World::new();
        let url = receiver.url("");
        let channel = match preset {
            "telegram" => {
                channel(&mut world, preset, &[("url", &url), ("token", "1:s3cret"), ("chat_id", "-5")]).await
            }
            _ => channel(&mut world, preset, &[("url", &url)]).await,
        };
        let running = world.start();
        let delivery = attempted(&mut world, channel).await;
        running.drain().await;
        assert_eq!(delivery.state == DeliveryState::Delivered, delivered, "{preset} {status} {body}");
        assert_eq!(delivery.attempts[0].error.clone().unwrap_or_default(), error);
        assert_eq!(delivery.attempts[0].status, Some(status));
        if preset == "telegram" {
            assert_eq!(receiver.received()[0].path, "/bot1:s3cret/sendMessage");
        }
    }
}

#[tokio::test]
async fn a_service_that_asks_for_a_pause_in_its_body_gets_it() {
    let receiver = Receiver::start(|_| Reply {
        body: r#"{"message": "You are being rate limited.", "retry_after": 64.5, "global": false}"#
            .to_owned(),
        ..Reply::status(429)
    })
    .await;
    let mut world = World::new();
    let channel = channel(&mut world, "discord", &[("url", &receiver.url("/x"))]).await;
    let running = world.start();
    let delivery = attempted(&mut world, channel).await;
    running.drain().await;
    let waits = delivery.next_attempt_at.unwrap().since(delivery.attempts[0].at);
    assert!(waits.as_secs_f64() >= 64.5, "{waits:?}");
}

#[tokio::test]
async fn a_test_of_a_pager_leaves_nothing_open_and_shows_both_requests() {
    let receiver =
        Receiver::start(|_| Reply { body: "{\"status\":\"success\"}".to_owned(), ..Reply::status(202) })
            .await;
    let mut world = World::new();
    let settings = [("url", receiver.url("")), ("routing_key", "s3cret".to_owned())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let channel = channel(&mut world, "pagerduty", &settings).await;
    let running = world.start();
    let id = world.test(channel).await;
    let delivered = world.delivery(id, DeliveryState::Delivered, 1).await;
    running.drain().await;
    let received = receiver.received();
    let actions: Vec<_> = received.iter().map(|one| one.json()["event_action"].clone()).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert_eq!(received[0].json()["dedup_key"], received[1].json()["dedup_key"]);
    let shown = delivered.attempts[0].request.clone().unwrap();
    assert_eq!(shown.matches(&format!("POST {}", receiver.url("/v2/enqueue"))).count(), 2, "{shown}");
    assert!(shown.contains("\"routing_key\": \"***\"") && !shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn of_a_test_the_first_request_that_fails_is_told() {
    let receiver = Receiver::start(|all| Reply {
        body: r#"{"status":"invalid event","message":"Event object is invalid","errors":["'dedup_key' is bad"]}"#
            .to_owned(),
        ..Reply::status(if all.len() == 1 { 400 } else { 202 })
    })
    .await;
    let mut world = World::new();
    let channel = channel(&mut world, "pagerduty", &[("url", &receiver.url("")), ("routing_key", "k")]).await;
    let running = world.start();
    let id = world.test(channel).await;
    let dead = world.delivery(id, DeliveryState::Dead, 1).await;
    running.drain().await;
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(dead.attempts[0].error.as_deref(), Some("answered 400 Bad Request: [\"'dedup_key' is bad\"]"));
}

#[tokio::test]
async fn a_preset_that_is_not_known_or_not_set_up_says_so() {
    let mut world = World::new();
    let unknown = channel(&mut world, "smoke_signals", &[]).await;
    let unset = channel(&mut world, "telegram", &[("token", "1:s3cret")]).await;
    let private = channel(&mut world, "slack", &[("url", "http://10.0.0.1/s3cret")]).await;
    let bad = channel(&mut world, "slack", &[("url", "ftp://s3cret")]).await;
    let running = world.start();
    for (channel, error) in [
        (unknown, "this notifier does not know the preset `smoke_signals`"),
        (
            unset,
            "the channel's setting chat_id: Telegram needs it: the chat that gets the messages; a number such as \
             -1001234567890 (negative for groups), or @ and a public name of 4 to 32 letters, digits and _",
        ),
        (private, "10.0.0.1 is a private address; to allow it, start Lubdub with --allow-private 10.0.0.0/8"),
        (bad, "the channel's setting url: it must begin with http:// or https://"),
    ] {
        let delivery = attempted(&mut world, channel).await;
        assert_eq!(delivery.attempts[0].error.as_deref(), Some(error));
    }
    running.drain().await;
}

const OLD_GROUP: &str = "-5";
const SUPERGROUP: &str = "-1001234567890";

/// A Telegram whose groups moved: each pair is a group and where it is now.
async fn telegram_that_moved(moves: &'static [(&'static str, &'static str)]) -> Receiver {
    Receiver::start(move |all| {
        let chat = all.last().unwrap().json()["chat_id"].as_str().unwrap().to_owned();
        let Some((_, to)) = moves.iter().find(|(from, _)| *from == chat) else {
            return Reply { body: r#"{"ok":true,"result":{"message_id":5}}"#.to_owned(), ..Reply::status(200) };
        };
        let body = format!(
            r#"{{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{{"migrate_to_chat_id":{to}}}}}"#
        );
        Reply { body, ..Reply::status(400) }
    })
    .await
}

async fn group(world: &mut World, receiver: &Receiver) -> ChannelId {
    let url = receiver.url("");
    channel(world, "telegram", &[("url", &url), ("token", "1:s3cret"), ("chat_id", OLD_GROUP)]).await
}

fn chats(receiver: &Receiver) -> Vec<String> {
    receiver.received().iter().map(|one| one.json()["chat_id"].as_str().unwrap().to_owned()).collect()
}

fn settings_of(channel: &Channel) -> BTreeMap<String, Secret> {
    let ChannelKind::Preset(preset) = &channel.kind else { panic!("it is no preset") };
    preset.settings.clone()
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_is_followed_at_once_and_from_then_on() {
    let receiver = telegram_that_moved(&[(OLD_GROUP, SUPERGROUP)]).await;
    let mut world = World::new();
    let channel = group(&mut world, &receiver).await;
    let before = world.channel_now(channel).await;
    let running = world.start();
    let monitor = world.monitor("backup", Some(vec![channel])).await;
    let first = world.alert(monitor, 1, channel).await;
    let first = world.delivery(first, DeliveryState::Delivered, 2).await;
    assert_eq!(chats(&receiver), [OLD_GROUP, SUPERGROUP]);
    let [refused, accepted] = &first.attempts[..] else { panic!("two attempts") };
    assert_eq!(
        (refused.status, refused.error.as_deref()),
        (
            Some(400),
            Some(
                "answered 400 Bad Request: Bad Request: group chat was upgraded to a supergroup chat; sent \
                 again at once with the chat_id that the answer names"
            )
        )
    );
    assert_eq!((accepted.status, &accepted.error), (Some(200), &None));

    let after = eventually("the channel has the new group", async || {
        let now = world.channel_now(channel).await;
        (now != before).then_some(now)
    })
    .await;
    let mut expected = settings_of(&before);
    expected.insert("chat_id".to_owned(), Secret::new(SUPERGROUP.to_owned()));
    assert_eq!(settings_of(&after), expected, "and nothing else changed");
    assert_eq!(Channel { kind: before.kind.clone(), ..after }, before);

    let up = world.alert(monitor, 2, channel).await;
    world.delivery(up, DeliveryState::Delivered, 1).await;
    running.drain().await;
    assert_eq!(chats(&receiver), [OLD_GROUP, SUPERGROUP, SUPERGROUP]);
}

#[tokio::test]
async fn a_test_follows_a_move_too_and_shows_what_arrived() {
    let receiver = telegram_that_moved(&[(OLD_GROUP, SUPERGROUP)]).await;
    let mut world = World::new();
    let channel = group(&mut world, &receiver).await;
    let running = world.start();
    let id = world.test(channel).await;
    let delivered = world.delivery(id, DeliveryState::Delivered, 2).await;
    eventually("the channel has the new group", async || {
        let settings = settings_of(&world.channel_now(channel).await);
        (settings["chat_id"].expose() == SUPERGROUP).then_some(())
    })
    .await;
    running.drain().await;
    let shown = delivered.attempts[1].request.clone().unwrap();
    assert!(shown.contains(SUPERGROUP) && !shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn groups_that_name_each_other_make_two_requests_for_an_attempt_and_change_nothing() {
    let receiver = telegram_that_moved(&[(OLD_GROUP, SUPERGROUP), (SUPERGROUP, OLD_GROUP)]).await;
    let mut world = World::new();
    let channel = group(&mut world, &receiver).await;
    let before = world.channel_now(channel).await;
    let running = world.start();
    let id = world.test(channel).await;
    let dead = world.delivery(id, DeliveryState::Dead, 2).await;
    running.drain().await;
    assert_eq!(chats(&receiver), [OLD_GROUP, SUPERGROUP]);
    assert_eq!(
        dead.attempts[1].error.as_deref(),
        Some("answered 400 Bad Request: Bad Request: group chat was upgraded to a supergroup chat")
    );
    assert_eq!(world.channel_now(channel).await, before);
}

#[tokio::test]
async fn a_move_that_makes_no_sense_is_a_refusal_like_any_other() {
    for to in ["0", "\"ops\"", "\"-5\"", "-5", "null", "[-6]"] {
        let receiver = Receiver::start(move |_| Reply {
            body: format!(r#"{{"ok":false,"description":"no","parameters":{{"migrate_to_chat_id":{to}}}}}"#),
            ..Reply::status(400)
        })
        .await;
        let mut world = World::new();
        let channel = group(&mut world, &receiver).await;
        let running = world.start();
        let id = world.test(channel).await;
        let dead = world.delivery(id, DeliveryState::Dead, 1).await;
        running.drain().await;
        assert_eq!(chats(&receiver), [OLD_GROUP], "{to}");
        assert_eq!(dead.attempts[0].error.as_deref(), Some("answered 400 Bad Request: no"));
    }
}

#[tokio::test]
async fn a_stale_answer_changes_no_channel_that_was_edited_since() {
    let mut world = World::new();
    let given = [("token", "1:s3cret"), ("chat_id", OLD_GROUP)];
    let channel = channel(&mut world, "telegram", &given).await;
    let directory = Directory::new(Arc::clone(&world.registry));
    let ChannelKind::Preset(from) = world.channel_now(channel).await.kind else { panic!("a preset") };
    let change = SettingChange { from, setting: "chat_id".to_owned(), to: SUPERGROUP.to_owned() };
    for edited in [("chat_id", "-7"), ("token", "2:s3cret")] {
        let mut settings = change.from.settings.clone();
        settings.insert(edited.0.to_owned(), Secret::new(edited.1.to_owned()));
        let kind = ChannelKind::Preset(PresetChannel { settings, ..change.from.clone() });
        world.change_channel(channel, |channel| channel.kind = kind).await;
        let before = world.channel_now(channel).await;
        assert!(!directory.follow(channel, &change).await.unwrap(), "{edited:?}");
        assert_eq!(world.channel_now(channel).await, before);
    }
    let kind = ChannelKind::Preset(change.from.clone());
    world.change_channel(channel, |channel| (channel.kind, channel.default) = (kind, true)).await;
    assert!(directory.follow(channel, &change).await.unwrap());
    let after = world.channel_now(channel).await;
    assert_eq!((settings_of(&after)["chat_id"].expose(), after.default), (SUPERGROUP, true));
    assert!(!directory.follow(channel, &change).await.unwrap(), "a second answer finds it done");
    world.delete(RecordKind::Channel, channel).await;
    assert!(!directory.follow(channel, &change).await.unwrap());
}
