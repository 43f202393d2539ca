//! Acts of an operator of NATS: looks at streams, and empties them.

use async_nats::jetstream::stream::Stream;
use tokio::runtime::Runtime;

use super::installation::{Installation, PARTITIONS};

/// A client of the servers' own.
pub(super) struct JetStream {
    runtime: Runtime,
    context: async_nats::jetstream::Context,
}

impl JetStream {
    #[track_caller]
    pub(super) fn of(cluster: &Installation) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let url = cluster.nats.url();
        let addresses: Vec<async_nats::ServerAddr> =
            url.split(',').map(|url| url.parse().expect("an address")).collect();
        let client = runtime.block_on(async_nats::connect(addresses)).expect("a connection");
        let context = {
            let _inside = runtime.enter();
            async_nats::jetstream::new(client)
        };
        Self { runtime, context }
    }

    async fn heartbeats(&self, partition: u16) -> Stream {
        let name = format!("lubdub-heartbeats-{partition}");
        self.context.get_stream(name).await.expect("the stream is there")
    }

    /// The newest offset of each partition's heartbeat log.
    pub(super) fn ends(&self) -> Vec<u64> {
        self.runtime.block_on(async {
            let mut ends = Vec::new();
            for partition in 0..PARTITIONS {
                ends.push(self.heartbeats(partition).await.cached_info().state.last_sequence);
            }
            ends
        })
    }

    /// Removes what is in each partition's heartbeat log up to these offsets.
    pub(super) fn purge(&self, through: &[u64]) {
        self.runtime.block_on(async {
            for (partition, through) in (0..PARTITIONS).zip(through) {
                let stream = self.heartbeats(partition).await;
                stream.purge().sequence(through + 1).await.expect("it is purged");
            }
        });
    }

    /// Deletes a stream with everything in it.
    pub(super) fn delete(&self, stream: &str) {
        self.runtime.block_on(self.context.delete_stream(stream)).expect("it is deleted");
    }

    /// The server that leads a partition's heartbeat log: `n0`, `n1` or `n2`, as a number.
    #[track_caller]
    pub(super) fn leader(&self, partition: u16) -> usize {
        let stream = self.runtime.block_on(self.heartbeats(partition));
        let leader = stream.cached_info().cluster.as_ref().and_then(|cluster| cluster.leader.clone());
        let leader = leader.expect("it has a leader");
        leader.trim_start_matches('n').parse().expect("a number")
    }
}
