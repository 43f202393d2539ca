//! Pure. A body that does not begin like JSON or multipart: a form, lines of names and values, or output.

use super::super::found::Found;
use super::form::{Form, FormScanner};
use super::lines::Lines;

/// Reads one body.
#[derive(Debug)]
pub(super) struct PlainScanner {
    form: FormScanner,
    lines: Lines,
}

/// What it may be.
#[derive(Debug)]
pub(super) enum Plain {
    /// A form, or output, of which only `declared` tells.
    Form { found: Found, begins_like_one: bool },
    /// A JSON object or list that was encoded as a form is: its text, up to a length.
    Json(String),
    /// Lines that say that the job failed.
    Lines(Found),
}

impl PlainScanner {
    pub(super) fn new() -> Self {
        Self { form: FormScanner::new(), lines: Lines::new() }
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        self.form.feed(piece);
        self.lines.feed(piece);
    }

    pub(super) fn finish(self) -> Plain {
        let Form { found, begins_like_one, json } = self.form.finish();
        match json {
            Some(json) if !found.any => Plain::Json(json),
            Some(_) | None if !found.tells() && self.lines.say_failure() => Plain::Lines(found),
            Some(_) | None => Plain::Form { found, begins_like_one },
        }
    }
}
