//! The whole pipeline, from outside: real clients push, the process is killed, frozen, starved, and webhooks
//! arrive.

mod backup;
mod clients;
mod discreet;
mod drain;
mod entrance;
mod flood;
mod freeze;
mod heard;
mod itself;
mod kill;
mod limits;
pub(crate) mod listener;
mod logs;
mod mount;
mod poison;
mod pusher;
mod rebuild;
mod repeats;
mod restart;
pub(crate) mod server;
mod starting;
mod webhooks;
