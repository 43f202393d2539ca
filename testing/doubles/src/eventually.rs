//! Waiting for a fact instead of sleeping.

use std::time::{Duration, Instant};

/// The time that a fact may take to come true: generous, for the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks every 5 ms until `check` answers `Some`.
///
/// # Panics
/// If it has not after 60 s; the message names `what`.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "did not come true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
