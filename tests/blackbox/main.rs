//! Black-box tests: the real binary, real clients.

mod cli;
mod docs;
mod harness;
mod pipeline;
mod stub;
