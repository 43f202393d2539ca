//! Routes about the past.

mod advise;
mod shown;
mod what_if;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use management::app::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().merge(what_if::routes()).merge(advise::routes())
}
