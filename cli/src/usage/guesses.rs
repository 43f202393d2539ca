//! Words that people type first, from other programs, and the commands that do it here.

use clap::Command;

/// Words, and what they mean for any object: the first of these that the object has.
const VERBS: &[(&[&str], &[&str])] = &[
    (&["list", "ls", "all", "status"], &["list"]),
    (&["add", "new", "create", "make"], &["create"]),
    (&["rm", "remove", "del", "delete", "destroy", "revoke"], &["delete"]),
    (&["get", "info", "describe", "view", "inspect", "show", "cat"], &["show"]),
    (&["update", "set", "change", "modify", "rename", "edit"], &["edit"]),
    (&["stop", "disable", "off", "pause"], &["pause", "disable"]),
    (&["start", "unpause", "enable", "on", "resume"], &["resume", "enable"]),
    (&["url", "token"], &["push-url"]),
    (&["rotate", "regenerate"], &["rotate-token"]),
    (&["try", "check"], &["test"]),
    (&["retry", "resend"], &["redrive"]),
];

/// Words without an object, or with one that they do not fit, and what is meant.
const WORDS: &[(&[&str], &[&str])] = &[
    (&["status", "info"], &["health", "monitor list"]),
    (&["list", "ls", "monitors", "checks", "jobs"], &["monitor list"]),
    (&["add", "create", "new"], &["monitor create"]),
    (&["rm", "remove", "delete", "del"], &["monitor delete"]),
    (&["show", "get", "describe"], &["monitor show"]),
    (&["edit", "update", "set"], &["monitor edit"]),
    (&["pause", "disable"], &["monitor pause"]),
    (&["resume", "unpause", "enable"], &["monitor resume"]),
    (&["mute", "silence", "snooze", "ack", "downtime", "window", "windows"], &["maintenance create"]),
    (&["unmute", "unsilence"], &["maintenance delete"]),
    (&["ping", "beat", "heartbeat", "send", "report"], &["push"]),
    (&["alerts", "notifications", "history", "events"], &["deliveries list", "tail"]),
    (&["logs", "log", "watch", "follow"], &["tail"]),
    (&["notify", "test"], &["channel test"]),
    (&["retry", "resend", "redrive"], &["deliveries redrive"]),
    (&["check", "ready"], &["health"]),
    (&["login", "auth", "token", "apikey", "user", "users"], &["key create"]),
    (&["export", "dump"], &["replay export", "backup"]),
    (&["import", "load"], &["replay import", "restore"]),
    (&["start", "serve", "server", "run", "daemon"], &["up"]),
    (&["echo", "webhook"], &["webhook-echo"]),
];

/// The commands that a word most likely means, as a person types them. `command` does not know the word.
pub(super) fn hint(root: &Command, command: &Command, given: &str) -> Option<String> {
    let given = given.to_lowercase();
    let meant = |table: &[(&[&str], &'static [&'static str])]| {
        table.iter().find(|(words, _)| words.contains(&given.as_str())).map(|(_, meant)| *meant)
    };
    let is_root = command.get_name() == root.get_name();
    let of_object = meant(VERBS).unwrap_or_default().iter().filter(|_| !is_root);
    let found = of_object.copied().find(|verb| command.find_subcommand(verb).is_some());
    let commands = match found {
        Some(verb) => vec![format!("{} {verb}", bin_name(command))],
        None => {
            let known = meant(WORDS)?.iter().filter(|path| is_there(root, path));
            known.map(|path| format!("{} {path}", bin_name(root))).collect()
        }
    };
    let quoted: Vec<String> = commands.iter().map(|command| format!("`{command}`")).collect();
    (!quoted.is_empty()).then(|| quoted.join(" or "))
}

fn bin_name(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

fn is_there(root: &Command, path: &str) -> bool {
    path.split(' ').try_fold(root, |command, name| command.find_subcommand(name)).is_some()
}

#[cfg(test)]
mod tests {
    use clap::Subcommand as _;

    use super::*;
    use crate::ClientCommand;

    /// Commands that are not of the client.
    const ELSEWHERE: [&str; 4] = ["up", "backup", "restore", "webhook-echo"];

    #[test]
    fn every_command_that_is_meant_is_there() {
        let root = ClientCommand::augment_subcommands(Command::new("lubdub"));
        for path in WORDS.iter().flat_map(|(_, meant)| *meant) {
            assert!(is_there(&root, path) || ELSEWHERE.contains(path), "{path}");
        }
        let verbs = VERBS.iter().flat_map(|(_, meant)| *meant);
        for verb in verbs {
            assert!(root.get_subcommands().any(|object| object.find_subcommand(verb).is_some()), "{verb}");
        }
    }
}
