//! `lubdub completions`: what a shell completes.

use std::io;

use clap::{Args, ValueEnum};
use clap_complete::{generate, shells};
use cli::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub completions bash > /etc/bash_completion.d/lubdub
  lubdub completions zsh > /usr/local/share/zsh/site-functions/_lubdub
  lubdub completions fish > ~/.config/fish/completions/lubdub.fish";

/// Print a script that completes commands and flags in a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    /// Prints the script for this command line.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn run(&self, mut command: clap::Command, terminal: &Terminal) -> io::Result<()> {
        let mut script = Vec::new();
        match self.shell {
            Shell::Bash => generate(shells::Bash, &mut command, "lubdub", &mut script),
            Shell::Zsh => generate(shells::Zsh, &mut command, "lubdub", &mut script),
            Shell::Fish => generate(shells::Fish, &mut command, "lubdub", &mut script),
        }
        terminal.print(&String::from_utf8_lossy(&script))
    }
}
