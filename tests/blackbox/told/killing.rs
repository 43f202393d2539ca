//! Channels of both kinds, monitors that flip on them, and the moments at which a process is killed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;

use super::audit::Audit;
use super::flipping::{Flipping, say};
use super::{Channel, Ears, monitor};
use crate::api::{Api, Monitor};

pub(crate) const ROUNDS: usize = 50;
/// Monitors that flip all the time, on the channel that hears of each flip.
const BUSY: usize = 24;
/// Between two of their flips.
const PAUSE: Duration = Duration::from_millis(25);
/// Channels that gather, and the monitors of each.
const GATHERING: usize = 12;
const CALM: usize = 5;
/// The number of flips above which a monitor flaps: then a summary tells of it in a quarter of an hour.
const FLIPS: u32 = 5;
/// Flips of each calm monitor in a round.
const FLIPS_A_ROUND: usize = 4;
/// A round lasts no longer than this, even if nothing is sent.
const ROUND: Duration = Duration::from_millis(900);
/// After the moment that is waited for: at random, and while a message is in hand.
const ANY_MS: std::ops::Range<u64> = 0..400;
const IN_HAND_MS: std::ops::Range<u64> = 0..40;
/// The most deliveries of a channel that a notifier has in hand. A notifier that is killed has sent no more
/// than these without recording it.
const IN_HAND: usize = 64;

/// The running processes and load.
pub(crate) struct Killing<'a> {
    api: Api,
    ingest: SocketAddr,
    ears: &'a Ears,
    channels: Vec<Channel>,
    monitors: Vec<(Monitor, Vec<usize>)>,
    /// Flips so far of each of the monitors after the busy ones.
    calm: Vec<u32>,
    busy: Flipping,
    begin: Instant,
    /// Kills while a message was in hand or had just been sent, as far as the test can tell.
    amid: usize,
}

impl<'a> Killing<'a> {
    /// Makes everything. Monitors flip from now on.
    #[track_caller]
    pub(crate) fn start(api: &Api, ingest: SocketAddr, ears: &'a Ears) -> Self {
        let mut channels = vec![ears.channel(api, "plain", false)];
        channels.extend((0..GATHERING).map(|n| ears.channel(api, &format!("digest-{n}"), true)));
        let mut monitors: Vec<(Monitor, Vec<usize>)> =
            (0..BUSY).map(|n| (monitor(api, &format!("busy-{n}"), &[&channels[0]]), vec![0])).collect();
        let busy: Vec<Monitor> = monitors.iter().map(|(monitor, _)| monitor.clone()).collect();
        for n in 0..GATHERING * CALM {
            let place = 1 + n % GATHERING;
            let heard_by = [&channels[0], &channels[place]];
            monitors.push((monitor(api, &format!("calm-{n}"), &heard_by), vec![0, place]));
        }
        Self {
            api: *api,
            ingest,
            ears,
            channels,
            monitors,
            calm: vec![0; GATHERING * CALM],
            busy: Flipping::start(ingest, busy, PAUSE),
            begin: Instant::now(),
            amid: 0,
        }
    }

    /// Some of the calm flip.
    #[track_caller]
    pub(crate) fn flip_some(&mut self, random: &mut StdRng) {
        for _ in 0..FLIPS_A_ROUND {
            let nth = random.random_range(0..self.calm.len());
            if self.calm[nth] < FLIPS {
                let status = if self.calm[nth].is_multiple_of(2) { "down" } else { "up" };
                say(self.ingest, &self.monitors[BUSY + nth].0, status);
                self.calm[nth] += 1;
            }
        }
    }

    /// Waits for the moment to kill: at random, or when a message has just been sent.
    pub(crate) fn until_the_moment(&mut self, random: &mut StdRng) {
        let (begin, count) = (Instant::now(), self.ears.count());
        while self.ears.count() == count && begin.elapsed() < ROUND {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.amid += usize::from(self.ears.count() > count);
        let wait = if random.random_bool(0.5) { ANY_MS } else { IN_HAND_MS };
        std::thread::sleep(Duration::from_millis(random.random_range(wait)));
    }

    /// Ends it, and checks that every flip arrived.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        self.busy.stop();
        let killed = self.begin.elapsed();
        let audit =
            Audit { api: self.api, ears: self.ears, channels: &self.channels, monitors: &self.monitors };
        let [plain, gathering] = audit.settled();
        println!(
            "{ROUNDS} kills in {killed:?}, {} of them amid messages; settled after {:?}",
            self.amid,
            self.begin.elapsed()
        );
        println!("each flip by itself: {plain:?}");
        println!("gathering: {gathering:?}");
        assert!(plain.flips > ROUNDS * 5, "there was something to tell");
        assert!(gathering.messages > GATHERING, "digests came");
        assert!(plain.duplicates <= ROUNDS * IN_HAND, "{plain:?}");
        assert!(gathering.duplicates <= ROUNDS * GATHERING, "{gathering:?}");
    }
}
