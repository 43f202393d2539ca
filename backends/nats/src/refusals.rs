//! Refusals: acts that the server did not permit. The server reports them apart from the request, which gets
//! no answer.

use std::collections::HashSet;
use std::sync::Arc;

use async_nats::{Event, ServerError};
use parking_lot::Mutex;
use tokio::sync::broadcast;

/// Refusals that wait for requests to hear them. A request that misses its refusal times out.
const WAITING: usize = 64;
/// Most refusals that are logged.
const LOGGED: usize = 100;

/// The refusals of one connection.
#[derive(Debug, Clone)]
pub(super) struct Refusals(Arc<RefusalsInner>);

#[derive(Debug)]
struct RefusalsInner {
    publishes: broadcast::Sender<Arc<str>>,
    logged: Mutex<HashSet<String>>,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self(Arc::new(RefusalsInner { publishes: broadcast::Sender::new(WAITING), logged: Mutex::default() }))
    }

    /// Takes note of an event, if it is a refusal.
    pub(super) fn hear(&self, event: &Event) {
        let Event::ServerError(ServerError::Other(said)) = event else { return };
        let Some((act, subject)) = read(said) else { return };
        if act == Act::Publish {
            // Perhaps no task listens.
            let _ = self.0.publishes.send(subject.into());
        }
        let mut logged = self.0.logged.lock();
        if logged.len() < LOGGED && logged.insert(said.clone()) {
            let act = act.name();
            tracing::error!(subject, "NATS does not permit this node to {act}: its user lacks a right");
        }
    }

    /// Listens to the refusals from now on.
    pub(super) fn listen(&self) -> Listening {
        Listening(self.0.publishes.subscribe())
    }
}

/// Listens to refusals.
pub(super) struct Listening(broadcast::Receiver<Arc<str>>);

impl Listening {
    /// Returns when a message to `subject` is refused; never, if it is not.
    pub(super) async fn refused(&mut self, subject: &str) {
        loop {
            match self.0.recv().await {
                Ok(refused) if &*refused == subject => return,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Publish,
    Subscribe,
}

impl Act {
    const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }
}

/// The refused act and its subject.
fn read(said: &str) -> Option<(Act, &str)> {
    let rest = said.strip_prefix("Permissions Violation for ")?;
    let (act, rest) = match rest.strip_prefix("Publish to \"") {
        Some(rest) => (Act::Publish, rest),
        None => (Act::Subscribe, rest.strip_prefix("Subscription to \"")?),
    };
    Some((act, rest.split_once('"')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_server_are_understood() {
        for (said, expected) in [
            ("Permissions Violation for Publish to \"a.b\"", Some((Act::Publish, "a.b"))),
            ("Permissions Violation for Subscription to \">\"", Some((Act::Subscribe, ">"))),
            (
                "Permissions Violation for Subscription to \"a\" using queue \"q\"",
                Some((Act::Subscribe, "a")),
            ),
            ("Permissions Violation for Publish to", None),
            ("Maximum Payload Violation", None),
        ] {
            assert_eq!(read(said), expected, "{said}");
        }
    }
}
