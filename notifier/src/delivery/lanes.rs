//! Pure. Shares the room among channels and the hosts that they are at, so that a slow one delays no other.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use model::queue_ids::LaneId;

/// Attempts at once, of all lanes together and of one.
const ATTEMPTS: Capacity = Capacity { total: 256, per_lane: 16 };

/// Attempts at once at one host: as many as two channels may make. A host that hangs must not have all of
/// them, however many channels lead there.
const PER_HOST: usize = 32;

/// Claimed deliveries, of all lanes together and of one: those waiting for an attempt, in it, or waiting to
/// be settled. There are more of them than attempts, so that attempts go on while the last ones are being
/// settled.
const CLAIMS: Capacity = Capacity { total: 2_048, per_lane: 64 };

#[derive(Debug, Clone, Copy)]
struct Capacity {
    total: usize,
    per_lane: usize,
}

impl Capacity {
    /// How much one lane may use while `used` is used by all. The fuller it is, the less: dozens of slow
    /// lanes still leave room for one that comes later, and when all is taken, what becomes free goes to a
    /// lane that has nothing.
    fn share(self, used: usize) -> usize {
        let free = self.total.saturating_sub(used);
        if free == 0 { 0 } else { (free / 8).clamp(1, self.per_lane) }
    }
}

/// The claimed messages, by lane.
pub(crate) struct Lanes<T> {
    lanes: HashMap<LaneId, Lane<T>>,
    /// Lanes with something waiting, the one whose turn it is first.
    turns: VecDeque<LaneId>,
    claimed: usize,
    attempting: usize,
    /// Attempts that are being made, by host.
    hosts: HashMap<Arc<str>, usize>,
}

struct Lane<T> {
    /// The host that its channel leads to, if known.
    host: Option<Arc<str>>,
    waiting: VecDeque<T>,
    attempting: usize,
    /// Waiting, attempting, or to be settled.
    claimed: usize,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { host: None, waiting: VecDeque::new(), attempting: 0, claimed: 0 }
    }
}

impl<T> Lanes<T> {
    pub(crate) fn new() -> Self {
        Self {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            claimed: 0,
            attempting: 0,
            hosts: HashMap::new(),
        }
    }

    /// How many more of a lane may be claimed now.
    pub(crate) fn room(&self, lane: LaneId) -> usize {
        let claimed = self.lanes.get(&lane).map_or(0, |lane| lane.claimed);
        CLAIMS.share(self.claimed).saturating_sub(claimed)
    }

    /// Whether a claim for the lane is worth its cost: it has room for a good many, or nothing left to do.
    pub(crate) fn wants_more(&self, lane: LaneId) -> bool {
        let idle = self.lanes.get(&lane).is_none_or(|lane| lane.waiting.is_empty());
        let room = self.room(lane);
        room >= CLAIMS.per_lane / 4 || (idle && room > 0)
    }

    /// Says where a lane's channel leads, unless attempts are being made there.
    pub(crate) fn leads_to(&mut self, id: LaneId, host: Option<&str>) {
        let lane = self.lanes.entry(id).or_default();
        if lane.attempting == 0 && lane.host.as_deref() != host {
            lane.host = host.map(Arc::from);
        }
    }

    /// Takes a claimed one in.
    pub(crate) fn add(&mut self, id: LaneId, item: T) {
        let lane = self.lanes.entry(id).or_default();
        if lane.waiting.is_empty() {
            self.turns.push_back(id);
        }
        lane.waiting.push_back(item);
        lane.claimed += 1;
        self.claimed += 1;
    }

    /// The next one to be attempted, if there is room for an attempt.
    pub(crate) fn next(&mut self) -> Option<T> {
        let share = ATTEMPTS.share(self.attempting);
        for _ in 0..self.turns.len() {
            let id = self.turns.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            let at_host = lane.host.as_ref().and_then(|host| self.hosts.get(host)).copied().unwrap_or(0);
            let may = lane.attempting < share && at_host < PER_HOST;
            let item = if may { lane.waiting.pop_front() } else { None };
            if !lane.waiting.is_empty() {
                self.turns.push_back(id);
            }
            if let Some(item) = item {
                lane.attempting += 1;
                self.attempting += 1;
                if let Some(host) = &lane.host {
                    *self.hosts.entry(Arc::clone(host)).or_default() += 1;
                }
                return Some(item);
            }
        }
        None
    }

    /// An attempt of the lane ended; it is still to be settled.
    pub(crate) fn attempted(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.attempting = lane.attempting.saturating_sub(1);
            self.attempting = self.attempting.saturating_sub(1);
            if let Some(host) = &lane.host
                && let Some(count) = self.hosts.get_mut(host)
            {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.hosts.remove(host);
                }
            }
        }
    }

    /// Notes that one message of the lane is settled.
    pub(crate) fn settled(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.claimed = lane.claimed.saturating_sub(1);
        self.claimed = self.claimed.saturating_sub(1);
        if lane.claimed == 0 {
            self.lanes.remove(&id);
        }
    }

    /// Everything that waits for its attempt.
    pub(crate) fn take_waiting(&mut self) -> Vec<T> {
        self.turns.clear();
        self.lanes.values_mut().flat_map(|lane| lane.waiting.drain(..)).collect()
    }

    pub(crate) const fn claimed(&self) -> usize {
        self.claimed
    }

    pub(crate) const fn attempting(&self) -> usize {
        self.attempting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(n: u128) -> LaneId {
        uuid::Uuid::from_u128(n).into()
    }

    /// Claims as many of a lane as there is room for, and starts attempts as far as it goes.
    fn fill(lanes: &mut Lanes<LaneId>, id: LaneId) -> usize {
        for _ in 0..lanes.room(id) {
            lanes.add(id, id);
        }
        std::iter::from_fn(|| lanes.next()).count()
    }

    #[test]
    fn one_lane_gets_its_most_and_no_more() {
        let mut lanes = Lanes::new();
        assert_eq!(fill(&mut lanes, lane(1)), 16);
        assert_eq!((lanes.claimed(), lanes.attempting()), (64, 16));
        assert_eq!(lanes.room(lane(1)), 0);
        lanes.attempted(lane(1));
        assert_eq!(lanes.next(), Some(lane(1)));
        assert_eq!(lanes.room(lane(1)), 0, "what is not settled takes room");
        lanes.settled(lane(1));
        assert_eq!(lanes.room(lane(1)), 1);
        assert!(!lanes.wants_more(lane(1)));
        (0..15).for_each(|_| lanes.settled(lane(1)));
        assert!(lanes.wants_more(lane(1)));
    }

    #[test]
    fn forty_stuck_lanes_leave_room_for_one_more() {
        let mut lanes = Lanes::new();
        for n in 1..=40 {
            assert!(fill(&mut lanes, lane(n)) > 0, "lane {n}");
        }
        assert_eq!(fill(&mut lanes, lane(41)), 1);
    }

    #[test]
    fn when_all_is_taken_what_becomes_free_goes_to_a_lane_that_has_nothing() {
        let mut lanes = Lanes::new();
        for n in 1..=1_000 {
            fill(&mut lanes, lane(n));
        }
        assert_eq!((lanes.attempting(), lanes.room(lane(2_000))), (256, 0));
        lanes.attempted(lane(1));
        lanes.settled(lane(1));
        assert_eq!((lanes.room(lane(1)), lanes.room(lane(2_000))), (0, 1));
        let next = lanes.next().expect("one more");
        assert_eq!(lanes.lanes[&next].attempting, 1);
    }

    #[test]
    fn however_many_lanes_there_are_the_limits_hold() {
        let mut lanes = Lanes::new();
        for n in 1..=3_000 {
            fill(&mut lanes, lane(n));
        }
        assert_eq!((lanes.claimed(), lanes.attempting()), (2_048, 256));
        assert_eq!(lanes.take_waiting().len(), 2_048 - 256);
        assert_eq!(lanes.next(), None);
    }

    #[test]
    fn lanes_take_turns() {
        let mut lanes = Lanes::new();
        for (id, item) in [(1, "1a"), (1, "1b"), (2, "2a"), (2, "2b"), (3, "3a")] {
            lanes.add(lane(id), item);
        }
        let order: Vec<_> = std::iter::from_fn(|| lanes.next()).collect();
        assert_eq!(order, ["1a", "2a", "3a", "1b", "2b"]);
    }

    #[test]
    fn channels_at_one_host_share_its_room_and_leave_the_rest_to_others() {
        let mut lanes = Lanes::new();
        let mut attempts = 0;
        for n in 1..=10 {
            lanes.leads_to(lane(n), Some("slow.example"));
            attempts += fill(&mut lanes, lane(n));
        }
        assert_eq!(attempts, PER_HOST);
        lanes.leads_to(lane(11), Some("fast.example"));
        assert!(fill(&mut lanes, lane(11)) >= 10);
        lanes.attempted(lane(1));
        assert!(lanes.next().is_some(), "what becomes free at a host goes to the next there");
        assert_eq!(lanes.hosts["slow.example"], PER_HOST);
    }

    #[test]
    fn forgets_a_lane_that_is_done() {
        let mut lanes = Lanes::new();
        fill(&mut lanes, lane(1));
        while lanes.attempting() > 0 {
            lanes.attempted(lane(1));
            lanes.settled(lane(1));
            lanes.next();
        }
        assert_eq!((lanes.claimed(), lanes.lanes.len(), lanes.turns.len(), lanes.hosts.len()), (0, 0, 0, 0));
    }
}
