//! Very many monitors down in a moment: a message for each on one channel, a handful on the other.

use super::installation::{Installation, Plan};
use super::node::Role;
use crate::told::Ears;
use crate::told::flood::flood;

#[test]
fn thousands_that_are_down_in_a_moment_are_told_one_by_one_or_in_a_handful_of_messages() {
    let ears = Ears::quick();
    let cluster = Installation::start(Plan { ingest: 1, scheduler: 1, ..Plan::USUAL });
    cluster.until_held();
    flood(&cluster.api(), cluster.nodes(Role::Ingest)[0].address(), &ears);
}
