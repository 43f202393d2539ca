//! The routes that operators ask of every role.

use std::future;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;

use super::readiness::Readiness;

/// `/healthz`, `/readyz` and `/metrics` for the roles of this process.
pub fn ops_router(roles: Vec<Readiness>, metrics: Arc<Registry>) -> Router {
    probes_router(roles).merge(metrics_router(metrics))
}

/// `/healthz` and `/readyz` for the roles of this process, whose metrics are served elsewhere.
pub fn probes_router(roles: Vec<Readiness>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(move || future::ready(ready(&roles))))
}

/// `/metrics` for a listener of its own.
pub fn metrics_router(metrics: Arc<Registry>) -> Router {
    Router::new().route("/metrics", get(move || future::ready(expose(&metrics))))
}

fn ready(roles: &[Readiness]) -> Response {
    let mut lines = Vec::new();
    for role in roles {
        let name = role.role();
        lines
            .extend(role.reasons().into_iter().map(|(_, reason)| format!("{name} is not ready: {reason}\n")));
    }
    if lines.is_empty() {
        let lacks = roles.iter().flat_map(Readiness::lacks).map(|lack| format!("{lack}\n"));
        return format!("ready\n{}", lacks.collect::<String>()).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, lines.concat()).into_response()
}

fn expose(metrics: &Registry) -> Response {
    let mut text = String::new();
    if prometheus_client::encoding::text::encode(&mut text, metrics).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
