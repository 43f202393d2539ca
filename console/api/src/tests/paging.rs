use std::collections::BTreeSet;

use axum::http::StatusCode;

use super::bench::Bench;

async fn all(bench: &Bench, path: &str) -> Vec<String> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = bench.get(&format!("{path}{separator}cursor={cursor}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.json);
        let items = page.json["items"].as_array().expect("items").clone();
        names.extend(items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()));
        match page.json["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return names,
        }
    }
}

#[tokio::test]
async fn every_monitor_is_on_exactly_one_page_in_the_order_of_creation() {
    let bench = Bench::start().await;
    let mut expected = Vec::new();
    for n in 0..1_203 {
        let tag = if n % 3 == 0 { "Third" } else { "other" };
        let body = format!(r#"{{"name": "Job {n}", "timeout": 60, "tags": ["{tag}"]}}"#);
        assert_eq!(bench.post("/monitors", &body).await.status, StatusCode::CREATED);
        expected.push(format!("Job {n}"));
    }
    assert_eq!(all(&bench, "/monitors").await, expected);
    assert_eq!(all(&bench, "/monitors?limit=401").await, expected);
    assert_eq!(all(&bench, "/monitors?limit=500&state=new").await, expected);
    let thirds = all(&bench, "/monitors?tag=Third&limit=7").await;
    assert_eq!(thirds.len(), 401);
    assert_eq!(thirds.iter().collect::<BTreeSet<_>>().len(), 401);
    assert_eq!(all(&bench, "/monitors?tag=third").await.len(), 0, "a tag fits exactly");
    assert_eq!(all(&bench, "/monitors?q=jOb+12").await.len(), 1 + 10 + 3);
    assert_eq!(all(&bench, "/monitors?q=THIR&tag=Third").await.len(), 401);
    assert_eq!(all(&bench, "/monitors?state=down").await.len(), 0);
    let exactly = bench.get("/monitors?limit=500&tag=nothing").await;
    assert!(exactly.json["next_cursor"].is_null());
}

#[tokio::test]
async fn bad_parameters_are_400() {
    let bench = Bench::start().await;
    let id = bench.monitor("n").await.id();
    let mut paths: Vec<String> = Vec::new();
    let lists = [
        "/monitors".to_owned(),
        "/channels".to_owned(),
        "/keys".to_owned(),
        "/deliveries".to_owned(),
        format!("/monitors/{id}/heartbeats"),
        format!("/monitors/{id}/flips"),
    ];
    for list in &lists {
        for bad in ["limit=0", "limit=501", "limit=-1", "limit=ten", "cursor=x", "cursor=%00", "cursor=eA"] {
            paths.push(format!("{list}?{bad}"));
        }
    }
    paths.extend(
        ["/monitors?state=dead", "/deliveries?state=new", "/deliveries?monitor=x"].map(str::to_owned),
    );
    for path in paths {
        let answer = bench.get(&path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
        assert_eq!(answer.refused().len(), 1, "{path}");
    }
    for list in &lists {
        let answer = bench.get(&format!("{list}?limit=&cursor=")).await;
        assert_eq!(answer.status, StatusCode::OK, "an empty parameter counts as not given");
    }
}
