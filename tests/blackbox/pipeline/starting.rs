//! How the program starts, and how it says that it cannot.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::mount::Mount;
use super::server::Server;
use crate::api::KEY;
use crate::harness::{Finished, Process, directory, eventually, free_port, lubdub, python_with};

fn up(home: &Path, data: &Path) -> Command {
    let mut command = lubdub(home);
    command.args(["up", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
    command
}

/// Runs a start that must fail.
#[track_caller]
fn refused(command: &mut Command) -> Finished {
    let finished = Process::start(command).finish();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert_eq!(finished.stdout, "", "nothing was promised");
    finished
}

/// Checks that a start fails with one line, which says all that.
#[track_caller]
fn says(command: &mut Command, parts: &[&str]) {
    let finished = refused(command);
    let lines: Vec<&str> = finished.stderr.lines().collect();
    let [line] = lines.as_slice() else { panic!("one line is expected: {finished:?}") };
    for part in parts {
        assert!(line.contains(part), "{part:?} is missing: {line}");
    }
}

/// The output of a start until it was stopped.
#[track_caller]
fn greeting(command: &mut Command, home: &Path) -> String {
    let path = home.join("greeting");
    // A process is read to its end elsewhere; here it is read while it runs.
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" >greeting", "sh"]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(home).env_clear().envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let process = Process::start(&mut shell);
    let text = eventually("it has greeted", || {
        let text = std::fs::read_to_string(&path).ok()?;
        text.contains("Ctrl-C").then_some(text)
    });
    std::fs::remove_file(path).expect("it is there");
    process.signal(rustix::process::Signal::INT);
    let finished = process.finish();
    assert_eq!(finished.status.code(), Some(0), "SIGINT drains: {finished:?}");
    text
}

#[test]
fn the_first_start_prints_address_folder_key_and_commands_and_the_second_no_key() {
    let home = directory();
    let data = home.path().join("data");
    let first = greeting(&mut up(home.path(), &data), home.path());
    let key_file = data.join("admin.key");
    let key = std::fs::read_to_string(&key_file).expect("it is kept").trim().to_owned();
    let parts = ["http://127.0.0.1:", data.to_str().expect("text"), &key, "channel create", "monitor create"];
    let places: Vec<usize> =
        parts.iter().map(|part| first.find(part).unwrap_or_else(|| panic!("{part}: {first}"))).collect();
    assert!(places.is_sorted(), "in this order: {first}");
    let mode = std::fs::metadata(&key_file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let program = env!("CARGO_BIN_EXE_lubdub");
    assert!(first.contains(&format!("{program} monitor create")), "as it was started: {first}");

    let second = greeting(&mut up(home.path(), &data), home.path());
    assert!(!second.contains(&key), "{second}");
    assert!(second.contains("admin.key"), "it says where the key is: {second}");
    assert!(second.contains("http://127.0.0.1:") && second.contains("monitor create"), "{second}");
}

#[test]
fn a_start_on_what_was_there_says_what_it_holds_and_no_first_steps() {
    let mut server = Server::start(&[]);
    server.monitor("job", 3_600, 60);
    server.stop();
    let home = directory();
    let text = greeting(&mut up(home.path(), server.data()), home.path());
    assert!(text.contains("Holds              1 monitor, 0 channels\n"), "{text}");
    assert!(text.contains(" monitor list\n"), "{text}");
    for first in ["NEW INSTALLATION", "channel create", "monitor create"] {
        assert!(!text.contains(first), "{first}: {text}");
    }
}

#[test]
fn the_admin_key_can_be_set() {
    let server = Server::start(&[]);
    assert_eq!(server.get("/monitors")["items"], serde_json::json!([]));
    let home = directory();
    let text = greeting(up(home.path(), Path::new("data")).env("LUBDUB_API_KEY", KEY), home.path());
    assert!(!text.contains(KEY), "who set it knows it: {text}");
    says(up(home.path(), Path::new("data")).env("LUBDUB_API_KEY", "short"), &["API key", "at least 16"]);
    // As a compose file gives a variable that nobody set.
    let text = greeting(up(home.path(), Path::new("other")).env("LUBDUB_API_KEY", ""), home.path());
    assert!(text.contains("NEW INSTALLATION"), "{text}");
}

#[test]
fn a_folder_that_is_in_use_is_refused() {
    let server = Server::start(&[]);
    let home = directory();
    says(&mut up(home.path(), server.data()), &["in use", server.data().to_str().expect("text")]);
    assert_eq!(server.call("GET /monitors", &serde_json::Value::Null).status, 200, "the first one goes on");
}

#[test]
fn nobody_else_can_read_what_is_stored_even_in_a_folder_that_was_there() {
    let home = directory();
    let data = home.path().join("data");
    std::fs::create_dir(&data).expect("made");
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).expect("set");
    greeting(&mut up(home.path(), &data), home.path());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&data).expect("it is there").flatten() {
        let mode = entry.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{entry:?} holds secrets: {mode:o}");
        names.push(entry.file_name());
    }
    assert!(names.iter().any(|name| name == "state.db"), "{names:?}");
}

#[test]
fn a_taken_port_is_refused() {
    let home = directory();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let mut command = lubdub(home.path());
    says(command.args(["up", "--listen", &address]), &[&address, "--listen", "in use"]);
    assert!(!home.path().join("lubdub-data").exists(), "nothing is left behind");
}

#[test]
fn an_unwritable_folder_is_refused() {
    let home = directory();
    std::fs::write(home.path().join("file"), "x").expect("written");
    let under_a_file = home.path().join("file/data");
    says(&mut up(home.path(), &under_a_file), &["cannot be written to", "file/data"]);

    let locked = home.path().join("locked");
    std::fs::create_dir(&locked).expect("made");
    // Root may write wherever it likes, but not to a read-only disk.
    let mounted = Mount::read_only(&locked);
    if mounted.is_none() {
        std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).expect("set");
    }
    says(&mut up(home.path(), &locked.join("data")), &["cannot be written to", "locked/data"]);
    says(&mut up(home.path(), &locked), &["cannot be written to", "locked"]);
}

#[test]
fn a_foreign_folder_is_refused_and_left_as_it_is() {
    let home = directory();
    let data = home.path().join("photos");
    std::fs::create_dir(&data).expect("made");
    std::fs::write(data.join("holiday.jpg"), "x").expect("written");
    says(&mut up(home.path(), &data), &["photos", "holiday.jpg", "no Lubdub data"]);
    let left: Vec<_> = std::fs::read_dir(&data).expect("it is there").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_copy_without_its_databases_is_no_new_installation_and_keeps_its_key() {
    let home = directory();
    let data = home.path().join("data");
    let first = greeting(&mut up(home.path(), &data), home.path());
    assert!(first.contains("NEW INSTALLATION"), "{first}");
    assert!(!greeting(&mut up(home.path(), &data), home.path()).contains("NEW"), "it is known now");
    let key = std::fs::read_to_string(data.join("admin.key")).expect("it is kept");
    for file in ["log.db", "state.db", "history.db"] {
        std::fs::remove_file(data.join(file)).expect("it is there");
    }
    says(&mut up(home.path(), &data), &["admin.key", "state.db", "--data-dir", data.to_str().expect("text")]);
    assert_eq!(std::fs::read_to_string(data.join("admin.key")).expect("it is kept"), key);
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let mut server = Server::start(&[]);
    server.stop();
    let home = directory();
    for file in ["log.db", "state.db", "history.db"] {
        let set = |version: &str| {
            let code = "import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
print(database.execute('PRAGMA user_version').fetchone()[0])
database.execute('PRAGMA user_version = ' + sys.argv[2])";
            let mut python = Command::new(python_with("sqlite3"));
            python.args(["-c", code]).arg(server.data().join(file)).arg(version);
            let finished = Process::start(&mut python).finish();
            assert!(finished.status.success(), "{finished:?}");
            finished.stdout.trim().to_owned()
        };
        let known = set("999");
        says(&mut up(home.path(), server.data()), &[file, "newer Lubdub", "999", &known]);
        set(&known);
    }
    server.start_again();
}

#[test]
fn a_damaged_database_is_refused() {
    let mut server = Server::start(&[]);
    server.stop();
    std::fs::write(server.data().join("state.db"), "this is no database, whatever its name says")
        .expect("ok");
    let home = directory();
    says(&mut up(home.path(), server.data()), &["state.db", "damaged"]);
}

#[test]
fn it_listens_where_people_say_in_their_words() {
    let home = directory();
    for form in ["PORT", ":PORT", "localhost:PORT", "127.0.0.1:PORT"] {
        let port = free_port().to_string();
        let mut command = lubdub(home.path());
        command.args(["up", "--listen", &form.replace("PORT", &port), "--data-dir", "data"]);
        let text = greeting(&mut command, home.path());
        assert!(text.contains(&format!(":{port}\n")), "{form}: {text}");
    }
}

#[test]
fn bad_usage_has_exit_code_2() {
    let home = directory();
    for arguments in [
        &["up", "--no-such-flag"][..],
        &["up", "--listen", "localhost"],
        &["up", "--listen", "http://localhost:8080"],
        &["up", "--metrics-listen", "127.0.0.1"],
        &["up", "--allow-private", "office"],
        &["up", "--public-url", "beats.example"],
        &["up", "--retention", "soon"],
        &["up", "--log-size", "much"],
        &["up", "--log-size", "7MiB"],
        &["up", "--output-limit", "5kB"],
        &["up", "--history", "0"],
        &["up", "--push-limit", "many"],
        &["up", "--push-burst", "0"],
        &["up", "--meta-webhook", "nowhere"],
        &["down"],
        &[],
    ] {
        let finished = Process::start(lubdub(home.path()).args(arguments)).finish();
        assert_eq!(finished.status.code(), Some(2), "{arguments:?}: {finished:?}");
        assert!(!finished.stderr.is_empty(), "{arguments:?}");
        let left: Vec<_> = std::fs::read_dir(home.path()).expect("it is there").flatten().collect();
        assert!(left.is_empty(), "{arguments:?} made {left:?}");
    }
}
