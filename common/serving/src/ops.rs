//! The routes that operators ask of every role.

use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;

/// Whether a role can do its job. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Readiness {
    role: &'static str,
    reason: Arc<Mutex<Option<String>>>,
    draining: Arc<AtomicBool>,
    lack: Arc<Mutex<Option<&'static str>>>,
}

impl Readiness {
    /// A role that is not ready yet.
    pub fn new(role: &'static str) -> Self {
        let reason = Arc::new(Mutex::new(Some("it is starting".to_owned())));
        Self { role, reason, draining: Arc::default(), lack: Arc::default() }
    }

    /// The name of the role.
    pub const fn role(&self) -> &'static str {
        self.role
    }

    /// Declares that the role can do its job.
    pub fn set_ready(&self) {
        *self.reason.lock() = None;
    }

    /// Declares that the role cannot do its job. The reason is a fragment that fits after "ingest is not
    /// ready: ".
    pub fn set_not_ready(&self, reason: impl Into<String>) {
        *self.reason.lock() = Some(reason.into());
    }

    /// Declares that the role is about to stop, whatever else it declares from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Declares what the role cannot do although it is ready, because its operator did not set it up; `None`:
    /// it can do everything. `/readyz` says it in a line of its own.
    pub fn set_lack(&self, lack: Option<&'static str>) {
        *self.lack.lock() = lack;
    }

    /// What the role cannot do although it is ready.
    pub fn lack(&self) -> Option<&'static str> {
        *self.lack.lock()
    }

    /// `Ok`, or the reason.
    ///
    /// # Errors
    /// The role and why it is not ready.
    pub fn check(&self) -> Result<(), String> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(format!("{} is not ready: it is draining", self.role));
        }
        match &*self.reason.lock() {
            None => Ok(()),
            Some(reason) => Err(format!("{} is not ready: {reason}", self.role)),
        }
    }
}

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
    let reasons: Vec<String> = roles.iter().filter_map(|role| role.check().err()).collect();
    if reasons.is_empty() {
        let lacks = roles.iter().filter_map(Readiness::lack).map(|lack| format!("{lack}\n"));
        return format!("ready\n{}", lacks.collect::<String>()).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", reasons.join("\n"))).into_response()
}

fn expose(metrics: &Registry) -> Response {
    let mut text = String::new();
    if prometheus_client::encoding::text::encode(&mut text, metrics).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
