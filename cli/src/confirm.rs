//! Asking a person before something is done that cannot be taken back by itself.

use std::io::{self, BufRead, IsTerminal};

use crate::terminal;

/// Whether there is a terminal to ask on.
pub(super) fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && terminal::is_error_seen()
}

/// Asks; anything but a yes is a no.
pub(super) fn confirmed(question: &str) -> io::Result<bool> {
    terminal::ask(&format!("{question} [y/N]"))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
