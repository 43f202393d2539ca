//! Pure. A new API key.

use model::key::Scope;
use model::validation::FieldError;
use serde_json::{Map, Value};

use super::change::Change;
use super::fields::{Fields, own_name};

/// A request for a new API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDraft {
    /// Its name.
    pub name: String,
    /// The scope.
    pub scope: Scope,
    /// The name, if no other key may have it.
    pub own_name: Option<String>,
}

/// Reads the body of `POST /keys`.
pub fn read(map: Map<String, Value>) -> Result<KeyDraft, Vec<FieldError>> {
    let mut fields = Fields::new(map);
    let name = fields.name();
    let allowed = "must be \"admin\" or \"read\"";
    let scope = fields.read("scope", allowed, |value| match value.as_str()? {
        "admin" => Some(Scope::Admin),
        "read" => Some(Scope::Read),
        _ => None,
    });
    let unique_name = fields.boolean("unique_name");
    if matches!(name, Change::Keep) && !fields.is_refused("name") {
        fields.refuse("name", "is needed");
    }
    if !scope.is_set() && !fields.is_refused("scope") {
        fields.refuse("scope", allowed);
    }
    let errors = fields.into_errors();
    let own_name = own_name(&unique_name, &name);
    match (name.set(), scope.set()) {
        (Some(name), Some(scope)) if errors.is_empty() => Ok(KeyDraft { name, scope, own_name }),
        _ => Err(errors),
    }
}
