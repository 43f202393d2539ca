//! `lubdub monitor push-url`, and the push URL, ready to copy.

use serde_json::json;

use super::super::connection::Connection;
use super::super::lookup::{Kind, id_of};
use super::super::shell::quoted;
use super::super::terminal::Terminal;
use super::super::view::Monitor;

const EXAMPLES: &str = "\
Examples:
  lubdub monitor push-url 'nightly backup'
  url=$(lubdub monitor push-url 'nightly backup')";

/// Prints a push URL.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PushUrl {
    /// Name or id
    monitor: String,
    #[command(flatten)]
    connection: Connection,
}

impl PushUrl {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Monitor, &self.monitor).await?;
        let monitor: Monitor = api.view(&api.get(&["monitors", &id]).await?)?;
        let Some(url) = &monitor.push_url else {
            anyhow::bail!("this key may not see push URLs: an admin key may");
        };
        if self.connection.json() {
            return Ok(terminal.json(&json!({"push_url": url}))?);
        }
        Ok(terminal.line(url)?)
    }
}

/// A command that sends one heartbeat, and then, alone on the last line, the URL itself.
pub(super) fn to_copy(push_url: &str) -> String {
    format!(
        "Send a heartbeat:\n  curl -fsS -m 10 --retry 5 -X POST {}\n\n\
         Push URL (everyone who knows it can push: keep it secret):\n{push_url}\n",
        quoted(push_url)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_alone_on_the_last_line() {
        let text = to_copy("https://x.example/api/push/abc?x=1&y=2");
        assert!(
            text.contains("  curl -fsS -m 10 --retry 5 -X POST 'https://x.example/api/push/abc?x=1&y=2'\n")
        );
        assert_eq!(text.lines().last(), Some("https://x.example/api/push/abc?x=1&y=2"));
    }
}
