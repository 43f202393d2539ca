//! Refuses query parameters that an operation does not have. A list whose filter is mistyped must not look
//! like the whole list.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::validation::FieldError;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::{OpenApi, RefOr};

use crate::problem::Problem;

/// How alike two names are (by Jaro, 0 to 1) of which one may have been meant by the other.
const ALIKE: f64 = 0.75;

/// The most characters of a name that are shown.
const SHOWN_CHARS: usize = 100;

/// The names of the query parameters of each operation, as the document describes them.
#[derive(Debug, Clone)]
pub(crate) struct Parameters(Arc<HashMap<(Method, String), Vec<String>>>);

impl Parameters {
    /// Those of every operation in a document.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let mut names = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                names.insert((method, path.clone()), in_query(operation));
            }
        }
        Self(Arc::new(names))
    }

    /// What is wrong with the query of a request; `None` also if the operation is not described.
    fn refuse(&self, request: &Request) -> Option<Problem> {
        let query = request.uri().query()?;
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let path = request.extensions().get::<MatchedPath>()?.as_str();
        let allowed = self.0.get(&(method.clone(), path.to_owned()))?;
        let mut errors: Vec<FieldError> = Vec::new();
        for (name, _) in url::form_urlencoded::parse(query.as_bytes()) {
            let is_known = name.is_empty() || allowed.iter().any(|allowed| *allowed == name);
            let shown: String = name.chars().take(SHOWN_CHARS).collect();
            if !is_known && errors.iter().all(|error| error.field != shown) {
                errors.push(FieldError { message: why(&name, allowed), field: shown });
            }
        }
        let first = errors.first()?;
        let detail = format!("the query parameter {} is refused: {}", first.field, first.message);
        Some(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_errors(errors))
    }
}

/// Answers 422 to a request with a query parameter that its operation does not have.
pub(crate) async fn check(State(parameters): State<Parameters>, request: Request, next: Next) -> Response {
    match parameters.refuse(&request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn why(name: &str, allowed: &[String]) -> String {
    if allowed.is_empty() {
        return "unknown parameter; none is allowed here".to_owned();
    }
    let lower = name.to_lowercase();
    let alike = allowed.iter().map(|allowed| (strsim::jaro(&lower, allowed), allowed));
    let nearest = alike.filter(|(alike, _)| *alike > ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b));
    let meant = nearest.map(|(_, nearest)| format!("; did you mean {nearest}?")).unwrap_or_default();
    format!("unknown parameter; allowed are {}{meant}", allowed.join(", "))
}

fn in_query(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    let in_query = parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter.name.clone()),
        // All stand in their place.
        RefOr::T(_) | RefOr::Ref(_) => None,
    });
    in_query.collect()
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let methods = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    methods.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_near_an_allowed_one_is_named() {
        let allowed = ["state", "tag", "q", "limit", "cursor"].map(str::to_owned);
        for (name, meant) in [
            ("stat", Some("state")),
            ("State", Some("state")),
            ("tags", Some("tag")),
            ("limits", Some("limit")),
            ("curser", Some("cursor")),
            ("nme", None),
            ("x", None),
        ] {
            let why = why(name, &allowed);
            assert!(why.contains("allowed are state, tag, q, limit, cursor"), "{why}");
            match meant {
                Some(meant) => assert!(why.ends_with(&format!("; did you mean {meant}?")), "{why}"),
                None => assert!(!why.contains("did you mean"), "{why}"),
            }
        }
    }
}
