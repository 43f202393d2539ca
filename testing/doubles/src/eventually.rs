//! Waiting for a fact instead of sleeping.

use std::time::{Duration, Instant};

/// How long a fact may take to come true: generous, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks every 10 ms until `check` answers `Some`.
///
/// # Panics
/// If it has not come true after 20 s; the message names `what`.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "did not come true: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
