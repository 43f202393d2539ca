use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use model::ids::Offset;
use model::rebuild::{Rebuild, RebuildReport, RebuildState};
use model::wire;
use ports::registry::{Expected, RecordKey, RecordKind, Registry};
use serde_json::json;

use super::bench::Bench;

const PATH: &str = "/replay/rebuilds";

async fn say(bench: &Bench, partition: u16, state: RebuildState) {
    use ports::clock::Clock;
    let key = RecordKey::new(RecordKind::Rebuild, partition);
    let record = bench.registry.get(&key).await.expect("it answers").expect("it was asked for");
    let found: Rebuild = wire::decode(&record.value).expect("a rebuild");
    let rebuild = Rebuild { state, updated_at: bench.clock.now(), ..found };
    bench.registry.put(&key, Expected::At(record.revision), wire::encode(&rebuild)).await.expect("put");
}

#[tokio::test]
async fn a_rebuild_is_asked_for_once_followed_and_shown() {
    let bench = Bench::start().await;
    assert_eq!(bench.get(&format!("{PATH}/2")).await.status, StatusCode::NOT_FOUND);
    let asked = bench.post(PATH, r#"{"partition": 2, "verify": true}"#).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.json);
    let shown = bench.get(&format!("{PATH}/2")).await.json;
    assert_eq!(asked.json, json!({"items": [shown], "next_cursor": null}));
    assert_eq!(
        (&shown["state"], &shown["partition"], &shown["from"]),
        (&json!("waiting"), &json!(2), &json!("oldest"))
    );
    assert_eq!(shown["requested_by"], "admin");

    let again = bench.post(PATH, r#"{"partition": 2, "verify": true}"#).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.json);
    let all = bench.post(PATH, r#"{"verify": true}"#).await;
    assert_eq!(all.status, StatusCode::CONFLICT, "one of all is under way");
    assert_eq!(bench.get(PATH).await.json["items"].as_array().map(Vec::len), Some(1), "none was asked for");
    say(&bench, 2, RebuildState::Running { applied: Offset(7), through: Offset(9) }).await;
    let running = bench.get(&format!("{PATH}/2")).await.json;
    assert_eq!(
        (&running["state"], &running["applied"], &running["through"]),
        (&json!("running"), &json!(7), &json!(9))
    );
    bench.clock.advance(Duration::from_secs(61));
    let all = bench.post(PATH, r#"{"verify": false, "history": true}"#).await;
    assert_eq!(all.status, StatusCode::ACCEPTED, "it stood still: {}", all.json);
    assert_eq!(all.json["items"].as_array().map(Vec::len), Some(4));
    let report = RebuildReport { monitors: 3, replaced: true, ..RebuildReport::default() };
    say(&bench, 2, RebuildState::Done(Box::new(report))).await;
    let done = bench.get(&format!("{PATH}/2")).await.json;
    assert_eq!((&done["state"], &done["report"]["monitors"]), (&json!("done"), &json!(3)));
    assert_eq!((&done["report"]["equal"], &done["report"]["replaced"]), (&json!(true), &json!(true)));
    say(&bench, 3, RebuildState::Failed { why: "no beginning".to_owned() }).await;
    assert_eq!(bench.get(&format!("{PATH}/3")).await.json["why"], "no beginning");
    assert_eq!(bench.post(PATH, r#"{"partition": 2, "verify": true}"#).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_read_key_may_look_and_not_ask_and_bad_input_is_refused_by_field() {
    let bench = Bench::start().await;
    let asked = bench.call(&bench.read, "POST", PATH, &[], r#"{"verify": true}"#).await;
    assert_eq!(asked.status, StatusCode::FORBIDDEN);
    let shown = bench.call(&bench.read, "GET", PATH, &[], Body::empty()).await;
    assert_eq!(shown.json["items"], json!([]));
    let refused = bench.post(PATH, r#"{"partition": 4, "verify": 1}"#).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields: Vec<_> =
        refused.json["errors"].as_array().expect("errors").iter().map(|e| e["field"].clone()).collect();
    assert_eq!(fields, ["partition", "verify"]);
    for nothing in ["x", "70000", "-1", "9"] {
        assert_eq!(bench.get(&format!("{PATH}/{nothing}")).await.status, StatusCode::NOT_FOUND, "{nothing}");
    }
}
