//! Subjects: what a suite needs of an adapter under test.

use std::sync::Arc;

use async_trait::async_trait;

/// A backend, empty at first, seen through the port `P` (`dyn HeartbeatLog` and so on).
#[async_trait(?Send)]
pub trait Subject<P: ?Sized + Send + Sync>: Send {
    /// The adapter; another one after a restart.
    fn port(&self) -> Arc<P>;

    /// Ends the client in order, and starts it on the same data. Everything acknowledged is still there.
    async fn restart(&mut self);

    /// Whether a watcher hears of a change before the call that made it returns.
    fn tells_at_once(&self) -> bool {
        true
    }

    /// Lets the retention time of all entries pass. Only called for heartbeat logs.
    async fn expire_everything(&mut self) {
        panic!("only a heartbeat log expires");
    }
}

/// One test per case of a suite, on a subject that `$make` gives.
#[macro_export]
macro_rules! run_suite {
    ($suite:ident, $make:expr, [$($case:ident),+ $(,)?]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::suite::$suite::$case(&mut $make.await).await;
            }
        )+
    };
}
