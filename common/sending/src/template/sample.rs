//! Pure. Messages for trying templates on.

use std::sync::LazyLock;

use serde_json::{Map, Value};

static SAMPLES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    // The file is a part of the program. A test of the notifier writes it and reads it.
    serde_json::from_str(include_str!("samples.json")).unwrap_or_default()
});

/// The variables of a template for each kind of message, as the notifier makes them, by a name for people.
pub fn samples() -> impl Iterator<Item = (&'static str, &'static Value)> {
    SAMPLES.iter().map(|(name, variables)| (name.as_str(), variables))
}

/// The variables of a template for a monitor that went down.
pub fn sample() -> &'static Value {
    SAMPLES.get("monitor.down").unwrap_or(&Value::Null)
}
