//! Every example of docs/push.md, run as it is printed.
//!
//! Two things are replaced, as the guide tells its readers to: the push URL, and the value of `INTERVAL`. A
//! loop is stopped after a few heartbeats.

mod crontab;
mod examples;
mod guide;
mod server;
