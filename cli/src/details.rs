//! Shows one object, with a line for each of its fields.

use crate::harmless::{harmless, harmless_output};

/// Names and values, in the order in which they are shown.
#[derive(Debug, Default)]
pub(super) struct Details {
    lines: Vec<(&'static str, String)>,
}

impl Details {
    /// Adds a field.
    pub(super) fn add(&mut self, name: &'static str, value: &str) {
        self.lines.push((name, harmless(value)));
    }

    /// Adds a field whose text may have several lines: those after the first stand below it.
    pub(super) fn add_lines(&mut self, name: &'static str, text: &str) {
        let text = harmless_output(text.as_bytes());
        let lines = text.trim_matches('\n').lines().map(str::trim_end);
        for (number, line) in lines.enumerate() {
            self.add(if number == 0 { name } else { "" }, line);
        }
    }

    /// Adds a field that may be missing or empty, and then is not shown.
    pub(super) fn add_some(&mut self, name: &'static str, value: Option<&String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.add(name, value);
        }
    }

    /// The lines, their values below each other.
    pub(super) fn render(&self) -> String {
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        self.lines.iter().map(|(name, value)| line(name, width, value)).collect()
    }
}

fn line(name: &str, width: usize, value: &str) -> String {
    format!("{}\n", format!("{name:width$}  {value}").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_text_stand_below_each_other_and_cannot_steer_the_terminal() {
        let mut details = Details::default();
        details.add("name", "web");
        details.add_lines(
            "about",
            "\r\nRestart it:\r\n  systemctl restart web\r\n\r\nname  \u{1b}[31mfake\u{202e}\u{8}\n",
        );
        details.add_lines("notes", "");
        details.add_lines("tags", "one");
        let shown = "name   web\nabout  Restart it:\n         systemctl restart web\n\n       name  fake\ntags   one\n";
        assert_eq!(details.render(), shown);
    }
}
