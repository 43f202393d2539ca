//! Every example of docs/push.md, run as it is printed.
//!
//! Two things are replaced, as the guide tells its readers to: the push URL, and the value of `INTERVAL`. A
//! loop is stopped after a few heartbeats. `replay` does the same for the commands of docs/replay.md, and
//! `readme` walks through README.md, in the order written and in another.

mod crontab;
mod examples;
mod guide;
mod readme;
mod replay;
mod server;
mod systemd;
