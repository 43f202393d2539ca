//! This program as a child of itself, with a hidden argument: what a section compares with, or measures
//! alone.

use std::path::Path;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::server::{Server, this_program};
use crate::{bare, cluster, embedded};

/// The bare handler.
pub(crate) fn start_bare() -> anyhow::Result<Server> {
    Server::start(this_program()?.args(["--child", "bare"])).context("start the bare handler")
}

/// Serves until the process is killed.
#[tokio::main]
pub(crate) async fn run(arguments: &[String]) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    match arguments {
        [kind] if kind == "bare" => {
            println!("http://{address}");
            bare::run(listener).await;
            Ok(())
        }
        [kind, dir] if kind == "ingest" => embedded::child::ingest_alone(listener, Path::new(dir)).await,
        [kind, dir] if kind == "console" => embedded::child::console_alone(listener, Path::new(dir)).await,
        [kind, nats] if kind == "naive" => cluster::child::naive(listener, nats).await,
        _ => anyhow::bail!("no such child: {arguments:?}"),
    }
}
