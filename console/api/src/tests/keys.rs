use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, header};
use model::key::ApiKey;
use model::wire;
use ports::registry::{RecordKind, Registry};
use serde_json::json;

use super::bench::Bench;
use crate::Config;
use management::{AdminKey, KeyError, ensure_admin_key};

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_deleted() {
    let bench = Bench::start().await;
    let made = bench.post("/keys", r#"{"name": "ci", "scope": "admin"}"#).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let key = made.json["key"].as_str().expect("a key").to_owned();
    assert!(key.starts_with("lub_") && key.len() == 47, "{key}");
    let path = format!("/keys/{}", made.id());
    assert_eq!(made.headers[header::LOCATION], format!("/api/v1{path}"));
    for path in [&path, "/keys"] {
        let shown = bench.call(&key, "GET", path, &[], "").await;
        assert_eq!(shown.status, StatusCode::OK);
        assert!(!String::from_utf8_lossy(&shown.bytes).contains(&key), "{path}");
    }
    let records = bench.registry.list(RecordKind::Key, None, 10).await.expect("records");
    assert!(records.iter().all(|record| !String::from_utf8_lossy(&record.value).contains(&key)));
    assert_eq!(bench.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.call(&key, "GET", "/keys", &[], "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.delete(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_last_admin_key_cannot_be_deleted() {
    let bench = Bench::start().await;
    let keys = bench.get("/keys").await.json["items"].clone();
    let of_scope = |scope: &str| {
        let found = keys.as_array().expect("keys").iter().find(|key| key["scope"] == scope).expect("a key");
        format!("/keys/{}", found["id"].as_str().expect("an id"))
    };
    assert_eq!(bench.delete(&of_scope("admin")).await.status, StatusCode::CONFLICT);
    assert_eq!(bench.delete(&of_scope("read")).await.status, StatusCode::NO_CONTENT);
    let other = bench.post("/keys", r#"{"name": "other", "scope": "admin"}"#).await;
    let other_path = format!("/keys/{}", other.id());
    let first_path = of_scope("admin");
    let other_key = other.json["key"].as_str().expect("a key");
    let (a, b) =
        tokio::join!(bench.delete(&first_path), bench.call(other_key, "DELETE", &other_path, &[], ""),);
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
}

#[tokio::test]
async fn a_key_that_another_console_replaces_meanwhile_is_not_deleted() {
    let bench = Bench::start().await;
    assert_eq!(
        bench.post("/keys", r#"{"name": "other", "scope": "admin"}"#).await.status,
        StatusCode::CREATED
    );
    let first = bench.registry.list(RecordKind::Key, None, 1).await.expect("records").remove(0);
    let found: ApiKey = wire::decode(&first.value).expect("a key");
    let replaced = ApiKey { hash: vec![7; 32], ..found };
    bench.registry.overtake_deletion(wire::encode(&replaced));
    let path = format!("/keys/{}", first.key.id);
    assert_eq!(bench.delete(&path).await.status, StatusCode::CONFLICT);
    let kept = bench.registry.get(&first.key).await.expect("a registry").expect("it is there");
    assert_eq!(wire::decode::<ApiKey>(&kept.value).expect("a key"), replaced);
    assert_eq!(
        bench.delete(&path).await.status,
        StatusCode::UNAUTHORIZED,
        "the key of this client has ended"
    );
}

#[tokio::test]
async fn refused_keys_name_their_fields() {
    let bench = Bench::start().await;
    for (body, fields) in [
        (json!({}), vec!["name", "scope"]),
        (json!({"name": "", "scope": "root", "x": 1}), vec!["name", "scope", "x"]),
        (json!({"name": null, "scope": null}), vec!["name", "scope"]),
    ] {
        let refused = bench.post("/keys", &body.to_string()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(refused.refused(), fields, "{body}");
    }
}

#[tokio::test]
async fn without_a_good_key_nothing_is_answered() {
    let bench = Bench::start().await;
    let good = format!("Bearer {}", bench.admin);
    let lower = format!("bearer   {}", bench.admin);
    let basic = format!("Basic {}", bench.admin);
    let longer = format!("{good}x");
    for (value, status) in [
        (None, 401),
        (Some(""), 401),
        (Some("Bearer"), 401),
        (Some("Bearer "), 401),
        (Some("Bearer lub_nobody"), 401),
        (Some(basic.as_str()), 401),
        (Some(longer.as_str()), 401),
        (Some(good.as_str()), 200),
        (Some(lower.as_str()), 200),
    ] {
        let mut request = Request::builder().uri("/api/v1/monitors");
        if let Some(value) = value {
            request = request.header(header::AUTHORIZATION, value);
        }
        let answer = bench.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status, status, "{value:?}");
        assert_eq!(answer.headers.contains_key(header::WWW_AUTHENTICATE), status == 401);
        assert!(status == 200 || answer.json["detail"].is_string());
    }
}

#[tokio::test]
async fn an_admin_key_is_made_once_or_given() {
    let bench = Bench::start().await;
    let registry: Arc<dyn Registry> = bench.registry.clone();
    let ensure = |given: Option<&'static str>| {
        let (registry, clock) = (registry.clone(), bench.clock.clone());
        async move { ensure_admin_key(&registry, clock.as_ref(), given).await }
    };
    assert_eq!(ensure(None).await.expect("a key"), AdminKey::Present);
    for said in [AdminKey::Replaced, AdminKey::Given] {
        assert_eq!(ensure(Some("my-own-admin-key")).await.expect("a key"), said);
    }
    let keys = bench.call("my-own-admin-key", "GET", "/keys", &[], "").await;
    assert_eq!(
        keys.json["items"].as_array().map(Vec::len),
        Some(2),
        "given twice, it is one, in the place of the made one"
    );
    assert_eq!(bench.get("/keys").await.status, StatusCode::UNAUTHORIZED, "the made one has ended");
    assert_eq!(ensure(Some("my-next-admin-key")).await.expect("a key"), AdminKey::Replaced);
    assert_eq!(
        bench.call("my-own-admin-key", "GET", "/keys", &[], "").await.status,
        StatusCode::UNAUTHORIZED
    );
    for weak in ["", "short", "with blanks in it, long enough"] {
        let refused = ensure_admin_key(&registry, bench.clock.as_ref(), Some(weak)).await;
        assert!(matches!(refused, Err(KeyError::WeakKey)), "{weak}");
    }
    // `LUBDUB_API_KEY` is the clients' variable as well: a dashboard's key in it must not become an admin
    // key.
    let body = r#"{"name": "dashboard", "scope": "read"}"#;
    let read = bench.call("my-next-admin-key", "POST", "/keys", &[], body).await;
    let read_key = read.json["key"].as_str().expect("a key").to_owned();
    let refused = ensure_admin_key(&registry, bench.clock.as_ref(), Some(&read_key)).await;
    assert!(matches!(refused, Err(KeyError::ReadKey)));
    assert_eq!(bench.call(&read_key, "POST", "/keys", &[], "{}").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn whoever_tries_many_keys_is_slowed_down_and_good_clients_at_its_address_are_not() {
    let config = Config { trusted_proxies: "127.0.0.0/8".parse().expect("a list"), ..Config::default() };
    let bench = Bench::start_with(config).await;
    let ask = async |address: &str, key: &str| {
        let request = Request::builder()
            .uri("/api/v1/monitors")
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header("x-forwarded-for", address)
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9))));
        bench.send(request.body(Body::empty()).expect("a request")).await
    };
    let mut statuses = Vec::new();
    for n in 0..40 {
        let answer = ask("198.51.100.7", &format!("lub_nobody-{n}")).await;
        let is_limited = answer.status == StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(answer.headers.contains_key(header::RETRY_AFTER), is_limited);
        statuses.push(answer.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count(), 30);
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::TOO_MANY_REQUESTS).count(), 10);
    assert_eq!(ask("198.51.100.7", &bench.admin).await.status, StatusCode::OK, "a good key of its neighbour");
    assert_eq!(ask("198.51.100.8", "lub_nobody").await.status, StatusCode::UNAUTHORIZED, "another address");
}

#[tokio::test]
async fn clients_of_a_proxy_that_is_not_trusted_hear_why_they_are_one() {
    let bench = Bench::start().await;
    for (header, told) in [("x-forwarded-for", true), ("x-other", false)] {
        let mut last = None;
        for n in 0..31 {
            let request = Request::builder()
                .uri("/api/v1/monitors")
                .header(header::AUTHORIZATION, format!("Bearer lub_nobody-{n}"))
                .header(header, "198.51.100.7")
                .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9))));
            last = Some(bench.send(request.body(Body::empty()).expect("a request")).await);
        }
        let last = last.expect("an answer");
        let detail = last.json["detail"].as_str().expect("a detail");
        assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(detail.contains("not in --trusted-proxies"), told, "{header}: {detail}");
    }
}
