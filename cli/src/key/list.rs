//! `lubdub key list`

use super::super::connection::Connection;
use super::super::duration::relative;
use super::super::terminal::now;
use super::super::view::Key;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub key list";

/// Lists keys.
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
        let listing = api.list(&["keys"], &[], self.limit as usize).await?;
        if self.connection.json() {
            return Ok(terminal.json(&listing.into_json())?);
        }
        if listing.items.is_empty() {
            return Ok(terminal.line("There are no keys but the first admin key.")?);
        }
        let now = now();
        let mut table = terminal.table(&["ID", "SCOPE", "CREATED", "NAME"]);
        for item in &listing.items {
            let key: Key = api.view(item)?;
            let created = relative(&key.created_at, now);
            table.row([key.id.into(), key.scope.into(), created.into(), key.name.into()]);
        }
        table.cut_only(&[3]);
        terminal.print(&table.render())?;
        if listing.is_cut() {
            terminal.warn(format_args!("only the first {} are shown: --limit shows more", self.limit));
        }
        Ok(())
    }
}
