//! Clients that hang up in the middle of a change.

use std::time::Instant;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use ports::turns::STANDS_STILL;
use serde_json::json;
use tower::ServiceExt;

use super::bench::Bench;

/// More steps than any of the changes has at the ports.
const STEPS: usize = 60;

fn request(bench: &Bench, method: &str, path: &str, body: String) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {}", bench.admin))
        .body(Body::from(body))
        .expect("a request")
}

#[tokio::test]
async fn a_client_that_hangs_up_in_its_turn_holds_nobody_up() {
    let bench = Bench::start().await;
    let (other, _running) = bench.another().await;
    let (parent, child) = (bench.monitor("parent").await.id(), bench.monitor("child").await.id());
    let hook = json!({"name": "c", "kind": "webhook", "url": "http://127.0.0.1:9/"}).to_string();
    let window = json!({"name": "w", "tags": ["t"], "cron": "@daily", "duration": 60}).to_string();
    let below = json!({"name": "m", "timeout": 60, "parent": parent}).to_string();
    for (method, path, body) in [
        ("POST", "/channels".to_owned(), hook),
        ("POST", "/maintenance-windows".to_owned(), window.clone()),
        ("POST", "/monitors".to_owned(), below),
        ("PATCH", format!("/monitors/{child}"), json!({"parent": parent}).to_string()),
        ("DELETE", "/keys/KEY".to_owned(), String::new()),
    ] {
        for steps in 0..STEPS {
            let mut path = path.clone();
            if path.ends_with("KEY") {
                let made = bench.post("/keys", r#"{"name": "k", "scope": "admin"}"#).await;
                path = format!("/keys/{}", made.id());
            }
            let mut call =
                Box::pin(bench.router.clone().oneshot(request(&bench, method, &path, body.clone())));
            for _ in 0..steps {
                tokio::select! {
                    biased;
                    _ = &mut call => break,
                    () = tokio::task::yield_now() => {}
                }
            }
            drop(call);
            let began = Instant::now();
            let next = other.clone().oneshot(request(&bench, "POST", "/maintenance-windows", window.clone()));
            assert_eq!(next.await.expect("an answer").status(), StatusCode::CREATED);
            // A turn that is left is taken over after that time.
            let waited = began.elapsed();
            assert!(waited < STANDS_STILL * 2 / 3, "{method} {path}, {steps} steps: {waited:?}");
        }
    }
}
