//! Black-box tests: the real binary, real clients.

mod api;
mod cli;
mod cluster;
mod compose;
mod docs;
mod harness;
mod http;
mod mail;
mod pipeline;
mod proxy;
mod receiver;
mod replay;
mod rights;
mod stub;
mod told;
