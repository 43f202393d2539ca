//! A server in the test's own process: its answers are scripted, and it remembers what it was asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// `GET /api/v1/monitors?limit=1`
    pub(crate) fn line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, self.query)
    }

    /// The body as JSON; null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's value; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    wait: Duration,
}

impl Answer {
    /// An answer with a JSON body.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let kind = (header::CONTENT_TYPE.as_str(), "application/json".to_owned());
        Self { status, headers: vec![kind], body: body.to_string().into_bytes(), wait: Duration::ZERO }
    }

    /// An answer in plain text.
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::bytes(status, body.as_bytes())
    }

    /// An answer of any bytes.
    pub(crate) fn bytes(status: u16, body: &[u8]) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned(), wait: Duration::ZERO }
    }

    /// The answer with one more header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The answer, given this long after the request was written down.
    pub(crate) const fn after(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("a status");
        let mut response = (status, self.body).into_response();
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value.parse().expect("a header value"));
        }
        response
    }
}

/// The server. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Stub {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Stub {
    /// Starts a server that answers each request with what `respond` says.
    pub(crate) fn start(respond: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST, respond)
    }

    /// The same at another address of this machine.
    pub(crate) fn start_at(
        ip: Ipv4Addr,
        respond: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind((ip, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let (seen, stopped, respond) = (Arc::clone(&requests), stop.clone(), Arc::new(respond));
        let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let (seen, respond) = (Arc::clone(&seen), Arc::clone(&respond));
            async move {
                let request = read(request).await;
                let answer = respond(&request);
                seen.lock().expect("no test panics while it holds this").push(request);
                if answer.wait > Duration::ZERO {
                    tokio::time::sleep(answer.wait).await;
                }
                answer.into_response()
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("it is non-blocking");
                tokio::select! {
                    () = stopped.cancelled() => {}
                    served = async { axum::serve(listener, router).await } => served.expect("it accepts"),
                }
            });
        });
        Self { address, requests, stop, thread: Some(thread) }
    }

    /// Its address, `http://127.0.0.1:…` as a rule.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no test panics while it holds this").clone()
    }

    /// The number of requests.
    pub(crate) fn count(&self) -> usize {
        self.requests.lock().expect("no test panics while it holds this").len()
    }

    /// The requests, in order, in short.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Request::line).collect()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn read(request: axum::extract::Request<Body>) -> Request {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.map(|bytes| bytes.to_vec()).unwrap_or_default();
    Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    }
}
