//! Query parameters: what an operation does not have is refused, and what it has is read as it was meant.

use std::collections::BTreeSet;

use axum::http::{StatusCode, header};
use serde_json::json;

use super::bench::Bench;

#[tokio::test]
async fn a_query_parameter_that_an_operation_does_not_have_is_refused_by_all() {
    let bench = Bench::start().await;
    let document = bench.get("/openapi.json").await.json;
    let absent = "0192f0c0-0000-7000-8000-000000000000";
    for (path, item) in document["paths"].as_object().expect("paths") {
        let filled = path.strip_prefix("/api/v1").expect("the prefix").replace("{id}", absent);
        let filled = filled.replace("{heartbeat}", "0").replace("{partition}", "0");
        for (method, operation) in item.as_object().expect("operations") {
            let upper = method.to_ascii_uppercase();
            let answer = bench
                .call(&bench.admin, &upper, &format!("{filled}?no_such=a&no_such=b&other"), &[], "")
                .await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{upper} {filled}: {}", answer.json);
            assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{upper} {filled}");
            let errors = answer.json["errors"].as_array().expect("errors");
            let fields: Vec<_> =
                errors.iter().map(|error| error["field"].as_str().expect("a field")).collect();
            assert_eq!(fields, ["no_such", "other"], "{upper} {filled}");
            let message = errors[0]["message"].as_str().expect("a message");
            let named = message.split_once("allowed are ").map_or("", |(_, named)| named);
            let named: BTreeSet<&str> = named.split(", ").filter(|name| !name.is_empty()).collect();
            let described = operation["parameters"].as_array().cloned().unwrap_or_default();
            let described: BTreeSet<&str> = described
                .iter()
                .filter(|parameter| parameter["in"] == "query")
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            assert_eq!(named, described, "{upper} {filled}: {message}");
        }
    }
    let near = bench.get("/monitors?tags=a").await;
    assert!(near.json["detail"].as_str().expect("a detail").contains("did you mean tag?"), "{}", near.json);
    let head = bench.call(&bench.admin, "HEAD", "/monitors?nme=a", &[], "").await;
    assert_eq!(head.status, StatusCode::UNPROCESSABLE_ENTITY);
    // A key comes first, and what is empty says nothing.
    assert_eq!(bench.call("lub_nobody", "GET", "/monitors?nme=a", &[], "").await.status, 401);
    assert_eq!(bench.get("/monitors?").await.status, StatusCode::OK);
    assert_eq!(bench.get("/monitors?&=&limit=").await.status, StatusCode::OK);
}

#[tokio::test]
async fn blanks_around_a_value_do_not_count_and_a_whole_number_may_have_a_point() {
    let bench = Bench::start().await;
    let body = json!({"name": "backup ", "timeout": 60.0, "tags": ["prod "]}).to_string();
    assert_eq!(bench.post("/monitors", &body).await.status, StatusCode::CREATED);
    for query in ["q=backup%20", "q=+backup", "tag=prod+", "state=new%20", "limit=1.0", "q=backup&limit=5.0"]
    {
        let found = bench.get(&format!("/monitors?{query}")).await;
        assert_eq!(found.json["items"].as_array().map(Vec::len), Some(1), "{query}: {}", found.json);
    }
    for query in ["timeout=60.0", "grace=0.0&limit=10.0", "tag=prod+&timeout=6e1"] {
        let all = if query.contains("tag") { "" } else { "all=true&" };
        let answer = bench.get(&format!("/replay/what-if?{all}{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.json);
    }
    for query in ["limit=1.5", "limit=0.0", "limit=x", "limit=-1.0"] {
        assert_eq!(bench.get(&format!("/monitors?{query}")).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
    for query in ["timeout=1.5", "timeout=0.0", "grace=NaN", "timeout=1e99"] {
        let answer = bench.get(&format!("/replay/what-if?all=true&{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
}
