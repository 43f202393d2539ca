//! Errors that name the field and what is allowed.

use serde::{Deserialize, Serialize};

/// The error in one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's name in the request.
    pub field: String,
    /// The rule that the field breaks.
    pub message: String,
}

impl FieldError {
    /// An error of a field.
    pub fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into() }
    }
}
