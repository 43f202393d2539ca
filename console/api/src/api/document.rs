//! The OpenAPI document, made from the routes.

mod limits;
mod lines;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, Content, ContentBuilder, Ref, RefOr, ResponseBuilder};

use api::problem::{FieldError, Problem};

/// The path of the document.
pub(super) const PATH: &str = "/api/v1/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lubdub",
        description = "The management API of Lubdub, which notices when your jobs go silent. Errors are problem documents (RFC 9457). \
                       Times are RFC 3339 in UTC, durations whole seconds. \
                       A query parameter that a call does not have is refused with 422.",
    ),
    components(schemas(Problem, FieldError)),
    tags(
        (name = "monitors", description = "Jobs, services and devices that push heartbeats"),
        (name = "channels", description = "Destinations of alerts"),
        (name = "maintenance", description = "Times in which no channel is alerted"),
        (name = "deliveries", description = "Alerts and messages to channels, and what became of them"),
        (name = "keys", description = "Keys of this API"),
        (name = "replay", description = "What-if, advice, rebuilds, export, import and tail of the heartbeat log"),
        (name = "status", description = "The status of Lubdub itself"),
    ),
)]
struct Document;

/// The document without its routes.
pub(super) fn base() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The document with what all routes have in common, and with itself.
pub(super) fn complete(mut described: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for item in described.paths.paths.values_mut() {
        for operation in operations(item) {
            complete_one(operation);
        }
    }
    let itself = OperationBuilder::new()
        .operation_id(Some("showOpenApi"))
        .summary(Some("Shows this document. It needs no key."))
        .security(SecurityRequirement::default())
        .response("200", ResponseBuilder::new().description("OpenAPI 3.1"))
        .build();
    described.paths.paths.insert(PATH.to_owned(), PathItem::new(HttpMethod::Get, itself));
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    described.components.get_or_insert_with(Components::default).add_security_scheme("key", bearer);
    described
}

/// The finished document.
pub(super) fn bytes(described: &utoipa::openapi::OpenApi) -> Bytes {
    // The document is made of texts, numbers and maps with text keys, all of which have a JSON form.
    let mut document = serde_json::to_value(described).unwrap_or_default();
    limits::state(&mut document);
    lines::describe(&mut document);
    document.to_string().into()
}

/// Adds what every operation has in common: a key, and problems as errors.
fn complete_one(operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new("key", Vec::<String>::new())]);
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new()
        .description("A problem: 400, 401, 403, 404, 413, 422 with the refused fields, 503")
        .content("application/problem+json", problem)
        .build();
    for described in operation.responses.responses.values_mut() {
        as_problem_json(described);
    }
    operation.responses.responses.insert("default".to_owned(), response.into());
}

/// Gives problems their content type where an operation names them itself.
fn as_problem_json(response: &mut RefOr<utoipa::openapi::Response>) {
    let RefOr::T(response) = response else { return };
    let is_problem = response.content.get("application/json").is_some_and(|content| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) => {
            schema.ref_location.ends_with("/Problem")
        }
        RefOr::T(_) | RefOr::Ref(_) => false,
    });
    if is_problem && let Some(content) = response.content.shift_remove("application/json") {
        response.content.insert("application/problem+json".to_owned(), content);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// The answer that shows the document.
pub(super) fn answer(document: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], document).into_response()
}
