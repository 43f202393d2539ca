//! kill -9 of one of several notifiers at random moments while webhooks go out: what comes twice, and that
//! nothing is missing.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::installation::{Installation, Plan};
use super::node::Role;
use crate::told::Ears;
use crate::told::killing::{Killing, ROUNDS};

/// The number of notifiers: the shards of a dead one go to the others after five seconds, and one is killed
/// every second, so with these some are always at work.
const NOTIFIERS: usize = 5;

/// The notifier that has most in hand, if one has anything.
fn busiest(cluster: &Installation) -> Option<usize> {
    let nodes = cluster.nodes(Role::Notifier).iter().enumerate();
    let in_hand = nodes.filter_map(|(index, node)| {
        let attempts = node.metric("lubdub_notifier_attempts_in_flight")?;
        (attempts > 0.0).then_some((attempts, index))
    });
    in_hand.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, index)| index)
}

#[test]
fn fifty_kills_of_notifiers_lose_nothing_and_repeat_no_more_than_was_in_hand() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let ears = Ears::thoughtful();
    let mut cluster =
        Installation::start(Plan { ingest: 1, scheduler: 1, notifier: NOTIFIERS, ..Plan::USUAL });
    cluster.until_held();
    let api = cluster.api();
    let ingest = cluster.nodes(Role::Ingest)[0].address();
    let mut killing = Killing::start(&api, ingest, &ears);
    for round in 0..ROUNDS {
        killing.flip_some(&mut random);
        killing.until_the_moment(&mut random);
        let victim = busiest(&cluster).unwrap_or(round % NOTIFIERS);
        let notifier = cluster.node(Role::Notifier, victim);
        notifier.kill();
        std::thread::sleep(Duration::from_millis(random.random_range(0..200)));
        notifier.launch();
    }
    killing.finish();
}
