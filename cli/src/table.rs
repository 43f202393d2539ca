//! Tables that fit the terminal: a row is one line, and what is too long ends in an ellipsis.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Row};

use crate::harmless::harmless;

/// A table under construction.
#[derive(Debug)]
pub(super) struct Table {
    inner: comfy_table::Table,
}

/// One cell.
#[derive(Debug)]
pub(super) enum Field {
    /// Plain text.
    Text(String),
    /// A state, in its colour.
    State(String),
}

impl Field {
    /// Text, or a dash for none.
    pub(super) fn or_dash(text: Option<String>) -> Self {
        Self::Text(text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned()))
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Table {
    /// An empty table with a header. Its width is the terminal's; without a terminal nothing is cut.
    pub(super) fn new(header: &[&str], styled: bool) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(NOTHING);
        inner.set_content_arrangement(ContentArrangement::Dynamic);
        // No cell holds this character: text is cut where the room ends, not between words.
        inner.set_delimiter('\0');
        inner.set_truncation_indicator("…");
        inner.set_header(one_line(header.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold))));
        if !styled {
            let width = inner.width();
            inner.force_no_tty();
            width.map(|width| inner.set_width(width));
        }
        for column in inner.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self { inner }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, fields: impl IntoIterator<Item = Field>) {
        self.inner.add_row(one_line(fields.into_iter().map(cell)));
    }

    /// Keeps all columns whole but these (from 0), which give way when there is not enough room.
    pub(super) fn cut_only(&mut self, columns: &[usize]) {
        for (number, column) in self.inner.column_iter_mut().enumerate() {
            if !columns.contains(&number) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }

    /// The table as lines, each with its line end.
    pub(super) fn render(&self) -> String {
        self.inner.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    #[cfg(test)]
    pub(super) fn of_width(header: &[&str], width: u16) -> Self {
        let mut table = Self::new(header, false);
        table.inner.set_width(width);
        table
    }
}

fn one_line(cells: impl IntoIterator<Item = Cell>) -> Row {
    let mut row = Row::from(cells.into_iter().collect::<Vec<_>>());
    row.max_height(1);
    row
}

fn cell(field: Field) -> Cell {
    match field {
        Field::Text(text) => Cell::new(harmless(&text)),
        Field::State(state) => {
            let cell = Cell::new(harmless(&state));
            match colour(&state) {
                Some(colour) => cell.fg(colour),
                None => cell,
            }
        }
    }
}

fn colour(state: &str) -> Option<Color> {
    match state {
        "up" | "ok" | "delivered" => Some(Color::Green),
        "late" | "failing" | "pending" => Some(Color::Yellow),
        "down" | "disabled" | "dead" => Some(Color::Red),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis() {
        let mut table = Table::of_width(&["NAME", "STATE", "MESSAGE"], 40);
        table.row(["nightly backup".into(), Field::State("up".to_owned()), Field::or_dash(None)]);
        let message = "copied 120,000 files\nin 4 minutes from the big server";
        table.row(["sync".into(), Field::State("down".to_owned()), message.into()]);
        table.cut_only(&[2]);
        let lines = table.render();
        assert_eq!(
            lines,
            "NAME            STATE  MESSAGE\n\
             nightly backup  up     -\n\
             sync            down   copied 120,000…\n"
        );
        assert!(lines.lines().all(|line| line.chars().count() <= 40), "{lines}");
    }

    #[test]
    fn a_column_that_is_kept_whole_is_not_cut() {
        let mut table = Table::of_width(&["ID", "NAME"], 44);
        table.row(["0199a3c4-7d2e-7000-8000-000000000001".into(), "a name that is rather long".into()]);
        table.cut_only(&[1]);
        assert!(table.render().contains("0199a3c4-7d2e-7000-8000-000000000001  a"), "{}", table.render());
    }
}
