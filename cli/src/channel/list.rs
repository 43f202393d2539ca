//! `lubdub channel list`

use model::natural;

use super::super::connection::Connection;
use super::super::table::{Field, Table};
use super::super::view::Channel;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub channel list
  lubdub channel list --json";

const HEADER: [&str; 6] = ["NAME", "KIND", "STATE", "DEFAULT", "TO", "NOTE"];

/// Lists channels.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Number of entries to show at most
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    connection: Connection,
}

impl List {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let listing = api.list(&["channels"], &[], self.limit as usize).await?;
        if self.connection.json() {
            return Ok(terminal.json(&listing.into_json())?);
        }
        if listing.items.is_empty() {
            return Ok(terminal.line(format_args!(
                "There are no channels yet: alerts reach nobody. To make one:\n  {} channel create ops webhook --url https://…",
                terminal.program()
            ))?);
        }
        let mut table = terminal.table(&HEADER);
        let mut channels: Vec<Channel> =
            listing.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?;
        channels.sort_by(|one, other| natural::compare(&one.name, &other.name));
        fill(&mut table, &channels);
        terminal.print(&table.render())?;
        if listing.is_cut() {
            terminal.warn(format_args!("only the first {} are shown: --limit shows more", self.limit));
        }
        Ok(())
    }
}

fn fill(table: &mut Table, channels: &[Channel]) {
    for channel in channels {
        table.row([
            channel.name.as_str().into(),
            channel.kind.as_str().into(),
            Field::State(channel.state.clone()),
            if channel.default { "yes" } else { "no" }.into(),
            channel.target().into(),
            Field::or_dash(channel.state_detail.clone()),
        ]);
    }
    table.cut_only(&[0, 4, 5]);
    table.leave_out(&[5, 3, 1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_fits_eighty_columns_and_sixty() {
        let channels: Vec<Channel> = serde_json::from_value(serde_json::json!([
            {"name": "ops", "kind": "webhook", "state": "ok", "default": true,
                "url": "https://hooks.example.com/services/T0123/B0456/a-rather-long-path-with-a-token-in-it"},
            {"name": "mail", "kind": "email", "state": "disabled", "default": false,
                "to": ["ops@example.com"], "state_detail": "the receiver answered 410"},
            {"name": "chat", "kind": "telegram", "state": "ok", "default": false,
                "settings": {"token": "***", "chat_id": "-100123"}},
        ]))
        .expect("channels");
        let shown = |width| {
            let mut table = Table::of_width(&HEADER, width);
            fill(&mut table, &channels);
            let text = table.render();
            assert!(text.lines().all(|line| line.chars().count() <= width.into()), "{text}");
            text
        };
        assert_eq!(shown(80) + "\n" + &shown(60), include_str!("list.golden"));
    }
}
