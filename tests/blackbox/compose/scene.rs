//! A project under load, and what must be true when all is over.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::docker::Container;
use super::stack::{Files, Stack};
use crate::cluster::checker::Allowed;
use crate::cluster::load::{Habit, Load, Loader, Pace};
use crate::cluster::record::{Record, undelivered};
use crate::cluster::scene::settled;
use crate::harness::eventually;

/// Errors that a fault explains when NATS or Redis was away.
const ERRORS: &[&str] =
    &["failed to append; pushes are answered 503", "failed to watch the registry; trying again"];

/// A project, and clients before its proxy. Clients end before what they push to does.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) load: Load,
    pub(super) stack: Stack,
    begin: Instant,
}

impl Scene {
    /// Starts everything, and waits until every client was heard.
    #[track_caller]
    pub(super) fn start(files: Files, mortal: usize) -> Self {
        let begin = Instant::now();
        let stack = Stack::start(files);
        let mut load = Load::before(&[stack.proxy()]);
        let api = stack.api();
        load.add(&api, 16, Pace::usual(Habit::Steady));
        load.add(&api, mortal, Pace::usual(Habit::Mortal));
        load.add(&api, 4, Pace::flapping(Duration::from_millis(1_100)));
        let scene = Self { load, stack, begin };
        scene.load.until_answered();
        scene.note("every client was heard");
        scene
    }

    /// Says when something happened.
    pub(super) fn note(&self, what: &str) {
        println!("{:6.1} s: {what}", self.begin.elapsed().as_secs_f64());
    }

    /// Lets time go by under load.
    pub(super) fn go_on(&self, seconds: u64) {
        sleep(Duration::from_secs(seconds));
    }

    /// One more client falls silent for good.
    #[track_caller]
    pub(super) fn silence_one(&self) {
        self.load.mortals().find(|mortal| mortal.lives()).expect("too few are left").silence();
    }

    /// `docker kill`, and `docker start` after this many seconds.
    #[track_caller]
    pub(super) fn kill_for(&self, container: &Container, seconds: u64) {
        self.note(&format!("{} is dead for {seconds} s", container.name));
        container.kill();
        self.silence_one();
        self.go_on(seconds);
        container.start();
        self.until_well();
    }

    /// Cuts a container off from the servers for this many seconds.
    #[track_caller]
    pub(super) fn cut_off_for(&self, container: &Container, seconds: u64) {
        self.note(&format!("{} is cut off for {seconds} s", container.name));
        let network = self.stack.network("back");
        container.cut_off(&network);
        self.silence_one();
        self.go_on(seconds);
        container.reconnect(&network);
        self.until_well();
    }

    /// Waits until every container is healthy and every client was answered again.
    #[track_caller]
    pub(super) fn until_well(&self) {
        self.stack.until_well();
        self.load.until_answered();
        self.note("all is well again");
    }

    /// Ends the load and checks that every promise was kept.
    #[track_caller]
    pub(super) fn check(&mut self, allowed: Allowed) -> Record {
        self.load.mortals().for_each(Loader::silence);
        self.go_on(3);
        self.load.end();
        self.note("the clients have ended");
        let allowed = Allowed { errors: ERRORS, ..allowed };
        let record = settled(&allowed, || {
            Record::read(&self.stack.receiver, &self.stack.api(), &self.load, self.stack.said())
        });
        self.note("every promise is kept");
        println!(
            "{} pushes were answered 200, each within {} ms; {} flips, {} webhooks",
            record.acknowledged(),
            self.load.longest_wait_ms(),
            record.flips(),
            record.events.len()
        );
        eventually("every delivery is known to be made", || {
            undelivered(&self.stack.api()).is_empty().then_some(())
        });
        self.nobody_told_a_token();
        record
    }

    /// No log of any container holds a push token.
    #[track_caller]
    fn nobody_told_a_token(&self) {
        for container in self.stack.containers() {
            let said = container.said();
            for loader in self.load.loaders() {
                let token = &loader.monitor.token;
                let line = said.lines().find(|line| line.contains(token.as_str()));
                assert_eq!(line, None, "{} logged a token", container.name);
            }
        }
    }
}
