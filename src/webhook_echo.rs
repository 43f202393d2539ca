//! `lubdub webhook-echo`: a receiver that shows what a channel sends.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use clap::Args;
use serde_json::Value;
use serving::ListenAddress;

use crate::signals::StopSignals;
use cli::Terminal;

/// No event of Lubdub is larger.
const MOST_BYTES: usize = 1 << 20;

const EXAMPLES: &str = "\
Examples:
  lubdub webhook-echo
  lubdub webhook-echo --listen :9000

Make it a channel of a server that was started with --allow-private 127.0.0.0/8:
  lubdub channel create screen webhook --url http://127.0.0.1:9000/

It keeps nothing and verifies no signature. Stop it with Ctrl-C.";

/// Show what a webhook channel sends: a receiver to try alerts with
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WebhookEcho {
    /// Listen for HTTP here: 9000, :9000 (every address), localhost:9000 or 0.0.0.0:9000
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "127.0.0.1:9000")]
    listen: ListenAddress,
}

impl WebhookEcho {
    /// Runs until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// If it cannot listen there.
    pub(crate) async fn run(self, terminal: Terminal) -> anyhow::Result<()> {
        let mut signals = StopSignals::listen()?;
        let listener = self.listen.bind().await.with_context(|| {
            format!(
                "failed to listen on {}; is another server running there? choose another with --listen",
                self.listen
            )
        })?;
        let address = listener.local_addr().context("ask for the address that is listened on")?;
        terminal.print(&format!("Shows what is sent to http://{address}/. Stop it with Ctrl-C.\n"))?;
        let routes = Router::new()
            .fallback(show)
            .layer(DefaultBodyLimit::max(MOST_BYTES))
            .with_state(Arc::new(terminal));
        tokio::select! {
            ended = axum::serve(listener, routes) => ended.context("serve"),
            () = signals.received() => Ok(()),
        }
    }
}

async fn show(
    State(terminal): State<Arc<Terminal>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    match terminal.print(&told(&method, uri.path(), id, &body)) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A line that says what it is about, and the body.
fn told(method: &Method, path: &str, id: Option<&str>, body: &[u8]) -> String {
    let event = serde_json::from_slice::<Value>(body).ok();
    let text = |path: &str| event.as_ref().and_then(|event| event.pointer(path)?.as_str());
    let parts = [text("/type"), text("/data/monitor/name"), text("/data/message")];
    let about: Vec<&str> = parts.into_iter().flatten().collect();
    let head = if about.is_empty() { format!("{method} {path}") } else { about.join(" · ") };
    let id = id.map(|id| format!("  webhook-id {id}\n")).unwrap_or_default();
    let body = match &event {
        Some(event) => format!("{event:#}"),
        None => String::from_utf8_lossy(body).into_owned(),
    };
    format!("\n{head}\n{id}{body}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_shown_with_what_it_is_about_and_anything_else_as_it_is() {
        let body = br#"{"type": "monitor.down", "data": {"monitor": {"name": "nightly"}, "message": "no heartbeat for 66 s"}}"#;
        let text = told(&Method::POST, "/", Some("d1"), body);
        assert!(
            text.starts_with("\nmonitor.down · nightly · no heartbeat for 66 s\n  webhook-id d1\n{\n"),
            "{text}"
        );
        assert_eq!(told(&Method::PUT, "/hook", None, b"DOWN \xff"), "\nPUT /hook\nDOWN \u{fffd}\n");
    }
}
