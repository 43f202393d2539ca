//! The client commands, run as a person runs them, against a server with scripted answers.

mod bulk;
mod channels;
mod connection;
mod help;
mod init;
mod lists;
mod monitors;
mod names;
mod offline;
mod output;
mod pty;
mod push;
mod rebuild;
mod shells;
mod whole;

use crate::harness::{Finished, Process, directory, lubdub};
use crate::stub::Stub;

/// Runs a command against a server.
fn run(server: &Stub, arguments: &[&str]) -> Finished {
    let directory = directory();
    let mut command = lubdub(directory.path());
    command.args(arguments).env("LUBDUB_URL", server.url()).env("LUBDUB_API_KEY", "test-key");
    command.env("TZ", "Europe/Berlin");
    Process::start(&mut command).finish()
}

/// Runs a command that must succeed, and gives back what it printed.
#[track_caller]
fn run_well(server: &Stub, arguments: &[&str]) -> String {
    let finished = run(server, arguments);
    assert_eq!(finished.status.code(), Some(0), "{arguments:?}: {finished:?}");
    finished.stdout
}
