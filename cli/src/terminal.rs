//! The person's side: how the program was called, and where it writes.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use jiff::tz::TimeZone;
use model::time::EventTime;
use ports::clock::{Clock, SystemClock};

use super::harmless::{harmless, harmless_json, harmless_lines};
use super::shell::quoted;
use super::table::Table;
use super::times::Times;

/// How this process was started and what its output can show.
#[derive(Debug, Clone)]
pub struct Terminal {
    program: String,
    styled: bool,
    interactive: bool,
    /// In characters; `None` where no person looks.
    width: Option<u16>,
    zone: TimeZone,
}

/// The width of a terminal that does not tell its own, in characters.
const USUAL_WIDTH: u16 = 80;

/// The meaning of a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    /// All is well.
    Green,
    /// Something is wrong.
    Red,
    /// Neither.
    Yellow,
}

impl Terminal {
    /// The terminal, or pipe, of this process.
    pub fn of_this_process() -> Self {
        let program = std::env::args_os().next().map(|path| path.to_string_lossy().into_owned());
        let interactive = io::stdout().is_terminal();
        Self {
            program: quoted(program.as_deref().unwrap_or("lubdub")),
            styled: interactive && has_colours(),
            interactive,
            width: interactive.then(width),
            zone: zone(),
        }
    }

    /// The path by which the program was started, as a shell takes it.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Whether a person looks at the output.
    pub const fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Text in a colour, where there are colours.
    pub(super) fn coloured(&self, colour: Colour, text: &str) -> String {
        if !self.styled {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Green => 32,
            Colour::Red => 31,
            Colour::Yellow => 33,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// An empty table for this terminal.
    pub(super) fn table(&self, header: &[&str]) -> Table {
        Table::new(header, self.styled, self.width)
    }

    /// How times are shown.
    pub(super) fn times(&self) -> Times {
        Times { now: now(), zone: self.zone.clone(), seen: self.interactive }
    }

    /// Writes text to standard output. Whatever it holds from elsewhere cannot steer the terminal.
    ///
    /// # Errors
    /// If the text cannot be written, unless the reader has gone.
    pub fn print(&self, text: &str) -> io::Result<()> {
        self.print_on(text).map(|_| ())
    }

    /// As [`Terminal::print`]: `false` when the reader has gone.
    pub(super) fn print_on(&self, text: &str) -> io::Result<bool> {
        write_out(&harmless_lines(text, self.styled))
    }

    /// Writes a line to standard output.
    ///
    /// # Errors
    /// See [`Terminal::print`].
    pub(super) fn line(&self, line: impl Display) -> io::Result<()> {
        self.print(&format!("{line}\n"))
    }

    /// Writes JSON to standard output, indented.
    ///
    /// # Errors
    /// See [`Terminal::print`].
    pub(super) fn json(&self, value: &serde_json::Value) -> io::Result<()> {
        self.json_lines(&format!("{value:#}\n")).map(|_| ())
    }

    /// Writes lines of JSON to standard output: `false` when the reader has gone.
    ///
    /// # Errors
    /// See [`Terminal::print`].
    pub(super) fn json_lines(&self, lines: &str) -> io::Result<bool> {
        write_out(&harmless_json(lines))
    }

    /// Writes bytes to standard output as they are.
    ///
    /// # Errors
    /// See [`Terminal::print`].
    pub(super) fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        write_bytes(bytes).map(|_| ())
    }

    /// Tells the person something that is not the answer.
    pub(super) fn warn(&self, text: impl Display) {
        tell(format_args!("warning: {text}"));
    }

    /// Tells the person how it went, where the answer itself goes elsewhere.
    pub(super) fn note(&self, text: impl Display) {
        tell(text);
    }

    /// Shows help on standard output, and bad usage on standard error: the exit code.
    pub(super) fn usage(&self, error: &clap::Error) -> ExitCode {
        let styled = if error.use_stderr() { is_error_seen() && has_colours() } else { self.styled };
        let text = error.render();
        let text = if styled { text.ansi().to_string() } else { text.to_string() };
        let text = text.replace(UNBROKEN, " ");
        // When writing fails, no output is left to report it on.
        let _ = if error.use_stderr() {
            io::stderr().write_all(text.as_bytes())
        } else {
            io::stdout().write_all(text.as_bytes())
        };
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    }

    /// Tells the person why it failed. Commands in it are written as `lubdub …`.
    pub fn error(&self, error: &anyhow::Error) {
        let text = format!("{error:#}").replace("`lubdub ", &format!("`{} ", self.program));
        tell(format_args!("error: {text}"));
    }
}

/// The width of the terminal on standard output; `COLUMNS` says it where the terminal does not.
fn width() -> u16 {
    let own = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col);
    let said = || std::env::var_os("COLUMNS")?.to_str()?.parse().ok();
    Some(own).filter(|width| *width > 0).or_else(said).filter(|width| *width > 0).unwrap_or(USUAL_WIDTH)
}

/// Whether the person wants colours, and the terminal has them.
fn has_colours() -> bool {
    // https://no-color.org: any text that is not empty.
    let colourless = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !colourless && !dumb
}

/// Writes to standard output what is harmless: `false` when the reader has gone.
fn write_out(text: &str) -> io::Result<bool> {
    write_bytes(text.as_bytes())
}

/// As [`write_out`], for bytes that are harmless or wanted as they are.
fn write_bytes(bytes: &[u8]) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        // `lubdub monitor list | head` is not a failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes a line to standard error.
pub(super) fn tell(text: impl Display) {
    // When writing fails, no output is left to report it on.
    let _ = writeln!(io::stderr(), "{}", harmless_lines(&text.to_string(), false));
}

/// Whether a person can read standard error.
pub(super) fn is_error_seen() -> bool {
    io::stderr().is_terminal()
}

/// Writes this over the line on standard error that the cursor is in; nothing clears the line.
pub(super) fn overwrite(text: &str) {
    let _ = write!(io::stderr(), "\r\u{1b}[K{}", harmless(text));
}

/// Writes a question to standard error, and leaves the cursor behind it.
///
/// # Errors
/// If it cannot be written.
pub(super) fn ask(question: &str) -> io::Result<()> {
    let mut err = io::stderr().lock();
    write!(err, "{} ", harmless_lines(question, false))?;
    err.flush()
}

/// Standard output for data, and whether a person reads it there: then lines must be made harmless.
pub(super) fn data_out() -> (io::Stdout, bool) {
    let out = io::stdout();
    let seen = out.is_terminal();
    (out, seen)
}

/// Lets the usage lines and examples of all help texts begin with the path by which the program was started.
pub(super) fn named_as_started(command: clap::Command, program: &str) -> clap::Command {
    examples_named(command.bin_name(program), program)
}

/// Stands for a blank in examples until they are shown: clap breaks long lines at blanks, and a command that
/// is broken cannot be copied.
const UNBROKEN: &str = "\u{a0}";

fn examples_named(mut command: clap::Command, program: &str) -> clap::Command {
    if let Some(help) = command.get_after_help() {
        let mut help = help.to_string();
        for before in [' ', '('] {
            help = help.replace(&format!("{before}lubdub "), &format!("{before}{program} "));
        }
        let line = |line: &str| match line.strip_prefix("  ") {
            Some(example) if example.contains(program) => format!("  {}", example.replace(' ', UNBROKEN)),
            Some(_) | None => line.to_owned(),
        };
        let help = help.lines().map(line).collect::<Vec<_>>().join("\n");
        command = command.after_help(help);
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, |sub| examples_named(sub, program));
    }
    command
}

/// The time by this machine's clock.
pub(super) fn now() -> EventTime {
    SystemClock::new().now()
}

/// The local time zone: `TZ`, or else what the system says; UTC if neither names one.
pub(super) fn zone() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So whatever a command shows was made harmless here.
    #[test]
    fn nothing_but_the_terminal_writes_to_the_standard_streams() {
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                seen += 1;
                let text = std::fs::read_to_string(&path).expect("a text");
                for way in ["stdout()", "stderr()", "println!(", "print!(", "dbg!("] {
                    let is_own = path.ends_with("src/terminal.rs");
                    assert!(is_own || !text.contains(way), "{}: {way}", path.display());
                }
            }
        }
        assert!(seen > 50, "{seen} files");
    }

    #[test]
    fn examples_begin_with_the_path_the_program_was_started_by() {
        let sub =
            clap::Command::new("list").after_help("Examples:\n  lubdub monitor list\n  x=$(lubdub key list)");
        let command = named_as_started(clap::Command::new("lubdub").subcommand(sub), "./bin/lubdub");
        let list = command.find_subcommand("list").expect("it is there");
        let help = list.get_after_help().expect("a text").to_string().replace(UNBROKEN, " ");
        assert_eq!(help, "Examples:\n  ./bin/lubdub monitor list\n  x=$(./bin/lubdub key list)");
    }
}
