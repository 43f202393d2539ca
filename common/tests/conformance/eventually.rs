//! Waiting for what will be so.

use std::time::{Duration, Instant};

/// Asks again and again until `check` answers `Some`.
pub(crate) async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "did not come true: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
