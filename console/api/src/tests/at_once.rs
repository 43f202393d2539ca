//! Many clients at two consoles at once: what a rule over several records forbids together does not happen.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use model::ids::WindowId;
use model::key::{ApiKey, Scope};
use model::maintenance::MaintenanceWindow;
use model::monitor::Monitor;
use model::wire::{self, Message};
use ports::registry::{Expected, RecordKey, RecordKind, Registry};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt;
use uuid::Uuid;

use super::bench::Bench;

/// Sends all calls at once, every second one to the other console, and answers their statuses.
async fn all_at_once(bench: &Bench, calls: Vec<(&'static str, String, String)>) -> Vec<StatusCode> {
    let (other, _running) = bench.another().await;
    let consoles: [Router; 2] = [bench.router.clone(), other];
    let mut running = JoinSet::new();
    for (console, (method, path, body)) in consoles.iter().cycle().zip(calls) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", bench.admin))
            .body(Body::from(body))
            .expect("a request");
        let console = console.clone();
        running.spawn(async move { console.oneshot(request).await.expect("an answer").status() });
    }
    running.join_all().await
}

async fn stored<T: Message>(bench: &Bench, kind: RecordKind) -> Vec<T> {
    let records = bench.registry.list(kind, None, 10_000).await.expect("records");
    records.iter().map(|record| wire::decode(&record.value).expect("one that reads")).collect()
}

fn how_many(statuses: &[StatusCode], status: StatusCode) -> usize {
    statuses.iter().filter(|found| **found == status).count()
}

#[tokio::test]
async fn monitors_that_are_hung_below_each_other_at_once_make_no_circle() {
    for round in 0..20 {
        let bench = Bench::start().await;
        let mut ids = Vec::new();
        for n in 0..6 {
            ids.push(bench.monitor(&n.to_string()).await.id());
        }
        let step = 1 + round % 5;
        let calls = (0..6).map(|n| {
            let body = json!({"parent": ids[(n + step) % 6]}).to_string();
            ("PATCH", format!("/monitors/{}", ids[n]), body)
        });
        let statuses = all_at_once(&bench, calls.collect()).await;
        let taken = how_many(&statuses, StatusCode::OK);
        assert_eq!(taken + how_many(&statuses, StatusCode::UNPROCESSABLE_ENTITY), 6, "{statuses:?}");
        assert!(taken >= 3, "only what would close a circle is refused: {statuses:?}");
        let monitors: Vec<Monitor> = stored(&bench, RecordKind::Monitor).await;
        assert_eq!(monitors.iter().filter(|monitor| monitor.parent.is_some()).count(), taken);
        for monitor in &monitors {
            let above = std::iter::successors(monitor.parent, |id| {
                monitors.iter().find(|found| found.id == *id).and_then(|found| found.parent)
            });
            assert!(above.take(10).all(|id| id != monitor.id), "a circle through {}", monitor.name);
        }
    }
}

#[tokio::test]
async fn monitors_that_are_made_at_once_with_a_name_of_their_own_share_none() {
    for round in 0..10 {
        let bench = Bench::start().await;
        let call = |n: usize| {
            let body = json!({"name": format!("job{}", n % 3), "timeout": 60, "unique_name": true});
            ("POST", "/monitors".to_owned(), body.to_string())
        };
        let statuses = all_at_once(&bench, (0..12).map(call).collect()).await;
        assert_eq!(how_many(&statuses, StatusCode::CREATED), 3, "round {round}: {statuses:?}");
        assert_eq!(how_many(&statuses, StatusCode::CONFLICT), 9, "round {round}: {statuses:?}");
        let mut names: Vec<String> =
            stored::<Monitor>(&bench, RecordKind::Monitor).await.into_iter().map(|one| one.name).collect();
        names.sort();
        assert_eq!(names, ["job0", "job1", "job2"]);
    }
}

#[tokio::test]
async fn other_records_that_are_made_at_once_with_a_name_of_their_own_share_none() {
    let names = |one: Value| one["name"].as_str().expect("a name").to_owned();
    for (path, more) in [
        ("/channels", json!({"kind": "email", "to": ["a@example.com"]})),
        ("/maintenance-windows", json!({"tags": ["t"], "cron": "@daily", "duration": 60})),
        ("/keys", json!({"scope": "read"})),
    ] {
        let bench = Bench::start().await;
        let body = |name: &str, unique: bool| {
            let mut body = json!({"name": name, "unique_name": unique});
            let fields = body.as_object_mut().expect("an object");
            fields.extend(more.as_object().expect("an object").clone());
            body.to_string()
        };
        // Blanks that cannot be seen make no other name.
        let call = |n: usize| {
            let name = if n.is_multiple_of(2) {
                format!("on call {}", n % 3)
            } else {
                format!(" on  call {} ", n % 3)
            };
            ("POST", path.to_owned(), body(&name, true))
        };
        let statuses = all_at_once(&bench, (0..12).map(call).collect()).await;
        assert_eq!(how_many(&statuses, StatusCode::CREATED), 3, "{path}: {statuses:?}");
        assert_eq!(how_many(&statuses, StatusCode::CONFLICT), 9, "{path}: {statuses:?}");
        let refused = bench.post(path, &body("on call 1", true)).await;
        assert_eq!(refused.json["errors"][0]["field"], "name", "{}", refused.json);
        assert_eq!(bench.post(path, &body("on call 1", false)).await.status, StatusCode::CREATED, "{path}");
        let listed = bench.get(path).await.json["items"].as_array().expect("a list").clone();
        let mut listed: Vec<String> = listed.into_iter().map(names).collect();
        listed.retain(|name| name.starts_with("on"));
        listed.sort();
        assert_eq!(listed, ["on call 0", "on call 1", "on call 1", "on call 2"], "{path}");
    }
}

/// A row of monitors, each of which depends on the one before; their ids.
async fn row(bench: &Bench, length: usize) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for n in 0..length {
        let body = json!({"name": n.to_string(), "timeout": 60, "parent": ids.last()}).to_string();
        ids.push(bench.post("/monitors", &body).await.id());
    }
    ids
}

#[tokio::test]
async fn rows_that_grow_at_both_ends_at_once_do_not_become_too_long() {
    for round in 0..20 {
        let bench = Bench::start().await;
        let ids = row(&bench, 10).await;
        let top = bench.monitor("top").await.id();
        let loose = bench.monitor("loose").await.id();
        let above = ("PATCH", format!("/monitors/{}", ids[0]), json!({"parent": top}).to_string());
        let hung = ("PATCH", format!("/monitors/{loose}"), json!({"parent": ids[9]}).to_string());
        let made = json!({"name": "new", "timeout": 60, "parent": ids[9]}).to_string();
        let made = ("POST", "/monitors".to_owned(), made);
        let mut calls = vec![above, if round % 2 == 0 { made } else { hung }];
        if round % 4 < 2 {
            calls.reverse();
        }
        let statuses = all_at_once(&bench, calls).await;
        assert_eq!(how_many(&statuses, StatusCode::UNPROCESSABLE_ENTITY), 1, "{statuses:?}");
        let monitors: Vec<Monitor> = stored(&bench, RecordKind::Monitor).await;
        for monitor in &monitors {
            let above = std::iter::successors(monitor.parent, |id| {
                monitors.iter().find(|found| found.id == *id).and_then(|found| found.parent)
            });
            assert!(above.count() <= 10, "{} depends on too many", monitor.name);
        }
    }
}

#[tokio::test]
async fn of_admin_keys_that_are_all_deleted_at_once_one_stays() {
    for _ in 0..20 {
        let bench = Bench::start().await;
        for n in 0..7 {
            let body = json!({"name": n.to_string(), "scope": "admin"}).to_string();
            assert_eq!(bench.post("/keys", &body).await.status, StatusCode::CREATED);
        }
        let keys: Vec<ApiKey> = stored(&bench, RecordKind::Key).await;
        let admins = keys.iter().filter(|key| key.scope == Scope::Admin);
        let calls = admins.map(|key| ("DELETE", format!("/keys/{}", key.id), String::new()));
        let statuses = all_at_once(&bench, calls.collect()).await;
        let left: Vec<ApiKey> = stored(&bench, RecordKind::Key).await;
        assert_eq!(left.iter().filter(|key| key.scope == Scope::Admin).count(), 1, "{statuses:?}");
    }
}

#[tokio::test]
async fn windows_that_are_made_at_once_stay_within_their_limit() {
    let bench = Bench::start().await;
    for n in 0..998_u128 {
        let key = RecordKey::new(RecordKind::Maintenance, WindowId::from_uuid(Uuid::from_u128(n)));
        bench.registry.put(&key, Expected::Absent, "x".into()).await.expect("a record");
    }
    let body = json!({"name": "w", "tags": ["t"], "cron": "@daily", "duration": 60});
    let calls = (0..8).map(|_| ("POST", "/maintenance-windows".to_owned(), body.to_string()));
    let statuses = all_at_once(&bench, calls.collect()).await;
    assert_eq!(how_many(&statuses, StatusCode::CREATED), 2, "{statuses:?}");
    assert_eq!(how_many(&statuses, StatusCode::CONFLICT), 6, "{statuses:?}");
    let records = bench.registry.list(RecordKind::Maintenance, None, 2_000).await.expect("records");
    let made = records.iter().filter(|record| wire::decode::<MaintenanceWindow>(&record.value).is_ok());
    assert_eq!(made.count(), 2);
}
