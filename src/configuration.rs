//! `docs/configuration.md` is made of the command line itself, so it lacks no flag and invents none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory};

use crate::Arguments;

/// Number of groups of commands (`monitor`, `channel`, …) from which on an argument that they share is shown
/// once.
const SHARED: usize = 7;

/// Read by programs of this repository, but by no flag.
const WITHOUT_A_FLAG: [(&str, &str); 2] = [
    ("NO_COLOR", "Client commands write no colours if it is set to any text that is not empty."),
    ("TERM", "Client commands write no colours if it is `dumb`."),
];

/// Read by the compose files and the configuration of servers and the proxy in `deploy/`, not by the program.
const OF_THE_DEPLOYMENT: [(&str, &str, &str); 14] = [
    (
        "LUBDUB_BACK",
        "10.231.77",
        "First three numbers of the addresses of NATS and Redis in docker-compose.ha.yml.",
    ),
    ("LUBDUB_CONSOLE", "console", "Name by which the proxy finds the consoles."),
    ("LUBDUB_CONSOLE_PORT", "8080", "Port of the consoles, for the proxy."),
    (
        "LUBDUB_DOMAIN",
        "",
        "Name of this machine; with it the proxy speaks HTTPS, with a certificate of its own.",
    ),
    ("LUBDUB_HTTPS_PORT", "443", "Port for HTTPS on this machine."),
    ("LUBDUB_HTTP_PORT", "80", "Port for HTTP on this machine."),
    ("LUBDUB_IMAGE", "lubdub:latest", "Image of the roles and of the client."),
    ("LUBDUB_INGEST", "ingest", "Name by which the proxy finds the ingest nodes."),
    ("LUBDUB_INGEST_PORT", "8080", "Port of the ingest nodes, for the proxy."),
    ("LUBDUB_MAIL_PORT", "8025", "Port of the mail catcher's page, in the profile `dev`."),
    ("LUBDUB_NATS_NAME", "", "Name of a NATS server; the compose files set it."),
    ("LUBDUB_NATS_STORE", "20GB", "Most that NATS keeps on disk."),
    ("LUBDUB_PROXY_PORT", "8079", "Port inside the proxy on which it repeats pushes."),
    (
        "LUBDUB_RESOLVERS",
        "",
        "Name servers that the proxy asks for the nodes; without it, those of the system.",
    ),
];

/// Read by roles, and nothing to set in `.env`: the compose files or the image set them, or they name a file
/// that is not in the container, or tell nodes apart.
const NOT_OF_ENV: [&str; 17] = [
    "LUBDUB_API_KEY_FILE",
    "LUBDUB_DATA_DIR",
    "LUBDUB_LISTEN",
    "LUBDUB_METRICS_LISTEN",
    "LUBDUB_NATS",
    "LUBDUB_NATS_CA",
    "LUBDUB_NATS_CREDENTIALS",
    "LUBDUB_NATS_NKEY",
    "LUBDUB_NODE",
    "LUBDUB_PREFIX",
    "LUBDUB_REDIS",
    "LUBDUB_REDIS_CA",
    "LUBDUB_REDIS_PASSWORD_FILE",
    "LUBDUB_REDIS_USER",
    "LUBDUB_REPLICAS",
    "LUBDUB_SMTP_CA",
    "LUBDUB_TRUSTED_PROXIES",
];

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    flag: String,
    variable: String,
    default: String,
    help: String,
}

/// A command that runs, by its full name.
struct Leaf {
    name: String,
    about: String,
    rows: Vec<Row>,
}

impl Leaf {
    /// The first word behind `lubdub`.
    fn group(&self) -> &str {
        self.name.split(' ').nth(1).unwrap_or_default()
    }

    /// Whether the command asks a server, by flags that all such commands share.
    fn is_of_a_client(&self, shared: &[Row]) -> bool {
        self.group() != self.name.trim_start_matches("lubdub ")
            || shared.iter().any(|row| self.rows.contains(row))
    }
}

fn rendered() -> String {
    let mut root = Arguments::command().bin_name("lubdub");
    root.build();
    let mut leaves = Vec::new();
    collect("lubdub", &root, &mut leaves);
    let shared = shared_rows(&leaves);
    let mut page = String::from(
        "# Configuration\n\n\
         Every command, flag and variable of `lubdub`. This page is made of the command line itself, by a test;\nwith \
         `LUBDUB_WRITE_GOLDEN=1` the test writes it. A flag wins over its variable. Every command \
         also takes `--help`.\n\n",
    );
    page.push_str("## Variables\n\n| variable | flag | commands |\n|---|---|---|\n");
    for (variable, (flags, commands)) in variables(&leaves, &shared) {
        let flags: Vec<String> = flags.into_iter().collect();
        let commands: Vec<String> = commands.into_iter().collect();
        let _ = writeln!(page, "| `{variable}` | {} | {} |", flags.join(", "), commands.join(", "));
    }
    page.push_str("\n## Variables without a flag\n\n| variable | what it is |\n|---|---|\n");
    for (variable, what) in WITHOUT_A_FLAG {
        let _ = writeln!(page, "| `{variable}` | {what} |");
    }
    page.push_str(
        "\n## Variables of the compose files and the proxy\n\n\
         The program does not read these. They go into `.env` ([.env.example](../.env.example)), or into the \
         environment of\nthe server that is meant.\n\n| variable | default | what it is |\n|---|---|---|\n",
    );
    for (variable, default, what) in OF_THE_DEPLOYMENT {
        let _ = writeln!(page, "| `{variable}` | {} | {what} |", code(default));
    }
    page.push_str("\n## Client commands\n\nCommands that ask the management API take these as well.\n\n");
    table(&mut page, &shared);
    for leaf in leaves {
        let _ = writeln!(page, "\n## {}\n\n{}.\n", leaf.name, leaf.about);
        let (known, own): (Vec<Row>, Vec<Row>) = leaf.rows.into_iter().partition(|row| shared.contains(row));
        table(&mut page, &own);
        if !known.is_empty() {
            let flags: Vec<String> = known.into_iter().map(|row| row.flag).collect();
            let gap = if own.is_empty() { "" } else { "\n" };
            let _ =
                writeln!(page, "{gap}And, as [client commands](#client-commands) do: {}.", flags.join(", "));
        }
    }
    page
}

fn collect(name: &str, command: &Command, leaves: &mut Vec<Leaf>) {
    let subcommands = command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help");
    let mut is_leaf = true;
    for subcommand in subcommands {
        is_leaf = false;
        collect(&format!("{name} {}", subcommand.get_name()), subcommand, leaves);
    }
    if is_leaf {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let arguments = command
            .get_arguments()
            .filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()));
        leaves.push(Leaf { name: name.to_owned(), about: plain(&about), rows: arguments.map(row).collect() });
    }
}

fn row(argument: &Arg) -> Row {
    let takes_values = argument.get_action().takes_values();
    let names = argument.get_value_names().unwrap_or_default();
    let values: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut flag = match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, None) => String::new(),
    };
    if takes_values {
        if !flag.is_empty() {
            flag.push(' ');
        }
        flag.push_str(&values.join(" "));
    }
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let (mut help, described) = without_default(&plain(&help));
    let possible: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| takes_values && !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !possible.is_empty() {
        let _ = write!(help, " ({})", possible.join(", "));
    }
    if argument.is_required_set() {
        help.push_str(" (needed)");
    }
    let defaults: Vec<String> = argument
        .get_default_values()
        .iter()
        .filter(|_| takes_values)
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    Row {
        flag: format!("`{flag}`"),
        variable: argument.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default(),
        default: described.unwrap_or_else(|| code(&defaults.join(","))),
        help,
    }
}

/// A help text in one line, as Markdown shows it.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|").replace('<', "&lt;")
}

/// Cuts a default that a help text describes out of it.
fn without_default(help: &str) -> (String, Option<String>) {
    match help.split_once(" [default: ") {
        Some((before, rest)) => {
            let (default, after) = rest.split_once(']').unwrap_or((rest, ""));
            (format!("{before}{after}"), Some(default.to_owned()))
        }
        None => (help.to_owned(), None),
    }
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

fn shared_rows(leaves: &[Leaf]) -> Vec<Row> {
    let mut groups: BTreeMap<&Row, BTreeSet<&str>> = BTreeMap::new();
    for leaf in leaves {
        for row in &leaf.rows {
            groups.entry(row).or_default().insert(leaf.group());
        }
    }
    groups.into_iter().filter(|(_, groups)| groups.len() >= SHARED).map(|(row, _)| row.clone()).collect()
}

fn table(page: &mut String, rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    page.push_str("| flag | variable | default | what it is |\n|---|---|---|---|\n");
    for Row { flag, variable, default, help } in rows {
        let _ = writeln!(page, "| {flag} | {variable} | {default} | {help} |");
    }
}

/// Each variable with the flags and commands that read it. Client commands count as one.
fn variables(leaves: &[Leaf], shared: &[Row]) -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let mut found: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for leaf in leaves {
        for row in leaf.rows.iter().filter(|row| !row.variable.is_empty()) {
            let (flags, commands) = found.entry(row.variable.replace('`', "")).or_default();
            flags.insert(format!("`{}`", row.flag.trim_matches('`').split(' ').next().unwrap_or_default()));
            let is_of_a_client = leaf.is_of_a_client(shared);
            commands.insert(if is_of_a_client {
                "client commands".to_owned()
            } else {
                format!("`{}`", leaf.group())
            });
        }
    }
    found
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_page_has_every_flag_and_variable() {
    let page = rendered();
    let file = repository().join("docs/configuration.md");
    if std::env::var_os("LUBDUB_WRITE_GOLDEN").is_some() {
        fs::write(&file, &page).expect("written");
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    for (number, (found, expected)) in (1..).zip(committed.lines().zip(page.lines())) {
        assert_eq!(
            found,
            expected,
            "{}, line {number}: LUBDUB_WRITE_GOLDEN=1 writes it anew",
            file.display()
        );
    }
    assert_eq!(committed, page, "{}: LUBDUB_WRITE_GOLDEN=1 writes it anew", file.display());
}

#[test]
fn variables_that_documents_name_exist() {
    let page = rendered();
    let known: BTreeSet<&str> = named(&page).collect();
    let mut files = vec![
        repository().join("README.md"),
        repository().join(".env.example"),
        repository().join("LOGGING.md"),
    ];
    for entry in fs::read_dir(repository()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("docker-compose")) {
            files.push(path);
        }
    }
    files_below(&repository().join("docs"), &mut files);
    files_below(&repository().join("deploy"), &mut files);
    let mut looked_at = 0;
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for variable in named(&text) {
            looked_at += 1;
            assert!(known.contains(variable), "{} names {variable}, which nothing reads", file.display());
        }
    }
    assert!(looked_at > 100, "only {looked_at} names were found");
}

#[test]
fn the_example_of_env_has_every_setting_of_a_role_and_the_compose_files_take_each() {
    let mut root = Arguments::command().bin_name("lubdub");
    root.build();
    let mut leaves = Vec::new();
    collect("lubdub", &root, &mut leaves);
    let roles = ["up", "ingest", "scheduler", "notifier", "console", "init"];
    let of_roles: BTreeSet<String> = leaves
        .iter()
        .filter(|leaf| roles.contains(&leaf.group()))
        .flat_map(|leaf| leaf.rows.iter().map(|row| row.variable.replace('`', "")))
        .filter(|variable| !variable.is_empty())
        .collect();
    let read = |name: &str| fs::read_to_string(repository().join(name)).expect("it is there");
    let (example, compose) =
        (read(".env.example"), read("docker-compose.yml") + &read("docker-compose.ha.yml"));
    let offered = example.lines().filter_map(|line| Some(line.strip_prefix('#')?.split_once('=')?.0));
    let offered: BTreeSet<&str> = offered.filter(|name| name.starts_with("LUBDUB_")).collect();
    for variable in &of_roles {
        let is_offered = offered.contains(variable.as_str());
        let is_not_of_env = NOT_OF_ENV.contains(&variable.as_str());
        assert!(is_offered != is_not_of_env, "{variable}: in .env.example, or in NOT_OF_ENV with the reason");
    }
    for variable in &offered {
        let is_taken =
            compose.contains(&format!("{variable}:\n")) || compose.contains(&format!("${{{variable}:"));
        assert!(is_taken, ".env.example has {variable}, which no compose file takes");
    }
    let passed = compose.lines().filter_map(|line| line.trim().strip_suffix(':'));
    for variable in passed.filter(|variable| variable.starts_with("LUBDUB_")) {
        assert!(offered.contains(variable), "the compose files take {variable}, which .env.example lacks");
    }
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files_below(&path, files) } else { files.push(path) }
    }
}

/// The variables that a text names.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_'))
        .filter(|word| word.strip_prefix("LUBDUB_").is_some_and(|rest| !rest.is_empty()))
}
