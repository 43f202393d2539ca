//! kill -9 at random moments while webhooks go out: what comes twice, and that nothing is missing.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::server::{ALLOW, Server};
use crate::told::Ears;
use crate::told::killing::{Killing, ROUNDS};

#[test]
fn fifty_kills_amid_deliveries_lose_nothing_and_repeat_no_more_than_was_in_hand() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let ears = Ears::thoughtful();
    let flags = [ALLOW[0], ALLOW[1], "--push-limit", "0", "--history", "1000000"];
    let mut server = Server::start(&flags);
    let mut killing = Killing::start(&server, server.address(), &ears);
    for _ in 0..ROUNDS {
        killing.flip_some(&mut random);
        killing.until_the_moment(&mut random);
        server.kill();
        // Sometimes it is killed while it starts, too.
        if random.random_bool(0.2) {
            server.launch();
            std::thread::sleep(Duration::from_millis(random.random_range(0..300)));
            server.kill();
        }
        server.start_again();
    }
    killing.finish();
}
