//! A webhook receiver that remembers what it got and answers as it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::world::SECRET;

#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Received {
    pub(super) fn id(&self) -> String {
        self.header("webhook-id")
    }

    pub(super) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The event's type.
    pub(super) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn monitor(&self) -> String {
        self.json()["data"]["monitor"]["name"].as_str().unwrap_or_default().to_owned()
    }

    /// Whether the third-party library accepts the signature.
    pub(super) fn is_signed(&self) -> bool {
        self.is_signed_by(SECRET)
    }

    pub(super) fn is_signed_by(&self, secret: &str) -> bool {
        Webhook::new(secret).unwrap().verify(&self.body, &self.headers).is_ok()
    }
}

#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) delay: Duration,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self { status, headers: vec![], body: String::new(), delay: Duration::ZERO }
    }

    pub(super) fn after(delay: Duration) -> Self {
        Self { delay, ..Self::status(204) }
    }
}

/// The answer to the last request, given everything received so far.
type Behaviour = Box<dyn Fn(&[Received]) -> Reply + Send + Sync>;

struct ReceiverState {
    received: Mutex<Vec<Received>>,
    behaviour: Mutex<Behaviour>,
}

pub(super) struct Receiver {
    shared: Arc<ReceiverState>,
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl Receiver {
    pub(super) async fn start(behaviour: impl Fn(&[Received]) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(ReceiverState {
            received: Mutex::default(),
            behaviour: Mutex::new(Box::new(behaviour)),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { shared, address, _server: server }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn behave(&self, behaviour: impl Fn(&[Received]) -> Reply + Send + Sync + 'static) {
        *self.shared.behaviour.lock() = Box::new(behaviour);
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().clone()
    }

    pub(super) fn count(&self, path: &str) -> usize {
        self.shared.received.lock().iter().filter(|one| one.path == path).count()
    }
}

async fn answer(
    State(shared): State<Arc<ReceiverState>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, String) {
    let reply = {
        let mut received = shared.received.lock();
        received.push(Received { method, path: uri.path().to_owned(), headers, body });
        (*shared.behaviour.lock())(&received)
    };
    tokio::time::sleep(reply.delay).await;
    let mut headers = HeaderMap::new();
    for (name, value) in reply.headers {
        headers.insert(name, value.parse().unwrap());
    }
    (StatusCode::from_u16(reply.status).unwrap(), headers, reply.body)
}
