//! The server that gets what is imported, asked again until it answers.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use model::ids::MonitorId;
use model::time::EventTime;
use ports::clock::{Clock, SystemClock};
use serde_json::Value;

use super::super::api::{Api, ApiError};
use super::super::terminal::Terminal;
use super::progress::Progress;

/// The first wait after a failure, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The server, and its clock.
pub(super) struct Target {
    pub(super) api: Api,
    mode: &'static str,
    clock: SystemClock,
    /// Its clock, and ours when it was read.
    seen: Option<(EventTime, Duration)>,
}

/// The outcome of sending.
pub(super) enum Sent {
    /// All is recorded.
    Yes,
    /// Nothing is: these monitors take no history, and why.
    Refused(Vec<(MonitorId, String)>),
    /// A person wants it to stop.
    Stopped,
}

impl Target {
    pub(super) fn new(api: Api, mode: &'static str) -> Self {
        Self { api, mode, clock: SystemClock::new(), seen: None }
    }

    /// The server's time. It is a little behind rather than ahead.
    pub(super) fn now(&self) -> EventTime {
        match self.seen {
            Some((at, seen)) => at + self.clock.elapsed().saturating_sub(seen),
            None => self.clock.now(),
        }
    }

    /// Asks the server for its time.
    ///
    /// # Errors
    /// The key may not import, or it is no Lubdub of this version.
    pub(super) async fn greet(&mut self) -> anyhow::Result<()> {
        let answer = self.api.post_lines(&["import"], &[("mode", self.mode)], Vec::new()).await?;
        self.look(&answer);
        Ok(())
    }

    /// Sends lines until they are recorded or refused. `again` says that they may have been sent before.
    ///
    /// # Errors
    /// The lines are refused, or the key is.
    pub(super) async fn send(
        &mut self,
        lines: &[u8],
        mut again: bool,
        terminal: &Terminal,
        progress: &Progress,
    ) -> anyhow::Result<Sent> {
        let mut wait = WAITS.0;
        loop {
            let query = [("mode", self.mode), ("again", if again { "true" } else { "false" })];
            let sending = self.api.post_lines(&["import"], &query, lines.to_vec());
            let answer = tokio::select! {
                answer = sending => answer,
                _ = tokio::signal::ctrl_c() => return Ok(Sent::Stopped),
            };
            let error = match answer {
                Ok(answer) => {
                    self.look(&answer);
                    return Ok(Sent::Yes);
                }
                Err(error) => error,
            };
            let refused = refused_monitors(&error);
            if !refused.is_empty() {
                return Ok(Sent::Refused(refused));
            }
            if !is_worth_another_try(&error) {
                bail!(error);
            }
            again = true;
            if wait == WAITS.0 {
                progress.aside(|| terminal.warn(format_args!("{error}; trying again until it works")));
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = tokio::signal::ctrl_c() => return Ok(Sent::Stopped),
            }
            wait = (wait * 2).min(WAITS.1);
        }
    }

    fn look(&mut self, answer: &Value) {
        if let Some(now) = answer["now"].as_str().and_then(EventTime::parse_rfc3339) {
            self.seen = Some((now, self.clock.elapsed()));
        }
    }
}

/// Whether the same may go through later.
pub(crate) fn is_worth_another_try(error: &ApiError) -> bool {
    match error {
        ApiError::Unreachable { .. } | ApiError::NoAnswer { .. } => true,
        ApiError::Refused(problem) => matches!(problem.status(), 408 | 429 | 500..=599),
        ApiError::Stranger { status, .. } => status.is_server_error(),
        ApiError::Client(_) => false,
    }
}

fn refused_monitors(error: &ApiError) -> Vec<(MonitorId, String)> {
    let ApiError::Refused(problem) = error else { return Vec::new() };
    if problem.status() != 409 {
        return Vec::new();
    }
    let monitor = |(field, message): &(String, String)| {
        Some((field.strip_prefix("monitors.")?.parse().ok()?, message.clone()))
    };
    problem.errors().iter().filter_map(monitor).collect()
}

/// The exit code of a command that a person stopped.
pub(super) fn stopped(terminal: &Terminal, goes_on: bool) -> ExitCode {
    terminal.note(if goes_on { "stopped; the same command goes on from here" } else { "stopped" });
    ExitCode::FAILURE
}
