//! Pure. A message for trying templates on.

use std::sync::LazyLock;

use serde_json::Value;

static SAMPLE: LazyLock<Value> = LazyLock::new(|| {
    // The file is a part of the program, and tests read it.
    serde_json::from_str(include_str!("sample.json")).unwrap_or_default()
});

/// The variables of a template for a monitor that went down, as the notifier makes them.
pub fn sample() -> &'static Value {
    &SAMPLE
}
