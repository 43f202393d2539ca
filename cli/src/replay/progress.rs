//! How far it is: a bar on a terminal, else a line now and then.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ports::clock::{Clock, SystemClock};

use crate::harmless::harmless;
use crate::terminal;

/// The interval between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How far it is.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    clock: SystemClock,
    told_at: Duration,
    lines: u64,
    begun: Duration,
    resumed: u64,
}

impl Progress {
    /// A count of lines; `shown` says whether it may be printed at all.
    pub(super) fn counting(shown: bool) -> Self {
        Self::with(shown, None)
    }

    /// A part of `total` bytes.
    pub(super) fn of_bytes(total: Option<u64>) -> Self {
        Self::with(true, total)
    }

    fn with(shown: bool, total: Option<u64>) -> Self {
        let clock = SystemClock::new();
        let bar = (shown && terminal::is_error_seen()).then(|| match total {
            Some(total) => ProgressBar::new(total)
                .with_style(style("{wide_bar} {percent:>3} %  {msg}  {elapsed_precise}, {eta} left")),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg}  {elapsed_precise}")),
        });
        let begun = clock.elapsed();
        // Without a terminal, and with the data on standard output, nothing is printed.
        let told_at = if shown { begun } else { Duration::MAX };
        Self { bar, clock, told_at, lines: 0, begun, resumed: 0 }
    }

    /// How many lines were done before.
    pub(super) const fn resume(&mut self, lines: u64) {
        self.resumed = lines;
        self.lines = lines;
    }

    /// A line more.
    pub(super) fn line(&mut self) {
        self.lines += 1;
        if self.lines.is_multiple_of(1_000) {
            self.at(None, "");
        }
    }

    /// Tells how far it is.
    pub(super) fn at(&mut self, bytes: Option<u64>, of: &str) {
        let now = self.clock.elapsed();
        let told = || {
            let secs = now.saturating_sub(self.begun).as_secs_f64().max(0.001);
            let rate = (self.lines - self.resumed) as f64 / secs;
            format!("{} lines{of}, {rate:.0} a second", self.lines)
        };
        if let Some(bar) = &self.bar {
            bar.set_message(harmless(&told()));
            match bytes {
                Some(bytes) => bar.set_position(bytes),
                None => bar.tick(),
            }
        } else if now.saturating_sub(self.told_at) >= LINE_EVERY {
            terminal::tell(told());
            self.told_at = now;
        }
    }

    /// Lines that were done in all.
    pub(super) const fn lines(&self) -> u64 {
        self.lines
    }

    /// Counts further lines.
    pub(super) const fn add(&mut self, lines: u64) {
        self.lines += lines;
    }

    /// Runs `print` where the bar does not get in its way.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// The end.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
