//! The sections that the command line asks for.

use std::process::ExitCode;

use crate::{cluster, embedded};

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// The full run, from which the figures are taken.
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

/// An installation to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// `lubdub up`.
    Embedded,
    /// The roles apart.
    Cluster,
}

impl Target {
    const ALL: [Self; 2] = [Self::Embedded, Self::Cluster];

    const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Cluster => "cluster",
        }
    }

    const fn sections(self) -> &'static [&'static str] {
        match self {
            Self::Embedded => &embedded::SECTIONS,
            Self::Cluster => &cluster::SECTIONS,
        }
    }
}

/// The sections to measure.
#[derive(Debug, Clone)]
pub(crate) struct Sections {
    pub(crate) size: Size,
    /// Whether the figures are compared with their aims.
    pub(crate) check: bool,
    /// `None`: both.
    target: Option<Target>,
    /// Empty: all.
    chosen: Vec<String>,
}

impl Sections {
    /// Reads `[embedded|cluster] [SECTION …] [--small] [--check]`.
    pub(crate) fn read(arguments: Vec<String>) -> anyhow::Result<Self> {
        let says = |option: &str| arguments.iter().any(|argument| argument == option);
        let (size, check) = (if says("--small") { Size::Small } else { Size::Full }, says("--check"));
        anyhow::ensure!(!(check && size == Size::Small), "--small measures too little for --check");
        // Cargo adds `--bench`.
        let mut chosen: Vec<String> =
            arguments.into_iter().filter(|argument| !argument.starts_with("--")).collect();
        let named = |target: &Target| chosen.first().is_some_and(|first| first == target.name());
        let target = Target::ALL.into_iter().find(named);
        if target.is_some() {
            chosen.remove(0);
        }
        let Some(of) = target else {
            anyhow::ensure!(chosen.is_empty(), "say first what is measured: embedded or cluster");
            return Ok(Self { size, check, target, chosen });
        };
        let known = of.sections();
        if let Some(unknown) = chosen.iter().find(|section| !known.contains(&section.as_str())) {
            anyhow::bail!("no section is called {unknown}; there are {}", known.join(", "));
        }
        Ok(Self { size, check, target, chosen })
    }

    pub(crate) fn measures(&self, target: Target) -> bool {
        self.target.is_none_or(|chosen| chosen == target)
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
