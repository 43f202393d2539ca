//! Help and bad usage: clap's texts, as far as they fit this program.

mod guesses;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, Error, FromArgMatches};

use crate::harmless::harmless;
use crate::terminal::{Terminal, named_as_started};

/// The heading of commands that are kinds of channels.
pub(crate) const KINDS: &str = "Kinds";

/// Reads the arguments of this process; otherwise shows help, or what is wrong with them, and answers the
/// exit code.
pub fn parsed<T: CommandFactory + FromArgMatches>(terminal: &Terminal) -> Result<T, ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let matches = read(named_as_started(T::command(), terminal.program()), &arguments);
    matches.and_then(|matches| T::from_arg_matches(&matches)).map_err(|error| terminal.usage(&error))
}

fn read(command: Command, arguments: &[OsString]) -> Result<ArgMatches, Error> {
    let untouched = command.clone();
    let matches = command
        .try_get_matches_from(arguments)
        .map_err(|error| in_own_words(untouched, error, arguments.get(1..).unwrap_or_default()))?;
    if names_a_server_for_a_channel(&matches) {
        return Err(Error::raw(ErrorKind::MissingSubcommand, KIND_BEFORE_URL));
    }
    Ok(matches)
}

/// Why `channel edit NAME --url URL` is refused.
const KIND_BEFORE_URL: &str = "\
--url before the channel's kind names the server, and the API key would be sent there. The channel's URL comes after \
its kind, as in `channel edit ops webhook --url URL`; without a kind, LUBDUB_URL names the server
";

/// Whether a channel is edited without a kind and with `--url`, which is most likely meant for the channel:
/// the server that it names would get the key.
fn names_a_server_for_a_channel(matches: &ArgMatches) -> bool {
    let channel = matches.subcommand_matches("channel");
    let edit = channel.and_then(|channel| channel.subcommand_matches("edit"));
    edit.is_some_and(|edit| {
        edit.subcommand_name().is_none() && edit.value_source("url") == Some(ValueSource::CommandLine)
    })
}

fn in_own_words(mut root: Command, mut error: Error, arguments: &[OsString]) -> Error {
    // Help and the version are no errors.
    if error.exit_code() == 0 {
        return error;
    }
    root.build();
    let path = path(&root, arguments);
    let command = path.iter().try_fold(&root, |command, name| command.find_subcommand(name));
    if let Some(command) = command
        && command.get_subcommand_help_heading() == Some(KINDS)
        && let Some(kind) = unknown(&error).filter(|given| !given.starts_with('-'))
    {
        let kinds: Vec<&str> =
            command.get_subcommands().map(Command::get_name).filter(|name| *name != "help").collect();
        let text = format!(
            "there is no kind of channel named '{}'; the kinds are {}\n",
            harmless(&kind),
            kinds.join(", ")
        );
        return Error::raw(ErrorKind::InvalidSubcommand, text).with_cmd(command);
    }
    if let Some(command) = command
        && error.kind() == ErrorKind::InvalidSubcommand
        && let Some(given) = unknown(&error)
        && let Some(hint) = guesses::hint(&root, command, &given)
    {
        let text = format!("there is no command '{}'; did you mean {hint}?\n", harmless(&given));
        return Error::raw(ErrorKind::InvalidSubcommand, text).with_cmd(command);
    }
    // Clap's shows every argument that was found, those from the environment too, as if all were needed.
    if error.get(ContextKind::Usage).is_some() {
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage(&mut root, &path)));
    }
    error
}

/// The names of the commands that the arguments lead to.
fn path(root: &Command, arguments: &[OsString]) -> Vec<String> {
    let mut command = root;
    let mut path = Vec::new();
    for argument in arguments {
        let Some(found) = argument.to_str().and_then(|name| command.find_subcommand(name)) else { continue };
        path.push(found.get_name().to_owned());
        command = found;
    }
    path
}

/// The command, or what looks like one, that clap does not know.
fn unknown(error: &Error) -> Option<String> {
    if !matches!(error.kind(), ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument) {
        return None;
    }
    [ContextKind::InvalidSubcommand, ContextKind::InvalidArg].into_iter().find_map(|kind| {
        match error.get(kind) {
            Some(ContextValue::String(given)) => Some(given.clone()),
            Some(_) | None => None,
        }
    })
}

fn usage(command: &mut Command, path: &[String]) -> StyledStr {
    let Some((name, rest)) = path.split_first() else { return command.render_usage() };
    command.find_subcommand_mut(name).map(|found| usage(found, rest)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Subcommand as _;

    use super::*;
    use crate::ClientCommand;

    fn refused(arguments: &[&str]) -> String {
        let command = ClientCommand::augment_subcommands(Command::new("lubdub").bin_name("lubdub"));
        let arguments: Vec<OsString> = ["lubdub"].iter().chain(arguments).map(OsString::from).collect();
        read(command, &arguments).expect_err("refused").render().to_string()
    }

    #[test]
    fn an_unknown_kind_of_channel_is_answered_with_the_kinds() {
        for action in ["create", "edit"] {
            let told = refused(&["channel", action, "ops", "twilio", "--sid", "1"]);
            let begin = "error: there is no kind of channel named 'twilio'; the kinds are ";
            assert!(told.starts_with(begin), "{told}");
            for kind in ["webhook", "email", "slack", "ntfy"] {
                assert!(told.contains(kind), "{told}");
            }
        }
        let flag = refused(&["channel", "create", "ops", "slack", "--color", "red"]);
        assert!(flag.contains("unexpected argument '--color'"), "{flag}");
    }

    #[test]
    fn a_first_guess_is_answered_with_the_command_that_does_it() {
        for (given, expected) in [
            (&["list"][..], "`lubdub monitor list`"),
            (&["ls", "--json"], "`lubdub monitor list`"),
            (&["mute", "web"], "`lubdub maintenance create`"),
            (&["STATUS"], "`lubdub health` or `lubdub monitor list`"),
            (&["monitor", "describe", "x"], "`lubdub monitor show`"),
            (&["keys", "add", "x"], "`lubdub key create`"),
            (&["channel", "remove", "x"], "`lubdub channel delete`"),
            (&["monitor", "mute", "x"], "`lubdub maintenance create`"),
        ] {
            let told = refused(given);
            let word = given.iter().find(|word| refused_word(word)).expect("a word");
            let begin = format!("error: there is no command '{word}'; did you mean {expected}?\n");
            assert!(told.starts_with(&begin), "{given:?}: {told}");
        }
        for other in [&["frobnicate"][..], &["monitor", "frobnicate"]] {
            assert!(refused(other).contains("unrecognized subcommand 'frobnicate'"), "{other:?}");
        }
    }

    fn refused_word(word: &str) -> bool {
        !matches!(word, "monitor" | "keys" | "channel")
    }

    #[test]
    fn a_usage_line_shows_what_the_command_needs_and_no_more() {
        let all = ["--url", "http://x.example", "--api-key", "k", "--data-dir", "d", "--grace", "5s"];
        let told = refused(&[&["monitor", "create", "x"], &all[..]].concat());
        let usage = told.lines().find(|line| line.starts_with("Usage: ")).expect("a usage line");
        assert_eq!(
            usage,
            "Usage: lubdub monitor create [OPTIONS] <--timeout <DURATION>|--cron <PATTERN>> <NAME>"
        );
    }

    #[test]
    fn what_is_too_long_is_told_by_flag_value_and_bounds() {
        let told = refused(&["monitor", "create", "x", "--timeout", "400d"]);
        assert!(told.starts_with("error: --timeout 400d is too long: 1 s to 365 d\n"), "{told}");
    }
}
