//! Whether this node can do its job.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::ids::{Offset, PartitionId};
use model::time::{EventTime, TimeRules};
use parking_lot::Mutex;
use ports::clock::Clock;

use crate::clock_offset::ClockOffset;
use crate::tokens::Standing;

/// The time without an acknowledgement after which the node is not ready.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(3);

/// A frame's acknowledgement as it was handled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acknowledged {
    /// The frame's place in the log.
    pub(crate) offset: Offset,
    /// The time, by this node's clock.
    pub(crate) sealed_at: EventTime,
    /// The time, by this node's clock.
    pub(crate) handled_at: EventTime,
    /// When the acknowledgement was handled, by `clock.elapsed()`.
    pub(crate) handled: Duration,
}

/// The state of each partition's appends.
#[derive(Debug)]
pub(crate) struct Health {
    lanes: Vec<Mutex<LaneHealth>>,
    /// S; zero in one process, where there is one clock.
    skew: Duration,
    /// Whether this node's clock agrees with that of every partition's log.
    clock_agrees: AtomicBool,
    /// Why the log takes nothing of a partition, if an append said lately that it is full.
    full: Mutex<BTreeMap<PartitionId, String>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct LaneHealth {
    last: Option<Acknowledged>,
    /// `None` until this node's clock was compared with the log's.
    off: Option<ClockOffset>,
}

impl Health {
    pub(crate) fn new(partitions: u16, rules: TimeRules) -> Self {
        let clock_agrees = AtomicBool::new(rules.skew.is_zero());
        Self {
            lanes: (0..partitions).map(|_| Mutex::default()).collect(),
            skew: rules.skew,
            clock_agrees,
            full: Mutex::default(),
        }
    }

    /// Whether the log has a clock of its own to compare with.
    pub(crate) const fn has_two_clocks(&self) -> bool {
        !self.skew.is_zero()
    }

    /// Whether this node may date pushes. It may not before its clock was compared with the log's, nor while
    /// the two differ by more than S: a heartbeat with a wrong time causes a false alarm, or hides a true
    /// one.
    pub(crate) fn clock_agrees(&self) -> bool {
        self.clock_agrees.load(Ordering::Relaxed)
    }

    /// The newest acknowledgement of a partition.
    pub(crate) fn last(&self, partition: PartitionId) -> Option<Acknowledged> {
        self.lanes.get(usize::from(partition.0)).and_then(|lane| lane.lock().last)
    }

    pub(crate) fn acknowledged(&self, partition: PartitionId, ack: Acknowledged) {
        let Some(lane) = self.lanes.get(usize::from(partition.0)) else { return };
        lane.lock().last = Some(ack);
    }

    /// Notes why the log takes nothing of a partition, or that it is not full.
    pub(crate) fn full(&self, partition: PartitionId, why: Option<String>) {
        let mut full = self.full.lock();
        match why {
            Some(why) => full.insert(partition, why),
            None => full.remove(&partition),
        };
    }

    /// Whether the log is full for any partition, so that the node is not ready.
    pub(crate) fn is_full(&self) -> bool {
        !self.full.lock().is_empty()
    }

    /// Notes that the log recorded an acknowledged frame at `logged_at`, by the log's clock. `false` if that
    /// says nothing about the clocks.
    pub(crate) fn logged(&self, partition: PartitionId, ack: Acknowledged, logged_at: EventTime) -> bool {
        // The log's time lies between sealing and handling if the clocks agree. A slow append leaves too much
        // room to tell.
        let quick = ack.handled_at.since(ack.sealed_at) <= self.skew;
        let Some(lane) = self.lanes.get(usize::from(partition.0)).filter(|_| quick) else { return false };
        lane.lock().off = Some(ClockOffset::of(ack.sealed_at..=ack.handled_at, logged_at));
        let agrees =
            self.lanes.iter().all(|lane| lane.lock().off.is_some_and(|off| off.length() <= self.skew));
        self.clock_agrees.store(agrees, Ordering::Relaxed);
        true
    }

    /// The greatest offset that was found at the newest comparisons; `None` until there was one.
    pub(crate) fn clock_offset(&self) -> Option<ClockOffset> {
        self.lanes.iter().filter_map(|lane| lane.lock().off).max_by_key(|off| off.length())
    }

    /// The offset, if it is more than is allowed.
    pub(crate) fn clock_is_off(&self) -> Option<ClockOffset> {
        self.clock_offset().filter(|off| off.length() > self.skew)
    }

    /// Why the node is not ready: a fragment that fits after "ingest is not ready: ".
    pub(crate) fn trouble(&self, tokens: Standing, clock: &dyn Clock) -> Option<String> {
        match tokens {
            Standing::Loading => return Some("the list of tokens is not loaded yet".to_owned()),
            Standing::Stale => return Some("the list of tokens is not known to be current".to_owned()),
            Standing::Current => {}
        }
        if let Some(why) = self.full.lock().values().next() {
            return Some(format!("the heartbeat log takes nothing: {why}"));
        }
        let lanes: Vec<LaneHealth> = self.lanes.iter().map(|lane| *lane.lock()).collect();
        let elapsed = clock.elapsed();
        for (partition, lane) in lanes.iter().enumerate() {
            let Some(handled) = lane.last.map(|ack| ack.handled) else {
                return Some(format!(
                    "the heartbeat log has not acknowledged anything yet (partition {partition})"
                ));
            };
            let silent = elapsed.saturating_sub(handled);
            if silent >= ACKNOWLEDGED_WITHIN {
                let silent = silent.as_secs();
                return Some(format!(
                    "the heartbeat log has acknowledged nothing for {silent} s (partition {partition})"
                ));
            }
        }
        if !self.has_two_clocks() {
            return None;
        }
        if lanes.iter().any(|lane| lane.off.is_none()) {
            return Some("its clock was not compared with the heartbeat log's yet".to_owned());
        }
        self.clock_is_off().map(|off| format!("its clock is {off}"))
    }
}

#[cfg(test)]
mod tests {
    use ports::clock::ManualClock;

    use super::*;

    const START: EventTime = EventTime::from_secs(1_000_000);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Sealed at the start, logged `logged` ms later by the log's clock, handled `handled` ms later.
    fn ack(logged: i64, handled: u64) -> (Acknowledged, EventTime) {
        let acknowledged = Acknowledged {
            offset: Offset(1),
            sealed_at: START,
            handled_at: START + ms(handled),
            handled: ms(handled),
        };
        (acknowledged, EventTime::from_millis(START.as_millis() + logged))
    }

    /// Name, rules, token list, acknowledgements, milliseconds passed, and the trouble.
    type Case<'a> = (&'a str, TimeRules, Standing, &'a [(Acknowledged, EventTime)], u64, Option<&'a str>);

    #[test]
    fn says_why_it_is_not_ready() {
        let cases: &[Case<'_>] = &[
            ("loading", TimeRules::EMBEDDED, Standing::Loading, &[ack(1, 2)], 5, Some("not loaded")),
            ("stale", TimeRules::EMBEDDED, Standing::Stale, &[ack(1, 2)], 5, Some("not known to be current")),
            ("no ack yet", TimeRules::EMBEDDED, Standing::Current, &[], 5, Some("anything yet")),
            ("well", TimeRules::EMBEDDED, Standing::Current, &[ack(1, 2)], 3_001, None),
            ("no ack for 3 s", TimeRules::EMBEDDED, Standing::Current, &[ack(1, 2)], 3_002, Some("for 3 s")),
            ("one clock", TimeRules::EMBEDDED, Standing::Current, &[ack(9_000, 0)], 5, None),
            ("clocks agree", TimeRules::CLUSTER, Standing::Current, &[ack(3, 5)], 5, None),
            ("off by S", TimeRules::CLUSTER, Standing::Current, &[ack(505, 5)], 5, None),
            ("behind", TimeRules::CLUSTER, Standing::Current, &[ack(506, 5)], 5, Some("0.501 s behind")),
            ("ahead", TimeRules::CLUSTER, Standing::Current, &[ack(-501, 5)], 5, Some("0.501 s ahead")),
            (
                "a slow append tells nothing",
                TimeRules::CLUSTER,
                Standing::Current,
                &[ack(-501, 5), ack(0, 501)],
                501,
                Some("0.501 s ahead"),
            ),
            ("right again", TimeRules::CLUSTER, Standing::Current, &[ack(-501, 5), ack(0, 5)], 5, None),
        ];
        for (name, rules, tokens, acks, now, expected) in cases {
            let health = Health::new(1, *rules);
            for (ack, logged_at) in *acks {
                health.acknowledged(PartitionId(0), *ack);
                health.logged(PartitionId(0), *ack, *logged_at);
            }
            let clock = ManualClock::new(START);
            clock.advance(ms(*now));
            let trouble = health.trouble(*tokens, &clock);
            let clock_trouble = trouble.as_ref().is_some_and(|why| why.contains("clock"));
            assert!(!clock_trouble || !health.clock_agrees(), "{name}");
            match (&trouble, expected) {
                (None, None) => {}
                (Some(trouble), Some(expected)) if trouble.contains(expected) => {}
                (_, _) => panic!("{name}: {trouble:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn every_partition_must_be_acknowledged() {
        let health = Health::new(2, TimeRules::EMBEDDED);
        let clock = ManualClock::new(START);
        health.acknowledged(PartitionId(0), ack(0, 0).0);
        assert!(health.trouble(Standing::Current, &clock).is_some_and(|why| why.contains("partition 1")));
        health.acknowledged(PartitionId(1), ack(0, 0).0);
        assert_eq!(health.trouble(Standing::Current, &clock), None);
    }

    #[test]
    fn in_a_cluster_the_clock_is_compared_before_anything_else_is_taken() {
        let health = Health::new(1, TimeRules::CLUSTER);
        let (ack, logged_at) = ack(2, 5);
        health.acknowledged(PartitionId(0), ack);
        let trouble = health.trouble(Standing::Current, &ManualClock::new(START));
        assert!(trouble.is_some_and(|why| why.contains("not compared")) && !health.clock_agrees());
        assert_eq!(health.clock_offset(), None);
        health.logged(PartitionId(0), ack, logged_at);
        assert!(health.clock_agrees());
        assert_eq!(health.clock_offset(), Some(ClockOffset::NONE));
    }
}
