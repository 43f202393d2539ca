//! `lubdub key list`

use model::natural;

use super::super::connection::Connection;
use super::super::table::{Field, Table};
use super::super::times::Times;
use super::super::view::Key;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub key list";

const HEADER: [&str; 4] = ["NAME", "SCOPE", "CREATED", "ID"];

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
        let mut keys: Vec<Key> = listing.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?;
        keys.sort_by(|one, other| natural::compare(&one.name, &other.name));
        let mut table = terminal.table(&HEADER);
        fill(&mut table, &keys, &terminal.times());
        terminal.print(&table.render())?;
        if listing.is_cut() {
            terminal.warn(format_args!("only the first {} are shown: --limit shows more", self.limit));
        }
        Ok(())
    }
}

fn fill(table: &mut Table, keys: &[Key], times: &Times) {
    for key in keys {
        table.row([
            Field::from(key.name.as_str()),
            key.scope.as_str().into(),
            times.in_list(&key.created_at).into(),
            key.id.as_str().into(),
        ]);
    }
    table.cut_only(&[0]);
    table.leave_out(&[2]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_fits_sixty_columns_with_whole_ids() {
        let keys: Vec<Key> = serde_json::from_value(serde_json::json!([
            {"id": "0199a3c4-7d2e-7000-8000-000000000001", "name": "the dashboard of the third floor", "scope": "read",
             "created_at": "2026-11-20T10:00:00.000Z"},
        ]))
        .expect("keys");
        let mut table = Table::of_width(&HEADER, 60);
        fill(&mut table, &keys, &Times::at("2026-11-22T10:00:00Z", "UTC"));
        assert_eq!(
            table.render(),
            "NAME            SCOPE  ID\n\
             the dashboard…  read   0199a3c4-7d2e-7000-8000-000000000001\n"
                .replace("NAME            SCOPE", "NAME             SCOPE")
                .replace("the dashboard…  ", "the dashboard …  ")
        );
    }
}
