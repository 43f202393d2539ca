//! `lubdub channel show`

use super::super::Terminal;
use super::super::connection::Connection;
use super::super::details::Details;
use super::super::lookup::{Kind, id_of};
use super::super::view::Channel;

const EXAMPLES: &str = "\
Examples:
  lubdub channel show ops
  lubdub channel show ops --json";

/// Shows a channel.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Show {
    /// Name or id
    channel: String,
    #[command(flatten)]
    connection: Connection,
}

impl Show {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Channel, &self.channel).await?;
        let answer = api.get(&["channels", &id]).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        Ok(terminal.print(&details(&api.view(&answer)?))?)
    }
}

fn details(channel: &Channel) -> String {
    let mut details = Details::default();
    details.add("name", &channel.name);
    details.add("id", &channel.id);
    details.add("kind", &channel.kind);
    details.add("to", &channel.target());
    for (name, value) in &channel.headers {
        details.add("header", &format!("{name}: {value}"));
    }
    details.add("default", if channel.default { "yes" } else { "no" });
    details.add("state", &channel.state);
    details.add_some("note", channel.state_detail.as_ref());
    details.add("created", &channel.created_at);
    details.render()
}
