use std::time::Duration;

use axum::http::StatusCode;
use doubles::samples;
use model::delivery::{Delivery, DeliveryMessage, DeliveryState, DeliveryTask};
use model::flip::Flip;
use model::ids::{AlertId, ChannelId, DeliveryId, MonitorId};
use model::notice::{Digest, Group, MonitorLabel, Notice};
use model::wire;
use ports::history::DeliveryHistory;
use ports::queue::{Outcome, Queue, QueueMessage};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::{Bench, start_time};

fn delivery(n: u64, state: DeliveryState) -> Delivery {
    let monitor = MonitorId::from_uuid(Uuid::from_u128(u128::from(n % 2)));
    let channel = ChannelId::from_uuid(Uuid::from_u128(9));
    let at = start_time() + Duration::from_secs(n / 2);
    let flip = Flip { sequence: n, deadline: None, silent_for: None, ..samples::flip(monitor, at) };
    let mut delivery = samples::delivery(flip, channel, state);
    delivery.attempts[0].error = Some("answered 500".to_owned());
    delivery.monitor = Some(MonitorLabel { name: "backup".to_owned(), ..MonitorLabel::default() });
    delivery
}

/// Puts the delivery into the queue and buries it, as a notifier does that gave up.
async fn bury(bench: &Bench, delivery: &Delivery) {
    let id = delivery.id.into();
    let lane = delivery.channel.into();
    let body = wire::encode(&DeliveryMessage::from(DeliveryTask::of(delivery)));
    let message =
        QueueMessage { id, lane, order_key: delivery.id.into(), due_at: bench.now(), origin: None, body };
    bench.tasks.enqueue(vec![message]).await.expect("enqueued");
    assert_eq!(bench.tasks.claim(lane, bench.now(), 10).await.expect("claims").len(), 1);
    bench.tasks.settle(vec![(id, Outcome::Bury)]).await.expect("buried");
}

#[tokio::test]
async fn deliveries_are_listed_newest_first_and_filtered() {
    let bench = Bench::start().await;
    let states = [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Dead];
    let all: Vec<Delivery> = (0..9_usize).map(|n| delivery(n as u64, states[n % 3])).collect();
    bench.history.put(all.clone()).await.expect("written");
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = bench.get(&format!("/deliveries?limit=2&cursor={cursor}")).await.json;
        let items = page["items"].as_array().expect("items").clone();
        seen.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    let mut expected = all.clone();
    expected.sort_by_key(|delivery| std::cmp::Reverse((delivery.created_at, delivery.id)));
    assert_eq!(seen, expected.iter().map(|delivery| delivery.id.to_string()).collect::<Vec<_>>());
    let monitor = Uuid::from_u128(1);
    let (channel, other) = (Uuid::from_u128(9), Uuid::from_u128(8));
    for (query, count) in [
        (format!("monitor={monitor}"), 4),
        ("state=dead".to_owned(), 3),
        (format!("monitor={monitor}&state=dead"), 1),
        (format!("channel={channel}"), 9),
        (format!("channel={other}"), 0),
    ] {
        let page = bench.get(&format!("/deliveries?{query}")).await.json;
        assert_eq!(page["items"].as_array().map(Vec::len), Some(count), "{query}");
    }
    let flip = all[0].notice.flip().expect("a flip");
    let expected = json!({
        "id": all[0].id.to_string(), "flip": flip.id.to_string(), "monitor": flip.monitor.to_string(),
        "monitor_name": "backup", "channel": channel.to_string(), "type": "monitor.down", "state": "pending",
        "failing_channel": null, "count": null, "folded_into": null, "note": null,
        "created_at": "2026-11-22T10:00:00.000Z", "next_attempt_at": null,
        "attempts": [{"at": "2026-11-22T10:00:00.000Z", "ms": 12, "status": 500, "error": "answered 500", "answer": null}],
    });
    assert_eq!(bench.get(&format!("/deliveries/{}", all[0].id)).await.json, expected);
}

#[tokio::test]
async fn what_was_folded_or_suppressed_says_where_and_why() {
    let bench = Bench::start().await;
    let digest = Digest {
        id: AlertId::from_uuid(Uuid::from_u128(77)),
        from: start_time(),
        to: start_time() + Duration::from_secs(30),
        count: 12,
        down: Group::default(),
        up: Group::default(),
        still_down: Group::default(),
        flapping: Group::default(),
        flips: vec![],
    };
    let sent = Delivery {
        notice: Notice::Digest(Box::new(digest)),
        id: DeliveryId::from_uuid(Uuid::from_u128(78)),
        monitor: None,
        ..delivery(4, DeliveryState::Delivered)
    };
    let folded = Delivery { folded_into: Some(sent.id), ..delivery(5, DeliveryState::Folded) };
    let note = Some("maintenance window updates".to_owned());
    let suppressed = Delivery { note, ..delivery(6, DeliveryState::Suppressed) };
    let mut tested = delivery(7, DeliveryState::Dead);
    tested.attempts[0].request = Some("POST / HTTP/1.1".to_owned());
    bench.history.put(vec![sent.clone(), folded, suppressed, tested.clone()]).await.expect("written");

    let shown = bench.get(&format!("/deliveries/{}", sent.id)).await.json;
    for (field, expected) in
        [("type", json!("digest")), ("count", json!(12)), ("flip", Value::Null), ("monitor", Value::Null)]
    {
        assert_eq!(shown[field], expected, "{field}");
    }
    for (state, field, expected) in [
        ("folded", "folded_into", json!(sent.id.to_string())),
        ("suppressed", "note", json!("maintenance window updates")),
    ] {
        let page = bench.get(&format!("/deliveries?state={state}")).await.json;
        assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{state}");
        assert_eq!(page["items"][0][field], expected, "{state}");
    }
    let shown = bench.get(&format!("/deliveries/{}", tested.id)).await.json;
    assert_eq!(shown["attempts"][0]["request"], "POST / HTTP/1.1");
    let listed = bench.get("/deliveries?state=dead").await.json;
    assert_eq!(listed["items"][0]["attempts"][0].get("request"), None, "lists leave it out");
    let refused = bench.get("/deliveries?state=lost").await;
    assert_eq!((refused.status, refused.refused()), (StatusCode::BAD_REQUEST, vec!["state"]));
}

#[tokio::test]
async fn only_a_dead_letter_is_sent_again() {
    let bench = Bench::start().await;
    let [dead, test, sent, waiting] = [
        delivery(0, DeliveryState::Dead),
        delivery(1, DeliveryState::Dead),
        delivery(2, DeliveryState::Delivered),
        delivery(3, DeliveryState::Pending),
    ];
    bench
        .history
        .put(vec![dead.clone(), test.clone(), sent.clone(), waiting.clone()])
        .await
        .expect("written");
    bury(&bench, &dead).await;
    let path = |delivery: &Delivery| format!("/deliveries/{}/redrive", delivery.id);
    for refused in [&sent, &waiting, &test] {
        assert_eq!(bench.post(&path(refused), "").await.status, StatusCode::CONFLICT);
    }
    let kept = bench.history.get(test.id).await.expect("a history");
    assert_eq!(kept, Some(test), "what the queue does not know stays dead");
    assert_eq!(bench.post("/deliveries/x/redrive", "").await.status, StatusCode::NOT_FOUND);

    bench.clock.advance(Duration::from_secs(60));
    let redriven = bench.post(&path(&dead), "").await;
    assert_eq!((redriven.status, &redriven.json["state"]), (StatusCode::OK, &json!("pending")));
    assert_eq!(redriven.json["next_attempt_at"], "2026-11-22T10:01:00.000Z");
    assert_eq!(bench.post(&path(&dead), "").await.status, StatusCode::CONFLICT, "it is on its way");
    let claims = bench.tasks.claim(dead.channel.into(), bench.now(), 10).await.expect("claims");
    assert_eq!(claims.len(), 1);
    let message: DeliveryMessage = wire::decode(&claims[0].body).expect("a message");
    let DeliveryMessage::Task(task) = message else { panic!("a task, not {message:?}") };
    assert_eq!((task.id, task.attempts), (dead.id, 0));
}
