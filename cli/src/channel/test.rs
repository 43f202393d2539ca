//! `lubdub channel test`

use std::process::ExitCode;

use super::super::connection::Connection;
use super::super::exchange;
use super::super::lookup::{Kind, id_of};
use super::super::view::Tested;
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub channel test ops

It prints what was sent, secrets as ***, and what was answered.
The exit code is 0 if the test was accepted, 1 if not.";

/// Tests a channel.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Test {
    /// Name or id
    channel: String,
    #[command(flatten)]
    connection: Connection,
}

impl Test {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Channel, &self.channel).await?;
        let answer = api.post(&["channels", &id, "test"], &serde_json::json!({})).await?;
        let tested: Tested = api.view(&answer)?;
        if self.connection.json() {
            terminal.json(&answer)?;
        } else {
            terminal.print(&told(&tested))?;
        }
        Ok(if tested.delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn told(tested: &Tested) -> String {
    let status = tested.status.map(|status| format!(" ({status})")).unwrap_or_default();
    // The answer is shown below.
    let detail =
        tested.detail.as_deref().filter(|detail| !detail.is_empty() && tested.detail != tested.answer);
    let detail = detail.map(|detail| format!(": {}", harmless(detail))).unwrap_or_default();
    let what = if tested.delivered { "delivered" } else { "not delivered" };
    format!("{what}{status}{detail}\n{}", exchange::told(tested.request.as_deref(), tested.answer.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_receiver_said_is_told() {
        let tested = |delivered, status, detail: Option<&str>| {
            told(&Tested { delivered, status, detail: detail.map(str::to_owned), ..Tested::default() })
        };
        assert_eq!(tested(true, Some(204), None), "delivered (204)\n");
        assert_eq!(tested(false, Some(500), Some("oops")), "not delivered (500): oops\n");
        assert_eq!(tested(false, None, Some("connection refused")), "not delivered: connection refused\n");
        let exchanged = Tested {
            delivered: true,
            status: Some(200),
            detail: Some("ok".to_owned()),
            request: Some("POST / HTTP/1.1".to_owned()),
            answer: Some("ok".to_owned()),
        };
        assert_eq!(told(&exchanged), "delivered (200)\n\nSent:\n  POST / HTTP/1.1\n\nAnswered:\n  ok\n");
    }
}
