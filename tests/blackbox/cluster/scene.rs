//! An installation under load, and what must be true when all is over.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ports::clock::{Clock, SystemClock};

use super::checker::{Allowed, Violation, violations};
use super::installation::{Installation, Plan};
use super::load::{Habit, Load, Pace};
use super::node::{Node, Role};
use super::record::{Record, undelivered};

/// After the load has ended, all that was promised is seen to be kept within this. The silence of the last
/// one who fell silent is noticed within it too.
const SETTLED_WITHIN: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Violations that are shown.
const SHOWN: usize = 30;

/// Clients of each habit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd {
    pub(super) steady: usize,
    pub(super) mortal: usize,
    pub(super) flapping: usize,
}

impl Crowd {
    /// Twelve pushes a second in all, about.
    pub(super) const USUAL: Self = Self { steady: 16, mortal: 6, flapping: 4 };
}

/// An installation, and clients before it. Clients end before what they push to does.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) load: Load,
    pub(super) cluster: Installation,
    begin: Instant,
}

impl Scene {
    /// The usual one.
    #[track_caller]
    pub(super) fn usual() -> Self {
        Self::start(Plan::USUAL, Crowd::USUAL)
    }

    /// Starts everything, and waits until every client was heard.
    #[track_caller]
    pub(super) fn start(plan: Plan, crowd: Crowd) -> Self {
        Self::on(Installation::start(plan), crowd)
    }

    /// Brings clients before an installation, and waits until every one was heard.
    #[track_caller]
    pub(super) fn on(cluster: Installation, crowd: Crowd) -> Self {
        let begin = Instant::now();
        cluster.until_held();
        let addresses: Vec<_> = cluster.nodes(Role::Ingest).iter().map(Node::address).collect();
        let mut load = Load::before(&addresses);
        let api = cluster.api();
        load.add(&api, crowd.steady, Pace::usual(Habit::Steady));
        load.add(&api, crowd.mortal, Pace::usual(Habit::Mortal));
        load.add(&api, crowd.flapping, Pace::flapping(Duration::from_millis(1_100)));
        let scene = Self { load, cluster, begin };
        scene.load.until_answered();
        scene.note("every client was heard");
        scene
    }

    /// Lets this many more clients fall silent for good.
    #[track_caller]
    pub(super) fn silence(&self, count: usize) {
        let living = self.load.mortals().filter(|mortal| mortal.lives());
        assert_eq!(living.take(count).map(super::load::Loader::silence).count(), count, "too few are left");
    }

    /// Lets time go by under load.
    pub(super) fn go_on(&self, time: Duration) {
        sleep(time);
    }

    /// Says when something happened.
    pub(super) fn note(&self, what: &str) {
        println!("{:6.1} s: {what}", self.begin.elapsed().as_secs_f64());
    }

    /// Now, by the clock of clients and servers.
    pub(super) fn now_ms(&self) -> i64 {
        SystemClock::new().now().as_millis()
    }

    /// Waits until every node is ready and every client was answered again.
    #[track_caller]
    pub(super) fn until_well(&mut self) {
        self.cluster.until_ready();
        self.cluster.until_held();
        self.load.until_answered();
        self.note("all is well again");
    }

    /// Ends the load, waits until every promise is seen to be kept, and answers what was recorded.
    #[track_caller]
    pub(super) fn check(&mut self, allowed: &Allowed) -> Record {
        self.load.end();
        self.note("the clients have ended");
        let record = settled(allowed, || {
            let said = self.cluster.all_nodes().map(|node| (node.name().to_owned(), node.said()));
            Record::read(&self.cluster.receiver, &self.cluster.api(), &self.load, said)
        });
        self.summarize(&record);
        record
    }

    /// Checks that every delivery is known to be made.
    #[track_caller]
    pub(super) fn check_deliveries(&self) {
        crate::harness::eventually("every delivery is known to be made", || {
            let left = undelivered(&self.cluster.api());
            left.is_empty().then_some(())
        });
    }

    fn summarize(&self, record: &Record) {
        self.note("every promise is kept");
        println!(
            "{} pushes were answered 200, each within {} ms; {} flips, {} webhooks; all partitions together were deaf for {} s",
            record.acknowledged(),
            self.load.longest_wait_ms(),
            record.flips(),
            record.events.len(),
            self.cluster.metric(Role::Scheduler, "lubdub_scheduler_deaf_seconds")
        );
    }
}

/// Reads again and again until every promise is seen to be kept.
#[track_caller]
pub(crate) fn settled(allowed: &Allowed, read: impl Fn() -> Record) -> Record {
    let begin = Instant::now();
    loop {
        let record = read();
        let broken = violations(&record, allowed);
        if broken.is_empty() {
            return record;
        }
        assert!(begin.elapsed() < SETTLED_WITHIN, "{}", describe(&record, &broken));
        sleep(LOOK_EVERY);
    }
}

fn describe(record: &Record, broken: &[Violation]) -> String {
    let mut text = format!("{} promises are broken:\n", broken.len());
    for one in broken.iter().take(SHOWN) {
        let _ = writeln!(text, "  {one}");
    }
    let named = |monitor: &&super::record::Watched| {
        broken.iter().take(SHOWN).any(|one| one.to_string().contains(&format!("\"{}\"", monitor.name)))
    };
    for monitor in record.monitors.iter().filter(named).take(3) {
        let _ = writeln!(text, "{} ({})\n  flips: {:#?}", monitor.name, monitor.id, monitor.flips);
        let _ = writeln!(text, "  tries: ");
        for one in &monitor.tries {
            let _ = writeln!(text, "    {one:?}");
        }
    }
    text
}
