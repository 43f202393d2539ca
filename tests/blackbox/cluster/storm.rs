//! Faults at random, several at once, under more load.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;

use super::checker::Allowed;
use super::installation::Plan;
use super::load::Loader;
use super::node::Role;
use super::scene::{Crowd, Scene};

/// After this no more faults begin.
const STORM: Duration = Duration::from_secs(150);
/// Rounds of faults, and who falls silent for good after each.
const ROUNDS: usize = 20;
/// The length of a fault, milliseconds.
const LASTS_MS: std::ops::Range<u64> = 0..7_000;

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

/// One node's fault.
struct Fault {
    role: Role,
    index: usize,
    frozen: bool,
    lasts: Duration,
}

impl Fault {
    fn at_random(scene: &Scene, random: &mut StdRng) -> Self {
        let role = *ROLES.choose(random).expect("there are some");
        let index = random.random_range(0..scene.cluster.nodes(role).len());
        let lasts = Duration::from_millis(random.random_range(LASTS_MS));
        Self { role, index, frozen: random.random_bool(0.4), lasts }
    }

    fn begin(&self, scene: &mut Scene) {
        let node = scene.cluster.node(self.role, self.index);
        let how = if self.frozen { "frozen" } else { "dead" };
        let what = format!("{node} is {how} for {:?}", self.lasts);
        if self.frozen {
            node.freeze();
        } else {
            node.kill();
        }
        scene.note(&what);
    }

    fn end(&self, scene: &mut Scene) {
        let node = scene.cluster.node(self.role, self.index);
        if self.frozen {
            node.thaw();
        } else {
            node.launch();
        }
    }
}

/// NATS or Redis itself, now and then.
fn servers(scene: &mut Scene, random: &mut StdRng) {
    let lasts = Duration::from_millis(random.random_range(LASTS_MS));
    let (what, which) = match random.random_range(0..12) {
        0 => ("nats-server is dead", 0),
        1 => ("redis-server is dead", 1),
        2 => ("nats-server is frozen", 2),
        3 => ("redis-server is frozen", 3),
        _ => return,
    };
    scene.note(&format!("{what} for {lasts:?}"));
    let cluster = &mut scene.cluster;
    match which {
        0 => cluster.nats.only().kill(),
        1 => cluster.redis.kill(),
        2 => cluster.nats.only().process().signal(Signal::STOP),
        _ => cluster.redis.process().signal(Signal::STOP),
    }
    std::thread::sleep(lasts);
    match which {
        0 => cluster.nats.only().restart(),
        1 => cluster.redis.restart(),
        2 => cluster.nats.only().process().signal(Signal::CONT),
        _ => cluster.redis.process().signal(Signal::CONT),
    }
}

#[test]
#[ignore = "long: make soak"]
fn a_storm_of_faults_breaks_no_promise() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut scene = Scene::start(Plan::USUAL, Crowd { steady: 120, mortal: ROUNDS, flapping: 16 });
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        let mut faults = [Fault::at_random(&scene, &mut random), Fault::at_random(&scene, &mut random)];
        faults.sort_by_key(|fault| fault.lasts);
        let [first, second] = &faults;
        first.begin(&mut scene);
        let both = (first.role, first.index) != (second.role, second.index);
        if both {
            second.begin(&mut scene);
        }
        servers(&mut scene, &mut random);
        scene.go_on(first.lasts);
        first.end(&mut scene);
        if both {
            scene.go_on(second.lasts.saturating_sub(first.lasts));
            second.end(&mut scene);
        }
        scene.until_well();
        scene.silence(1);
        if begin.elapsed() > STORM {
            break;
        }
    }
    scene.load.mortals().for_each(Loader::silence);
    scene.go_on(Duration::from_secs(5));
    let errors = &["failed to append; pushes are answered 503", "failed to watch the registry; trying again"];
    scene.check(&Allowed { deaf: true, late_repeats: true, errors, ..Allowed::default() });
    scene.check_deliveries();
}
