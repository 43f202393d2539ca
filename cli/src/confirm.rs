//! Asking a person before something is done that cannot be taken back by itself.

use std::io::{self, BufRead, IsTerminal};

use super::lookup::Named;
use crate::bad_usage::BadUsage;
use crate::harmless::harmless;
use crate::terminal;

/// Names that a question says before it says how many more there are.
const SAID: usize = 4;

/// The consent to a bulk change or a deletion.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Consent {
    /// Do not ask first; needed where there is no terminal to ask on
    #[arg(long, short = 'y', display_order = 901)]
    yes: bool,
}

impl Consent {
    /// Refuses what needs a yes that can neither be given nor asked for. To be called before anything is
    /// done.
    ///
    /// # Errors
    /// There is no `--yes` and no terminal.
    pub(super) fn is_possible(self) -> Result<(), BadUsage> {
        if self.yes || somebody_is_there() {
            return Ok(());
        }
        Err(BadUsage("this needs --yes where there is no terminal to ask on; nothing was done"))
    }

    /// Asks, unless the yes is given: `verb` with these things, as in `Delete monitor web?`.
    ///
    /// # Errors
    /// The person says no, or cannot be asked.
    pub(super) fn get(self, verb: &str, noun: &str, things: &[Named]) -> anyhow::Result<()> {
        if self.yes || confirmed(&format!("{verb} {}?", several(noun, things)))? {
            return Ok(());
        }
        anyhow::bail!("nothing was done")
    }
}

/// `monitor web`, or `12 monitors: a, b, c and 9 more`.
pub(super) fn several(noun: &str, things: &[Named]) -> String {
    if let [only] = things {
        return format!("{noun} {}", harmless(&only.name));
    }
    let said = if things.len() > SAID { SAID - 1 } else { things.len() };
    let names: Vec<String> = things.iter().take(said).map(|thing| harmless(&thing.name)).collect();
    let rest = match things.len() - said {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{} {noun}s: {}{rest}", things.len(), names.join(", "))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_some_and_counts_the_rest() {
        let things = |count: usize| -> Vec<Named> {
            let name = |n: usize| Named { id: n.to_string(), name: format!("job{n}") };
            (1..=count).map(name).collect()
        };
        for (count, expected) in [
            (1, "monitor job1"),
            (4, "4 monitors: job1, job2, job3, job4"),
            (12, "12 monitors: job1, job2, job3 and 9 more"),
        ] {
            assert_eq!(several("monitor", &things(count)), expected);
        }
    }
}
