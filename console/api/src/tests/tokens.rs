use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use model::monitor::Monitor;
use model::wire;
use ports::registry::{Expected, RecordKey, RecordKind, Registry};
use serde_json::json;

use super::bench::Bench;
use management::mint;

fn claim_key(token: &str) -> RecordKey {
    RecordKey::new(RecordKind::Token, mint::hex_hash(token))
}

async fn stored(bench: &Bench, id: &str) -> Monitor {
    let record = bench.registry.get(&RecordKey::new(RecordKind::Monitor, id)).await.expect("a registry");
    wire::decode(&record.expect("a record").value).expect("a monitor")
}

fn with_token(token: &str) -> String {
    json!({"name": "n", "timeout": 60, "token": token}).to_string()
}

#[tokio::test]
async fn a_token_belongs_to_one_monitor() {
    let bench = Bench::start().await;
    assert_eq!(
        bench.post("/monitors", &with_token("token-one-of-a-monitor")).await.status,
        StatusCode::CREATED
    );
    let taken = bench.post("/monitors", &with_token("token-one-of-a-monitor")).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    bench.clock.advance(Duration::from_secs(3_600));
    assert_eq!(
        bench.post("/monitors", &with_token("token-one-of-a-monitor")).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(bench.get("/monitors").await.json["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn of_two_at_once_one_gets_the_token() {
    let bench = Bench::start().await;
    let body = with_token("token-one-of-a-monitor");
    let (a, b) = tokio::join!(bench.post("/monitors", &body), bench.post("/monitors", &body));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn a_claim_without_a_monitor_may_be_replaced_after_a_minute() {
    let bench = Bench::start().await;
    let claims = [
        (
            "token-gone-of-a-monitor",
            format!("0192f0c0-0000-7000-8000-000000000000 {}", bench.now().as_micros()),
        ),
        ("token-torn-of-a-monitor", "nonsense".to_owned()),
    ];
    for (token, value) in claims {
        bench.registry.put(&claim_key(token), Expected::Absent, Bytes::from(value)).await.expect("claimed");
    }
    assert_eq!(
        bench.post("/monitors", &with_token("token-gone-of-a-monitor")).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        bench.post("/monitors", &with_token("token-torn-of-a-monitor")).await.status,
        StatusCode::CREATED
    );
    bench.clock.advance(Duration::from_secs(61));
    assert_eq!(
        bench.post("/monitors", &with_token("token-gone-of-a-monitor")).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn a_rotated_token_works_for_its_overlap() {
    let bench = Bench::start().await;
    let made = bench.post("/monitors", &with_token("token-one-of-a-monitor")).await;
    let path = format!("/monitors/{}/rotate-token", made.id());
    let rotated = bench.post(&path, "").await;
    assert_eq!(rotated.status, StatusCode::OK);
    let second = rotated.json["token"].as_str().expect("a token").to_owned();
    assert_ne!(second, "token-one-of-a-monitor");
    let old = stored(&bench, &made.id()).await.old_tokens;
    assert_eq!(old.len(), 1);
    assert_eq!(old[0].token.expose(), "token-one-of-a-monitor");
    assert_eq!(old[0].expires_at, bench.now() + Duration::from_secs(86_400));
    assert_eq!(
        bench.post("/monitors", &with_token("token-one-of-a-monitor")).await.status,
        StatusCode::CONFLICT
    );

    let again = bench.post(&path, r#"{"overlap": 172800}"#).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(bench.logged(&made.id()).await.len(), 1, "tokens are nothing for the log");
    let day = Duration::from_secs(86_400);
    let ends: Vec<_> = stored(&bench, &made.id()).await.old_tokens.iter().map(|old| old.expires_at).collect();
    let expected = [bench.now() + day, bench.now() + day * 2];
    assert_eq!(ends, expected, "a longer overlap does not prolong an earlier one");

    bench.clock.advance(day + Duration::from_secs(1));
    let other = bench.post("/monitors", &with_token("token-one-of-a-monitor")).await;
    assert_eq!(other.status, StatusCode::CREATED, "its overlap is over");
    assert_eq!(bench.post("/monitors", &with_token(&second)).await.status, StatusCode::CONFLICT);
    for _ in 0..8 {
        assert_eq!(bench.post(&path, r#"{"overlap": 60}"#).await.status, StatusCode::OK);
    }
    assert_eq!(stored(&bench, &made.id()).await.old_tokens.len(), 5);
    assert_eq!(bench.post(&path, "null").await.status, StatusCode::OK, "null is no body");
    for body in [r#"{"overlap": -1}"#, r#"{"overlap": 31536001}"#, r#"{"overlap": "1d"}"#, r#"{"days": 1}"#] {
        assert_eq!(bench.post(&path, body).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
}

#[tokio::test]
async fn after_the_overlap_none_but_the_new_token_works() {
    let bench = Bench::start().await;
    let made = bench.post("/monitors", &with_token("token-one-of-a-monitor")).await;
    let path = format!("/monitors/{}/rotate-token", made.id());
    let second = bench.post(&path, "").await.json["token"].as_str().expect("a token").to_owned();
    assert_eq!(bench.post(&path, r#"{"overlap": 60}"#).await.status, StatusCode::OK);
    for old in stored(&bench, &made.id()).await.old_tokens {
        assert_eq!(old.expires_at, bench.now() + Duration::from_secs(60), "also one that had a day");
    }
    // An owner who finds out late that a token became known can still end it.
    assert_eq!(bench.post(&path, r#"{"overlap": 0}"#).await.status, StatusCode::OK);
    assert!(stored(&bench, &made.id()).await.old_tokens.is_empty(), "no overlap, nothing kept");
    for token in ["token-one-of-a-monitor", &second] {
        let claim = bench.registry.get(&claim_key(token)).await.expect("a registry");
        assert_eq!(claim, None, "the claim of {token} is released");
    }
}

#[tokio::test]
async fn a_token_of_ones_own_must_be_hard_to_guess() {
    let bench = Bench::start().await;
    for token in ["password", "password-of-15-", "password-password", "aaaaaaaaaaaaaaaaaaaa"] {
        let refused = bench.post("/monitors", &with_token(token)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{token}");
        assert_eq!(refused.refused(), ["token"], "{token}");
    }
    assert_eq!(bench.post("/monitors", &with_token("0f4b7a91c2d8e635")).await.status, StatusCode::CREATED);
}
