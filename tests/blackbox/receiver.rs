//! A receiver of webhooks that writes everything down.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::harness::eventually;
use crate::stub::{Answer, Request, Stub};

/// The receiver. It answers 204, or as the test sets it.
#[derive(Debug)]
pub(crate) struct Receiver {
    stub: Stub,
    planned: Arc<Mutex<VecDeque<Answer>>>,
}

impl Receiver {
    /// Starts one.
    pub(crate) fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST)
    }

    /// Starts one at another address of this machine.
    pub(crate) fn start_at(ip: Ipv4Addr) -> Self {
        let planned = Arc::new(Mutex::new(VecDeque::new()));
        let answers = Arc::clone(&planned);
        let stub = Stub::start_at(ip, move |_| {
            let planned = answers.lock().expect("no test panics while it holds this").pop_front();
            planned.unwrap_or_else(|| Answer::text(204, ""))
        });
        Self { stub, planned }
    }

    /// The URL of the receiver.
    pub(crate) fn url(&self) -> String {
        self.stub.url() + "/hook"
    }

    /// Answers the next request so.
    pub(crate) fn plan(&self, answer: Answer) {
        self.planned.lock().expect("no test panics while it holds this").push_back(answer);
    }

    /// The requests, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.stub.requests()
    }

    /// Every event about that monitor, in order, repeats and all.
    pub(crate) fn events(&self, monitor: &str) -> Vec<Value> {
        let about = |event: &Value| event["data"]["monitor"]["id"] == monitor;
        self.requests().iter().map(Request::json).filter(about).collect()
    }

    /// Waits for this many requests.
    #[track_caller]
    pub(crate) fn until(&self, count: usize) -> Vec<Request> {
        eventually(&format!("{count} webhooks came"), || {
            let requests = self.requests();
            (requests.len() >= count).then_some(requests)
        })
    }

    /// Waits until these types of event came about a monitor, and no others.
    #[track_caller]
    pub(crate) fn until_types(&self, monitor: &str, expected: &[&str]) -> Vec<Value> {
        eventually(&format!("these webhooks came: {expected:?}"), || {
            let events = self.events(monitor);
            assert!(events.len() <= expected.len(), "{events:?}");
            let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
            (types == expected).then_some(events)
        })
    }
}
