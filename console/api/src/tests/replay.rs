//! Exports, imports and tails.

use std::time::Duration;

use axum::http::{StatusCode, header};
use doubles::samples;
use model::flip::State;
use model::ids::{MonitorId, Offset};
use model::imported::PastEvent;
use model::monitor_state::MonitorState;
use model::wire::frame::{Frame, Listening};
use ports::heartbeat_log::HeartbeatLog;
use serde_json::{Value, json};

use super::bench::{Answer, Bench};

fn lines(answer: &Answer) -> Vec<Value> {
    let text = String::from_utf8_lossy(&answer.bytes).into_owned();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn heartbeat(monitor: &str, at: &str) -> String {
    json!({"type": "heartbeat", "monitor": monitor, "at": at, "status": "up", "msg": "m", "value": 1.5})
        .to_string()
}

/// Every frame of a monitor's partition.
async fn frames(bench: &Bench, monitor: &str) -> Vec<Frame> {
    let monitor: MonitorId = monitor.parse().expect("an id");
    let partition = monitor.partition(bench.log.partitions());
    let last = bench.log.extent(partition).await.expect("an extent").last;
    let mut reader = bench.log.open(partition, Offset::START).await.expect("a reader");
    let (mut frames, mut reached) = (Vec::new(), Offset::START);
    while reached < last {
        for entry in reader.next(100).await.expect("entries") {
            reached = entry.offset;
            frames.push(Frame::clone(&*entry.frame.expect("a frame")));
        }
    }
    frames
}

#[tokio::test]
async fn live_heartbeats_are_in_the_log_when_they_are_answered() {
    let bench = Bench::start().await;
    let id = bench.monitor("n").await.id();
    let body =
        [heartbeat(&id, "2026-11-22T09:59:59.000001Z"), heartbeat(&id, "2026-11-22T10:00:00Z")].join("\n");
    for _ in 0..2 {
        let done = bench.post("/import?mode=live", &body).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.json);
        assert_eq!(done.json, json!({"accepted": 2, "ignored": 0, "now": "2026-11-22T10:00:00.000000Z"}));
    }
    let frames = frames(&bench, &id).await;
    let imported: Vec<&Frame> = frames.iter().filter(|frame| !frame.heartbeats.is_empty()).collect();
    assert_eq!(imported.len(), 2, "the same again is for the reader to recognise");
    assert_eq!(imported[0].heartbeats, imported[1].heartbeats);
    assert_eq!(imported[0].listening, Listening::No, "an import vouches for no time");
    assert_ne!(imported[0].number, imported[1].number);
    assert_eq!(bench.post("/import?mode=live", "").await.json["accepted"], 0, "an empty one tells the time");
}

#[tokio::test]
async fn a_bad_import_is_refused_whole() {
    let bench = Bench::start().await;
    let id = bench.monitor("n").await.id();
    let nobody = "0192f0c0-0000-7000-8000-000000000000";
    let good = heartbeat(&id, "2026-11-22T10:00:00Z");
    for (mode, body, status, field) in [
        ("live", format!("{good}\n{{"), 422, "line 2"),
        ("live", format!("{good}\n{}", heartbeat(&id, "2026-11-22T10:00:02Z")), 422, "line 2.at"),
        ("live", format!("{good}\n\n{}", heartbeat(nobody, "2026-11-22T10:00:00Z")), 422, "line 3.monitor"),
        (
            "history",
            json!({"type": "until", "monitor": nobody, "at": "2026-11-22T10:00:00Z"}).to_string(),
            422,
            "line 1.monitor",
        ),
        ("never", good.clone(), 400, "mode"),
        ("live&again=maybe", good.clone(), 400, "again"),
    ] {
        let refused = bench.post(&format!("/import?mode={mode}"), &body).await;
        assert_eq!((refused.status.as_u16(), refused.refused()), (status, vec![field]), "{body}");
    }
    assert_eq!(bench.post("/import", &good).await.status, StatusCode::BAD_REQUEST);
    let many = format!("{good}\n").repeat(10_001);
    assert_eq!(bench.post("/import?mode=live", &many).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let large = "\n".repeat(8 * 1024 * 1024 + 1);
    assert_eq!(bench.post("/import?mode=live", &large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let as_reader = bench.call(&bench.read, "POST", "/import?mode=live", &[], good.clone()).await;
    assert_eq!(as_reader.status, StatusCode::FORBIDDEN);
    assert!(
        frames(&bench, &id).await.iter().all(|frame| frame.heartbeats.is_empty()),
        "nothing was recorded"
    );
}

#[tokio::test]
async fn a_history_is_taken_by_whoever_has_none() {
    let bench = Bench::start().await;
    let (fresh, heard, paused) = (
        bench.monitor("fresh").await.id(),
        bench.monitor("heard").await.id(),
        bench.monitor("asleep").await.id(),
    );
    let now = bench.now();
    let state = MonitorState { heard_at: Some(now), ..samples::state(State::Up, now) };
    bench.commit(&heard, state).await;
    bench.post(&format!("/monitors/{paused}/pause"), "").await;
    let body = [&heard, &paused, &fresh].map(|id| heartbeat(id, "2026-11-21T10:00:00Z")).join("\n");
    let refused = bench.post("/import?mode=history", &body).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let mut fields = refused.refused();
    fields.sort_unstable();
    let mut expected = [format!("monitors.{heard}"), format!("monitors.{paused}")];
    expected.sort_unstable();
    assert_eq!(fields, expected);
    assert!(refused.json.to_string().contains("\\\"asleep\\\" is paused"), "{}", refused.json);

    let again = [&heard, &fresh].map(|id| heartbeat(id, "2026-11-21T10:00:00Z")).join("\n");
    let done = bench.post("/import?mode=history&again=true", &again).await;
    assert_eq!((&done.json["accepted"], &done.json["ignored"]), (&json!(1), &json!(1)), "{}", done.json);
    let until = json!({"type": "until", "monitor": fresh, "at": "2026-11-21T11:00:00Z"}).to_string();
    assert_eq!(bench.post("/import?mode=history", &until).await.status, StatusCode::OK);
    let frames = frames(&bench, &fresh).await;
    let events: Vec<&PastEvent> =
        frames.iter().flat_map(|frame| &frame.imported).flat_map(|part| &part.events).collect();
    assert!(matches!(events[..], [PastEvent::Heard { .. }, PastEvent::Until(_)]), "{events:?}");
}

#[tokio::test]
async fn an_export_tells_tokens_to_admins_only_and_ends_with_a_summary() {
    let bench = Bench::start().await;
    let (id, other) = (bench.monitor("n").await.id(), bench.monitor("other").await.id());
    bench.clock.advance(Duration::from_secs(10));
    let body = [&id, &other].map(|id| heartbeat(id, "2026-11-22T10:00:05.000001Z")).join("\n");
    bench.post("/import?mode=live", &body).await;
    let path = format!("/replay/export?since=2026-11-22T09:00:00Z&monitor={id}");
    let export = bench.get(&path).await;
    assert_eq!(export.headers[header::CONTENT_TYPE], "application/x-ndjson");
    let told = lines(&export);
    let types: Vec<&str> = told.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(types, ["monitor", "monitor", "heartbeat", "summary"]);
    assert_eq!((&told[0]["name"], &told[0]["token"].is_string()), (&json!("n"), &true));
    assert_eq!(told[1]["at"], "2026-11-22T10:00:00.000000Z");
    assert_eq!(
        told[2],
        serde_json::from_str::<Value>(&heartbeat(&id, "2026-11-22T10:00:05.000001Z")).expect("JSON")
    );
    assert_eq!((&told[3]["monitors"], &told[3]["heartbeats"]), (&json!(1), &json!(1)));
    let as_reader = bench.call(&bench.read, "GET", &path, &[], "").await;
    assert!(!String::from_utf8_lossy(&as_reader.bytes).contains("token"), "a read key sees none");

    for (query, status) in [
        ("", 400),
        ("since=yesterday", 400),
        ("since=2026-11-22T09:00:00Z&until=2026-11-22T09:00:00Z", 400),
        ("since=2026-11-22T09:00:00Z&monitor=x", 400),
        ("since=2026-11-22T09:00:00Z&monitor=0192f0c0-0000-7000-8000-000000000000", 404),
    ] {
        assert_eq!(bench.get(&format!("/replay/export?{query}")).await.status.as_u16(), status, "{query}");
    }
    let before = bench.get("/replay/export?since=2026-11-22T09:00:00Z&until=2026-11-22T10:00:05Z").await;
    assert!(lines(&before).iter().all(|line| line["type"] != "heartbeat"), "until is not part of it");
    let later = bench.get("/replay/export?since=2026-11-22T10:00:06Z").await;
    let mut later = lines(&later);
    // Keys, and which channels are the default, are told whatever time is asked for.
    later.retain(|line| {
        ["monitor", "heartbeat", "summary"].contains(&line["type"].as_str().unwrap_or_default())
    });
    let in_force = later.iter().filter(|line| line["at"] == "2026-11-22T10:00:06.000000Z").count();
    assert_eq!((later.len(), in_force), (7, 2), "each as it is now, and as it was then: {later:#?}");
    let before = later.iter().filter(|line| line["before"] == true && line["msg"] == "m").count();
    assert_eq!((before, &later[6]["heartbeats"]), (2, &json!(0)), "each was heard before: {later:#?}");
}

#[tokio::test]
async fn a_log_whose_beginning_is_gone_says_from_when_on_it_knows() {
    let bench = Bench::start().await;
    let id = bench.monitor("n").await.id();
    bench.clock.advance(Duration::from_secs(60));
    bench.post("/import?mode=live", &heartbeat(&id, "2026-11-22T10:01:00Z")).await;
    let monitor: MonitorId = id.parse().expect("an id");
    bench.entries.expire(monitor.partition(bench.log.partitions()), Offset(1));
    let mut told = lines(&bench.get("/replay/export?since=2026-11-22T09:00:00Z").await);
    told.retain(|line| line["type"] != "key");
    let summary = told.last().expect("a summary");
    assert_eq!(summary["from"], "2026-11-22T10:01:00.000000Z");
    assert_eq!((&told[1]["timeout"], &told[1]["revision"]), (&json!(60), &json!(1)), "what is in force now");
    assert_eq!(summary["heartbeats"], 1);
}
