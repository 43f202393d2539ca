//! What the command line asks for.

use std::process::ExitCode;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// What the figures are taken from.
    Full,
    /// A few seconds a section: whether everything works.
    Small,
}

impl Size {
    /// A number that is smaller when only trying.
    pub(crate) const fn pick<T: Copy>(self, full: T, small: T) -> T {
        match self {
            Self::Full => full,
            Self::Small => small,
        }
    }
}

/// The sections to measure.
#[derive(Debug, Clone)]
pub(crate) struct Sections {
    pub(crate) size: Size,
    /// None = all.
    chosen: Vec<String>,
}

impl Sections {
    /// Reads `[SECTION …] [--small]`.
    pub(crate) fn read(arguments: Vec<String>, known: &[&str]) -> anyhow::Result<Self> {
        let small = arguments.iter().any(|argument| argument == "--small");
        // Cargo adds `--bench`.
        let chosen: Vec<String> =
            arguments.into_iter().filter(|argument| !argument.starts_with("--")).collect();
        if let Some(unknown) = chosen.iter().find(|section| !known.contains(&section.as_str())) {
            anyhow::bail!("no section is called {unknown}; there are {}", known.join(", "));
        }
        Ok(Self { size: if small { Size::Small } else { Size::Full }, chosen })
    }

    pub(crate) fn wants(&self, section: &str) -> bool {
        self.chosen.is_empty() || self.chosen.iter().any(|chosen| chosen == section)
    }
}

pub(crate) fn finish(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
