//! Pure. What is sent to a service.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::template::{Escape, Template, TemplateError};
use model::channel::WebhookMethod;

/// A request as a file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    #[serde(default)]
    on: Vec<String>,
    #[serde(default)]
    method: WebhookMethod,
    endpoint: String,
    #[serde(default = "json")]
    content_type: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: String,
}

fn json() -> String {
    "application/json".to_owned()
}

/// One `[[request]]` of a preset.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Source")]
pub struct RequestTemplate {
    /// Actions (`trigger`, `resolve`, `none`) and events (`channel.test`, …) that it is sent for; none =
    /// every message.
    on: Vec<String>,
    method: WebhookMethod,
    endpoint: Template,
    content_type: String,
    /// The headers. A header whose value turns out empty is not sent.
    headers: Vec<(String, Template)>,
    body: Template,
}

/// A request that a preset makes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresetRequest {
    /// How.
    pub method: WebhookMethod,
    /// The URL; it may hold credentials.
    pub url: Url,
    /// The content type of the body.
    pub content_type: String,
    /// Headers besides, none of them empty.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// Why no request can be made of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A template cannot be filled in.
    #[error("{0}")]
    Template(#[from] TemplateError),
    /// The endpoint is no URL.
    #[error("{0}")]
    Url(#[from] url::ParseError),
}

impl TryFrom<Source> for RequestTemplate {
    type Error = TemplateError;

    fn try_from(source: Source) -> Result<Self, TemplateError> {
        let headers = source.headers.into_iter().map(|(name, value)| {
            let template = Template::parse(&value, Escape::Nothing)?;
            Ok((name, template))
        });
        Ok(Self {
            on: source.on,
            method: source.method,
            endpoint: Template::parse(&source.endpoint, Escape::Nothing)?,
            headers: headers.collect::<Result<_, TemplateError>>()?,
            body: Template::parse(&source.body, Escape::for_content_type(&source.content_type))?,
            content_type: source.content_type,
        })
    }
}

impl RequestTemplate {
    pub(super) fn is_for(&self, variables: &Value) -> bool {
        let named = |key: &str| {
            let value = variables.get(key).and_then(Value::as_str).unwrap_or_default();
            self.on.iter().any(|one| one == value)
        };
        self.on.is_empty() || named("action") || named("event")
    }

    pub(super) fn endpoint(&self, variables: &Value) -> Result<Url, RequestError> {
        Ok(self.endpoint.render(variables)?.parse()?)
    }

    /// Whether the request has a header `authorization` of its own.
    pub(super) fn is_authorized(&self, variables: &Value) -> bool {
        let value = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        value.is_some_and(|(_, value)| value.render(variables).is_ok_and(|value| !value.is_empty()))
    }

    pub(super) fn fill_in(&self, variables: &Value) -> Result<PresetRequest, RequestError> {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            let value = value.render(variables)?;
            if !value.is_empty() {
                headers.push((name.clone(), value));
            }
        }
        Ok(PresetRequest {
            method: self.method,
            url: self.endpoint(variables)?,
            content_type: self.content_type.clone(),
            headers,
            body: self.body.render(variables)?.trim().to_owned(),
        })
    }
}
