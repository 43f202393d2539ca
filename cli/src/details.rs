//! Shows one object, with a line for each of its fields.

use crate::harmless::harmless;

/// Names and values, in the order in which they are shown.
#[derive(Debug, Default)]
pub(super) struct Details {
    lines: Vec<(&'static str, String)>,
}

impl Details {
    /// Adds a field.
    pub(super) fn add(&mut self, name: &'static str, value: &str) {
        self.lines.push((name, harmless(value)));
    }

    /// Adds a field that may be missing or empty, and then is not shown.
    pub(super) fn add_some(&mut self, name: &'static str, value: Option<&String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.add(name, value);
        }
    }

    /// The lines, their values below each other.
    pub(super) fn render(&self) -> String {
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        self.lines.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
    }
}
