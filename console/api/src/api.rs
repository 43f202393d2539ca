//! The routes under `/api/v1`, one resource per file, and the document that describes them.

mod channels;
mod deliveries;
mod document;
mod export;
mod flips;
mod heartbeats;
mod import;
mod keys;
mod maintenance;
mod monitors;
mod rebuilds;
mod replay;
mod status;
mod tail;

use std::future;
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use ports::clock::Clock;
use serving::TrustedProxies;
use utoipa_axum::router::OpenApiRouter;

use crate::auth::{self, Authentication};
use crate::parameters::{self, Parameters};
use crate::problem::Problem;
use crate::public_url::PublicUrl;
use crate::request_metrics::RequestMetrics;
use management::app::App;

const PREFIX: &str = "/api/v1";

/// Every route of the management API.
pub(crate) fn router(
    app: Arc<App>,
    public_url: PublicUrl,
    proxies: TrustedProxies,
    metrics: RequestMetrics,
) -> Router {
    let (guarded, described) = described_routes();
    let described = document::complete(described);
    let parameters = Parameters::of(&described);
    let document = document::bytes(&described);
    let authentication = Authentication {
        app: Arc::clone(&app),
        public_url: public_url.into(),
        strangers: Arc::default(),
        proxies,
    };
    let observation = Observation { clock: Arc::clone(&app.ports.clock), metrics };
    let known_parameters = from_fn_with_state(parameters, parameters::check);
    let openapi = get(move || future::ready(document::answer(document.clone())));
    guarded
        .route_layer(known_parameters.clone())
        .route_layer(from_fn_with_state(authentication, auth::authenticate))
        .route(document::PATH, openapi.layer(known_parameters))
        .route(PREFIX, any(no_such_path))
        .route("/api/v1/", any(no_such_path))
        .route("/api/v1/{*path}", any(no_such_path))
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(observation, observe))
        .with_state(app)
}

fn described_routes() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    let resources = OpenApiRouter::new()
        .merge(monitors::routes())
        .merge(heartbeats::routes())
        .merge(flips::routes())
        .merge(channels::routes())
        .merge(maintenance::routes())
        .merge(deliveries::routes())
        .merge(rebuilds::routes())
        .merge(keys::routes())
        .merge(replay::routes())
        .merge(export::routes())
        .merge(import::routes())
        .merge(tail::routes())
        .merge(status::routes());
    OpenApiRouter::with_openapi(document::base()).nest(PREFIX, resources).split_for_parts()
}

async fn no_such_path() -> Response {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path; see /api/v1/openapi.json")
        .into_response()
}

async fn no_such_method() -> Response {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method").into_response()
}

/// The meters of every request.
#[derive(Clone)]
struct Observation {
    clock: Arc<dyn Clock>,
    metrics: RequestMetrics,
}

/// Counts a request, and keeps its answer, which may hold secrets, out of caches.
async fn observe(
    State(Observation { clock, metrics }): State<Observation>,
    request: Request,
    next: Next,
) -> Response {
    let began = clock.elapsed();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let took = clock.elapsed().saturating_sub(began);
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    metrics.answered(&method, route, response.status().as_u16(), took);
    response
}
