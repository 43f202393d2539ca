//! A past that goes from one cluster to another.

use std::cell::RefCell;

use serde_json::Value;

use super::installation::{Installation, Plan};
use super::node::Role;
use crate::harness::directory;
use crate::replay::histories::{eventful, monitors, replays_to_the_same, until_equal, well};

#[test]
fn a_whole_past_is_the_same_in_another_cluster_and_nobody_is_told() {
    let plan = || Plan { ingest: 1, scheduler: 1, notifier: 1, ..Plan::USUAL };
    let home = directory();
    let source = RefCell::new(Installation::start(plan()));
    let there = source.borrow().api();
    eventful(home.path(), &there, || {
        let mut source = source.borrow_mut();
        source.node(Role::Ingest, 0).kill();
        source.node(Role::Ingest, 0).launch();
        source.until_ready();
    });
    well(home.path(), &there, &["replay", "export", "--since", "1h", "--out", "all.ndjson.zst"]);
    let target = Installation::start(plan());
    let here = target.api();
    well(home.path(), &here, &["replay", "import", "all.ndjson.zst", "--keep-times", "--create-missing"]);
    until_equal(&there, &here);
    assert_eq!(monitors(&here).len(), 8);
    replays_to_the_same(home.path(), &there);
    replays_to_the_same(home.path(), &here);
    assert_eq!(here.list("/deliveries"), Vec::<Value>::new());
    assert!(target.receiver.requests().is_empty(), "the past sends no alert");
}
