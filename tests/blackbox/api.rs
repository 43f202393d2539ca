//! The management API, as the tests ask it.

mod document;

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::http::{Answer, Client};

/// The admin key of every server here.
pub(crate) const KEY: &str = "a-key-for-the-tests";

/// The management API at an address, whether a server listens there or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    address: SocketAddr,
}

/// A monitor.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Monitor {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) push_url: String,
    pub(crate) state: String,
    pub(crate) revision: u64,
}

/// A recorded heartbeat.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Heartbeat {
    pub(crate) id: String,
    #[serde(rename = "at", deserialize_with = "milliseconds")]
    pub(crate) at_ms: i64,
    pub(crate) status: String,
    pub(crate) msg: Option<String>,
}

/// A change of state.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Flip {
    pub(crate) id: String,
    pub(crate) sequence: u64,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) reason: String,
    #[serde(rename = "at", deserialize_with = "milliseconds")]
    pub(crate) at_ms: i64,
    pub(crate) message: Option<String>,
    pub(crate) deaf_seconds: u64,
}

fn milliseconds<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    String::deserialize(from).map(|text| time_ms(&text.into()))
}

/// A time of the API in milliseconds, which is all that it may hold.
#[track_caller]
pub(crate) fn time_ms(time: &Value) -> i64 {
    let text = time.as_str().unwrap_or_else(|| panic!("not a time: {time}"));
    assert!(text.len() == "2026-11-22T10:00:07.120Z".len() && text.ends_with('Z'), "{text}");
    text.parse::<Timestamp>().unwrap_or_else(|error| panic!("{text}: {error}")).as_millisecond()
}

impl Api {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// The address of the server.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes one call of the API; returns the answer of any status.
    #[track_caller]
    pub(crate) fn call(&self, line: &str, body: &Value) -> Answer {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let line = format!("{method} /api/v1{path}");
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let head = format!("authorization: Bearer {KEY}\r\ncontent-type: application/json\r\n");
        let answer = Client::new(self.address, Duration::from_secs(30)).ask(&line, &head, &body);
        answer.unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Makes one call that must succeed.
    #[track_caller]
    pub(crate) fn api(&self, line: &str, body: &Value) -> Value {
        let answer = self.call(line, body);
        assert!((200..300).contains(&answer.status), "{line}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.api(&format!("GET {path}"), &Value::Null)
    }

    /// Every item of a list.
    #[track_caller]
    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}{mark}limit=500{cursor}"));
            items.extend(page["items"].as_array().expect("a list").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Every rebuild: a list without pages.
    #[track_caller]
    pub(crate) fn rebuilds(&self) -> Vec<Value> {
        self.get("/replay/rebuilds")["items"].as_array().expect("a list").clone()
    }

    /// Makes a channel to `url`, with its secret.
    #[track_caller]
    pub(crate) fn channel(&self, name: &str, url: &str) -> (String, String) {
        let made = self.api("POST /channels", &json!({"name": name, "kind": "webhook", "url": url}));
        let text = |field: &str| made[field].as_str().expect("a text").to_owned();
        (text("id"), text("secret"))
    }

    /// Makes a monitor.
    #[track_caller]
    pub(crate) fn monitor(&self, name: &str, timeout: u32, grace: impl Into<Option<u32>>) -> Monitor {
        let mut body = json!({"name": name, "timeout": timeout});
        if let Some(grace) = grace.into() {
            body["grace"] = json!(grace);
        }
        serde_json::from_value(self.api("POST /monitors", &body)).expect("a monitor")
    }

    /// A monitor as it is now.
    #[track_caller]
    pub(crate) fn shown(&self, monitor: &Monitor) -> Monitor {
        serde_json::from_value(self.get(&format!("/monitors/{}", monitor.id))).expect("a monitor")
    }

    /// A monitor's flips, oldest first.
    #[track_caller]
    pub(crate) fn flips(&self, monitor: &Monitor) -> Vec<Flip> {
        let flips = self.list(&format!("/monitors/{}/flips", monitor.id));
        flips.into_iter().rev().map(|flip| serde_json::from_value(flip).expect("a flip")).collect()
    }

    /// A monitor's flips in short, oldest first.
    #[track_caller]
    pub(crate) fn reasons(&self, monitor: &Monitor) -> Vec<String> {
        self.flips(monitor).into_iter().map(|flip| flip.reason).collect()
    }

    /// Waits for a monitor's flips to be these.
    #[track_caller]
    pub(crate) fn until_reasons(&self, monitor: &Monitor, expected: &[&str]) -> Vec<Flip> {
        eventually(&format!("{} has flipped: {expected:?}", monitor.name), || {
            let flips = self.flips(monitor);
            assert!(flips.len() <= expected.len(), "{}: {flips:?}", monitor.name);
            flips.iter().map(|flip| &*flip.reason).eq(expected.iter().copied()).then_some(flips)
        })
    }

    /// A monitor's heartbeats, oldest first.
    #[track_caller]
    pub(crate) fn heartbeats(&self, monitor: &Monitor) -> Vec<Heartbeat> {
        let heartbeats = self.list(&format!("/monitors/{}/heartbeats", monitor.id));
        heartbeats.into_iter().rev().map(|one| serde_json::from_value(one).expect("a heartbeat")).collect()
    }
}
