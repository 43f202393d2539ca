//! Tables that fit the terminal: a row is one line. Where there is not enough room the less important columns
//! are left out, and then what is too long ends in an ellipsis. Where no person looks nothing is cut or left
//! out.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Row, Width};

use crate::harmless::harmless;

/// Columns between two texts.
const GAP: u16 = 2;

/// A column that may be cut keeps at least so many characters before another one is left out for it. The most
/// important one keeps two thirds of the terminal, and names keep half of it.
const LEAST: u16 = 12;

/// The number of the column that names stand in.
const NAMES: usize = 0;

/// A table under construction.
#[derive(Debug)]
pub(super) struct Table {
    inner: comfy_table::Table,
    /// Of the terminal, in characters; `None` where no person looks.
    width: Option<u16>,
    /// Numbers of the columns that may be cut, the most important one first.
    cut: Vec<usize>,
    /// Numbers of the columns that may be left out, the least important one first.
    left_out: Vec<usize>,
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
        Self::Text(text.filter(|text| !text.is_empty()).unwrap_or_else(|| DASH.to_owned()))
    }
}

/// What stands for nothing.
const DASH: &str = "-";

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
    /// An empty table with a header, for a terminal of `width` characters.
    pub(super) fn new(header: &[&str], styled: bool, width: Option<u16>) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(NOTHING);
        // The widths are computed here.
        inner.set_content_arrangement(ContentArrangement::Disabled);
        // No cell holds this character: text is cut where the room ends, not between words.
        inner.set_delimiter('\0');
        inner.set_truncation_indicator("…");
        inner.style_text_only();
        inner.set_header(one_line(header.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold))));
        if !styled {
            inner.force_no_tty();
        }
        Self { inner, width, cut: Vec::new(), left_out: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, fields: impl IntoIterator<Item = Field>) {
        self.inner.add_row(one_line(fields.into_iter().map(cell)));
    }

    /// Lets these columns (from 0) give way when there is not enough room, the last one first. All others are
    /// kept whole.
    pub(super) fn cut_only(&mut self, columns: &[usize]) {
        columns.clone_into(&mut self.cut);
    }

    /// Lets these columns (from 0) be left out, in this order, before others are cut. On a terminal they are
    /// also left out if they hold nothing.
    pub(super) fn leave_out(&mut self, columns: &[usize]) {
        columns.clone_into(&mut self.left_out);
    }

    /// The table as lines, each with its line end.
    pub(super) fn render(mut self) -> String {
        let widths = self.widths();
        let last = widths.iter().rposition(Option::is_some);
        for ((number, column), width) in self.inner.column_iter_mut().enumerate().zip(widths) {
            // A gap behind the last column would not fit.
            let gap = if Some(number) == last { 0 } else { GAP };
            column.set_padding((0, gap));
            column.set_constraint(match width {
                Some(width) => ColumnConstraint::Absolute(Width::Fixed(width.saturating_add(gap))),
                None => ColumnConstraint::Hidden,
            });
        }
        self.inner.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// The width of each column without the gap behind it; `None` = it is left out.
    fn widths(&self) -> Vec<Option<u16>> {
        let natural = self.inner.column_max_content_widths();
        let mut widths: Vec<Option<u16>> = natural.iter().copied().map(Some).collect();
        let Some(room) = self.width else { return widths };
        for column in &self.left_out {
            if let Some(width) = widths.get_mut(*column).filter(|_| self.is_empty(*column)) {
                *width = None;
            }
        }
        for (place, column) in self.cut.iter().enumerate() {
            let least = match (place, *column) {
                (0, _) => LEAST.max(room / 3 * 2),
                (_, NAMES) => LEAST.max(room / 2),
                _ => LEAST,
            };
            if let Some(Some(width)) = widths.get_mut(*column) {
                *width = (*width).min(least);
            }
        }
        for column in &self.left_out {
            if needed(&widths) <= room {
                break;
            }
            widths.get_mut(*column).map(|width| width.take());
        }
        // What is too much is taken from the least important one, and from names last of all. What is left
        // goes to the most important.
        for (names, least) in [(false, LEAST), (true, 1), (false, 1)] {
            for column in self.cut.iter().rev().filter(|column| (**column == NAMES) == names) {
                let too_much = needed(&widths).saturating_sub(room);
                if let Some(Some(width)) = widths.get_mut(*column) {
                    *width = width.saturating_sub(too_much).max(least.min(*width));
                }
            }
        }
        for column in &self.cut {
            let left = room.saturating_sub(needed(&widths));
            if let (Some(Some(width)), Some(natural)) = (widths.get_mut(*column), natural.get(*column)) {
                *width = width.saturating_add(left).min(*natural);
            }
        }
        widths
    }

    fn is_empty(&self, column: usize) -> bool {
        let mut cells = self.inner.row_iter().filter_map(|row| row.cell_iter().nth(column));
        cells.all(|cell| matches!(cell.content().as_str(), "" | DASH))
    }

    #[cfg(test)]
    pub(super) fn of_width(header: &[&str], width: u16) -> Self {
        Self::new(header, false, Some(width))
    }
}

/// The width of the whole table.
fn needed(widths: &[Option<u16>]) -> u16 {
    let shown = widths.iter().flatten();
    let gaps = u16::try_from(shown.clone().count().saturating_sub(1)).unwrap_or(u16::MAX);
    shown.fold(gaps.saturating_mul(GAP), |sum, width| sum.saturating_add(*width))
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
             sync            down   copied 120,000 f…\n"
        );
        assert!(lines.lines().all(|line| line.chars().count() <= 40), "{lines}");
    }

    fn wide(width: Option<u16>) -> String {
        let mut table = Table::new(&["NAME", "STATE", "HEARD", "TAGS", "NOTE"], false, width);
        let row = |name: &str, note: &str| {
            ["", "up", "3 min ago", "prod, eu", note].map(|cell| match cell {
                "" => Field::from(name),
                cell => Field::from(cell),
            })
        };
        table.row(row("nightly backup", "-"));
        table.row(row("a name that is rather long, in fact longer than most", "-"));
        table.cut_only(&[0, 3, 4]);
        table.leave_out(&[4, 3]);
        table.render()
    }

    #[test]
    fn columns_are_left_out_before_names_are_cut() {
        assert_eq!(
            wide(Some(80)),
            "NAME                                                  STATE  HEARD      TAGS\n\
             nightly backup                                        up     3 min ago  prod, eu\n\
             a name that is rather long, in fact longer than most  up     3 min ago  prod, eu\n",
            "a column that holds nothing is not shown on a terminal"
        );
        assert_eq!(
            wide(Some(60)).lines().last(),
            Some("a name that is rather long, in fact longe…  up     3 min ago")
        );
        for width in 0..100 {
            let text = wide(Some(width));
            let most = usize::from(width.max(20));
            assert!(text.lines().all(|line| line.chars().count() <= most), "{width}:\n{text}");
        }
    }

    #[test]
    fn a_name_is_cut_after_a_column_that_is_more_important() {
        let mut table = Table::of_width(&["NAME", "WHEN"], 60);
        table.row([
            "backup of the warehouse, EU".into(),
            "from 2026-11-22 10:00 to 13:00 CET, each week".into(),
        ]);
        table.cut_only(&[1, 0]);
        let text = table.render();
        assert!(text.contains("backup of the warehouse, EU  from 2026-11-22 10:00 to 13:00"), "{text}");
    }

    #[test]
    fn where_no_person_looks_nothing_is_cut_or_left_out() {
        let text = wide(None);
        assert!(text.starts_with("NAME "), "{text}");
        assert!(text.ends_with("longer than most  up     3 min ago  prod, eu  -\n"), "{text}");
    }

    #[test]
    fn a_column_that_is_kept_whole_is_not_cut() {
        let mut table = Table::of_width(&["ID", "NAME"], 44);
        table.row(["0199a3c4-7d2e-7000-8000-000000000001".into(), "a name that is rather long".into()]);
        table.cut_only(&[1]);
        let text = table.render();
        assert!(text.contains("0199a3c4-7d2e-7000-8000-000000000001  a"), "{text}");
    }
}
