//! Lines that an import does not take, and why.

use anyhow::bail;

use crate::harmless::harmless;
use crate::terminal::Terminal;

/// The most that are named.
const NAMED: usize = 100;

/// Lines that are not taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// How many there are.
    pub(super) count: u64,
    /// The numbers of the first of them, and why.
    pub(super) first: Vec<(u64, String)>,
}

impl Refused {
    pub(super) fn add(&mut self, number: u64, why: String) {
        self.count += 1;
        if self.first.len() < NAMED {
            // Lines that are read ahead are refused sooner.
            let place = self.first.partition_point(|(before, _)| *before <= number);
            self.first.insert(place, (number, why));
        }
    }

    /// Names them.
    pub(super) fn tell(&self, terminal: &Terminal) {
        for (number, why) in &self.first {
            terminal.warn(format_args!("line {number} {}", harmless(why)));
        }
        if self.count > self.first.len() as u64 {
            terminal.warn(format_args!("… and {} lines more", self.count - self.first.len() as u64));
        }
    }

    /// Whether an import may go on without them.
    ///
    /// # Errors
    /// There are some, and they must not be left out.
    pub(super) fn allow(&self, terminal: &Terminal, lenient: bool) -> anyhow::Result<()> {
        let lines = if self.count == 1 { "1 line".to_owned() } else { format!("{} lines", self.count) };
        match (self.count, lenient) {
            (0, _) => {}
            (_, true) => terminal.warn(format_args!("{lines} are left out: see above")),
            (_, false) => bail!(
                "{lines} cannot be taken, see above; nothing was sent. Mend them, or leave them out with --lenient"
            ),
        }
        Ok(())
    }
}
