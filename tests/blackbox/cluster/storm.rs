//! One fault after another, at random, under more load.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::checker::Allowed;
use super::installation::Plan;
use super::node::Role;
use super::scene::{Crowd, Scene};

/// How long faults go on for.
const STORM: Duration = Duration::from_secs(150);
/// Each as often as it stands here.
const ROLES: [Role; 7] = [
    Role::Ingest,
    Role::Ingest,
    Role::Scheduler,
    Role::Scheduler,
    Role::Notifier,
    Role::Notifier,
    Role::Console,
];

fn happens(scene: &mut Scene, random: &mut StdRng) {
    let role = *ROLES.choose(random).expect("there are some");
    let index = random.random_range(0..scene.cluster.nodes(role).len());
    let pause = Duration::from_millis(random.random_range(0..7_000));
    let frozen = random.random_bool(0.4);
    let name = scene.cluster.node(role, index).name().to_owned();
    scene.note(&format!("{name} is {} for {pause:?}", if frozen { "frozen" } else { "dead" }));
    if frozen {
        scene.cluster.node(role, index).freeze();
        scene.go_on(pause);
        scene.cluster.node(role, index).thaw();
    } else {
        scene.cluster.node(role, index).kill();
        scene.go_on(pause);
        scene.cluster.node(role, index).launch();
    }
    match random.random_range(0..12) {
        0 => {
            scene.note("nats-server is killed");
            scene.cluster.nats.only().kill();
            scene.cluster.nats.only().restart();
        }
        1 => {
            scene.note("redis-server is killed");
            scene.cluster.redis.kill();
            scene.cluster.redis.restart();
        }
        _ => {}
    }
    // Two faults at once may page: a client's node is away, and then the other one.
    scene.until_well();
}

#[test]
#[ignore = "long: make soak"]
fn a_storm_of_faults_breaks_no_promise() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut scene = Scene::start(Plan::USUAL, Crowd { steady: 120, mortal: 12, flapping: 16 });
    let begin = Instant::now();
    for _ in 0..12 {
        happens(&mut scene, &mut random);
        scene.silence(1);
        if begin.elapsed() > STORM {
            break;
        }
    }
    let errors = &["failed to append; pushes are answered 503", "failed to watch the registry; trying again"];
    scene.load.mortals().for_each(super::load::Loader::silence);
    scene.go_on(Duration::from_secs(5));
    scene.check(&Allowed { deaf: true, late_repeats: true, errors, ..Allowed::default() });
    scene.check_deliveries();
}
