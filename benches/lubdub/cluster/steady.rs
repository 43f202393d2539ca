//! Clients that push at a fixed rate in the background.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::load::Connection;

/// Keep-alive connections of one thread, each to one of the addresses in turn.
pub(crate) struct Steady {
    counts: Arc<Counts>,
    stop: CancellationToken,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

#[derive(Default)]
struct Counts {
    recorded: AtomicUsize,
    refused: AtomicUsize,
}

impl Steady {
    /// Begins to push to random tokens, `rate` times a second in all.
    pub(crate) fn start(
        addresses: Vec<SocketAddr>,
        tokens: Arc<[String]>,
        connections: usize,
        rate: usize,
    ) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
        let (counting, stopping) = (Arc::clone(&counts), stop.clone());
        let every = Duration::from_secs_f64(connections as f64 / rate as f64);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let mut clients = JoinSet::new();
                for nth in 0..connections {
                    let begin = Instant::now() + every.mul_f64(nth as f64 / connections as f64);
                    let address = addresses[nth % addresses.len()];
                    clients.spawn(push(address, Arc::clone(&tokens), begin, every, Arc::clone(&counting)));
                }
                // A client ends by an error only.
                match stopping.run_until_cancelled(clients.join_next()).await {
                    None => Ok(()),
                    Some(ended) => ended.context("there are no clients")??,
                }
            })
        });
        Ok(Self { counts, stop, thread: Some(thread) })
    }

    /// Pushes that were recorded so far.
    pub(crate) fn recorded(&self) -> usize {
        self.counts.recorded.load(Ordering::Relaxed)
    }

    /// Pushes that were not.
    pub(crate) fn refused(&self) -> usize {
        self.counts.refused.load(Ordering::Relaxed)
    }

    /// Ends it.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().map_err(|_| anyhow::anyhow!("the clients panicked"))?.context("push steadily")
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn push(
    address: SocketAddr,
    tokens: Arc<[String]>,
    begin: Instant,
    every: Duration,
    counts: Arc<Counts>,
) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    let mut ticks = interval_at(begin, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let recorded = connection.push(&tokens[rand::random_range(0..tokens.len())]).await?;
        let count = if recorded { &counts.recorded } else { &counts.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
