//! How servers log: how much, and in which form.

use std::io::{IsTerminal, stderr};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Parts of the program: its own, and libraries that have something to say.
const PARTS: [&str; 27] = [
    "api",
    "async_nats",
    "backend_nats",
    "backend_redis",
    "backend_sqlite",
    "cli",
    "console_api",
    "h2",
    "hyper",
    "hyper_util",
    "ingest",
    "lettre",
    "lubdub",
    "machine",
    "management",
    "model",
    "notifier",
    "ports",
    "redis",
    "reqwest",
    "rustls",
    "scheduler",
    "secrets",
    "sending",
    "serving",
    "tokio_util",
    "tower",
];

/// The log of a server, on standard error.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Logging {
    /// How much to log: off, error, warn, info, debug or trace, and other levels for parts of the program, as
    /// in info,scheduler=debug
    #[arg(long, env = "LUBDUB_LOG", value_name = "LEVELS", default_value = "info")]
    log: LogLevels,

    /// Form of the log
    #[arg(long, env = "LUBDUB_LOG_FORMAT", value_name = "FORM", default_value = "text")]
    log_format: LogFormat,
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text, coloured on a terminal
    Text,
    /// An object of JSON in a line
    Json,
}

/// Levels for the program and its parts.
#[derive(Debug, Clone)]
pub(crate) struct LogLevels(Vec<Directive>);

/// Why a text says nothing of levels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LogLevelsError {
    /// Another word.
    #[error(
        "{0:?} is no level: write off, error, warn, info, debug or trace, or PART=LEVEL, as in info,scheduler=debug"
    )]
    Level(String),
    /// A part that the program does not have.
    #[error("the program has no part {0:?}; there are {parts}", parts = PARTS.join(", "))]
    Part(String),
}

impl FromStr for LogLevels {
    type Err = LogLevelsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // An empty variable counts as not set.
        let text = if text.trim().is_empty() { "info" } else { text };
        let mut directives = Vec::new();
        for one in text.split(',').map(str::trim) {
            let level = match one.split_once('=') {
                None => one,
                Some((part, level)) => {
                    let first = part.split("::").next().unwrap_or_default();
                    if !PARTS.contains(&first) {
                        return Err(LogLevelsError::Part(first.to_owned()));
                    }
                    level
                }
            };
            let wrong = || LogLevelsError::Level(one.to_owned());
            if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
                return Err(wrong());
            }
            directives.push(one.parse().map_err(|_| wrong())?);
        }
        Ok(Self(directives))
    }
}

impl LogLevels {
    fn filter(&self) -> EnvFilter {
        // What is not named is logged at info. The client of NATS tells of each connection and of each try to
        // make one; the roles tell of both, and of what repeats once a minute.
        let calm = ["info", "async_nats=off"].into_iter().filter_map(|directive| directive.parse().ok());
        let filter = EnvFilter::default();
        calm.chain(self.0.iter().cloned()).fold(filter, EnvFilter::add_directive)
    }
}

impl Logging {
    /// Lets the program log from now on.
    pub(crate) fn start(&self) {
        let subscriber = tracing_subscriber::fmt().with_env_filter(self.log.filter()).with_writer(stderr);
        match self.log_format {
            LogFormat::Text => subscriber.with_ansi(stderr().is_terminal()).init(),
            LogFormat::Json => subscriber.json().flatten_event(true).init(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_and_nonsense_is_refused_with_what_is_allowed() {
        for good in ["info", "DEBUG", "off", "info,scheduler=debug", "warn, notifier::desk=trace", "", " "] {
            assert!(good.parse::<LogLevels>().is_ok(), "{good}");
        }
        for bad in
            ["loud", "info,", "info,loud", "scheduler=loud", "scheduler=", "=info", "schedulr=debug", "5"]
        {
            let told = bad.parse::<LogLevels>().expect_err(bad).to_string();
            assert!(told.contains("scheduler"), "what is allowed is named: {told}");
        }
    }

    #[test]
    fn every_part_of_the_program_can_be_named() {
        let manifest = include_str!("../Cargo.toml");
        let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).expect("members");
        for member in members.trim_end_matches(']').split(", ") {
            let path = member.trim_matches('"');
            if path.starts_with("testing/") {
                continue;
            }
            let text = std::fs::read_to_string(format!("{}/{path}/Cargo.toml", env!("CARGO_MANIFEST_DIR")));
            let text = text.expect("it is there");
            let name = text.lines().find_map(|line| line.strip_prefix("name = \"")).expect("a name");
            let part = name.trim_end_matches('"').replace('-', "_");
            assert!(PARTS.contains(&part.as_str()), "{part}");
        }
    }
}
