//! The whole pipeline, from outside: real clients push, the process is killed, frozen, starved, and webhooks arrive.

mod clients;
mod drain;
mod flood;
mod freeze;
mod kill;
mod limits;
mod mount;
mod pusher;
mod repeats;
mod restart;
mod server;
mod starting;
mod webhooks;
