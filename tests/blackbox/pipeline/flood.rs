//! Very many monitors down in a moment: a message for each on one channel, a handful on the other.

use super::server::{ALLOW, Server};
use crate::told::Ears;
use crate::told::flood::flood;

#[test]
fn thousands_that_are_down_in_a_moment_are_told_one_by_one_or_in_a_handful_of_messages() {
    let ears = Ears::quick();
    let server = Server::start(&[ALLOW[0], ALLOW[1], "--push-limit", "0"]);
    flood(&server, server.address(), &ears);
}
