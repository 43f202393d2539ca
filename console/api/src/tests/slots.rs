//! Streams that nobody reads: no key shuts out the others.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use tower::ServiceExt;

use super::bench::Bench;

/// An answer whose body is not read.
async fn unread(bench: &Bench, key: &str, path: &str) -> Response {
    let request = Request::builder()
        .uri(format!("/api/v1{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .body(Body::empty())
        .expect("a request");
    bench.router.clone().oneshot(request).await.expect("an answer")
}

#[tokio::test]
async fn what_a_read_key_leaves_unread_does_not_shut_out_the_admin() {
    let bench = Bench::start().await;
    for (path, of_one_key, of_read_keys, all) in
        [("/tail", 4, 6, 8), ("/replay/export?since=2026-11-22T09:00:00Z", 2, 3, 4)]
    {
        let made = bench.post("/keys", r#"{"name": "other", "scope": "read"}"#).await;
        let other = made.json["key"].as_str().expect("a key").to_owned();
        let mut held = Vec::new();
        for (key, expected, refusal) in [
            (&bench.read, of_one_key, StatusCode::TOO_MANY_REQUESTS),
            (&other, of_read_keys - of_one_key, StatusCode::SERVICE_UNAVAILABLE),
            (&bench.admin, all - of_read_keys, StatusCode::SERVICE_UNAVAILABLE),
        ] {
            for _ in 0..expected {
                let answer = unread(&bench, key, path).await;
                assert_eq!(answer.status(), StatusCode::OK, "{path}");
                held.push(answer);
            }
            assert_eq!(unread(&bench, key, path).await.status(), refusal, "{path}");
        }
        held.clear();
        assert_eq!(unread(&bench, &other, path).await.status(), StatusCode::OK, "{path}");
    }
}
