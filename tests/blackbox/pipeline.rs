//! The whole pipeline, from outside: real clients push, the process is killed, frozen, starved, and webhooks arrive.

mod api;
mod clients;
mod drain;
mod freeze;
mod http;
mod kill;
mod limits;
mod mount;
mod pusher;
mod receiver;
mod restart;
mod server;
mod starting;
mod webhooks;
