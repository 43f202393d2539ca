//! The messages that channels received, and whether they are complete.
//!
//! - [`audit`]: every flip reached its channels, in order, and repeats are repeats
//! - [`flipping`]: monitors that flip on and on
//! - [`flood`]: very many monitors that are down within a moment
//! - [`killing`]: a scene for killing processes at the worst moments

pub(crate) mod audit;
pub(crate) mod flipping;
pub(crate) mod flood;
pub(crate) mod killing;

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Api, Monitor};
use crate::stub::{Answer, Request, Stub};

/// How long a receiver keeps its caller waiting, in milliseconds, so that deliveries are always under way.
const THINKS_FOR: std::ops::Range<u64> = 0..100;

/// A channel, as far as the tests need it.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) id: String,
    /// The path on the receiver.
    pub(crate) path: String,
    /// Whether the channel gathers.
    pub(crate) digest: bool,
}

/// A receiver for many channels.
#[derive(Debug)]
pub(crate) struct Ears {
    stub: Stub,
}

impl Ears {
    /// A receiver that takes its time.
    pub(crate) fn thoughtful() -> Self {
        let stub = Stub::start(|_| {
            Answer::text(204, "").after(Duration::from_millis(rand::random_range(THINKS_FOR)))
        });
        Self { stub }
    }

    /// A receiver that answers at once.
    pub(crate) fn quick() -> Self {
        Self { stub: Stub::start(|_| Answer::text(204, "")) }
    }

    /// Makes a channel that leads here. Monitors that name no channels do not use it.
    #[track_caller]
    pub(crate) fn channel(&self, api: &Api, name: &str, digest: bool) -> Channel {
        let path = format!("/{name}");
        let url = self.stub.url() + &path;
        let body = json!({"name": name, "kind": "webhook", "url": url, "digest": digest, "default": false});
        let made = api.api("POST /channels", &body);
        assert_eq!(made["digest"], digest, "{made}");
        Channel { id: made["id"].as_str().expect("a text").to_owned(), path, digest }
    }

    /// The requests, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.stub.requests()
    }

    /// How much came.
    pub(crate) fn count(&self) -> usize {
        self.stub.count()
    }
}

/// Makes a monitor that only a push that says so takes down.
#[track_caller]
pub(crate) fn monitor(api: &Api, name: &str, channels: &[&Channel]) -> Monitor {
    let channels: Vec<&str> = channels.iter().map(|channel| &*channel.id).collect();
    let body: Value = json!({"name": name, "timeout": 86_400, "channels": channels});
    serde_json::from_value(api.api("POST /monitors", &body)).expect("a monitor")
}
