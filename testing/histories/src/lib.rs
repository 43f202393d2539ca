//! Builds logs: by hand for timelines, at random for properties.
#![expect(missing_docs, reason = "the crate serves tests, and its names say what they do")]

pub mod driver;
pub mod reference;

use std::time::Duration;

use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::{MonitorId, Revision};
use model::monitor::{Definition, DefinitionChange};
use model::schedule::Schedule;
use model::time::EventTime;
use model::wire::frame::{Frame, Listening};
use proptest::prelude::*;
use uuid::Uuid;

use driver::Entry;

/// Every history begins here.
pub const START: EventTime = EventTime::from_secs(1_000_000);

pub fn monitor(number: u8) -> MonitorId {
    MonitorId::from_uuid(Uuid::from_u128(number.into()))
}

pub fn period(timeout: u32, grace: u32) -> Definition {
    Definition { schedule: Schedule::Period { timeout }, grace, remind_every: 0, paused: false }
}

/// Writes a log the way nodes do, on the grid of quarter seconds.
pub struct Writer {
    pub now: EventTime,
    pub log: Vec<Entry>,
    nodes: Vec<Node>,
    revision: u64,
    held_back: Vec<Frame>,
}

#[derive(Clone)]
struct Node {
    boot: u64,
    number: u64,
    sealed_at: Option<EventTime>,
    /// Its clock is this many grid steps ahead of the log's.
    ahead: u32,
    refused: u64,
    queue: Vec<Heartbeat>,
}

impl Writer {
    pub fn new(nodes: usize) -> Self {
        let node = |boot| Node { boot, number: 0, sealed_at: None, ahead: 0, refused: 0, queue: Vec::new() };
        let nodes = (0..nodes as u64).map(node).collect();
        Self { now: START, log: Vec::new(), nodes, revision: 0, held_back: Vec::new() }
    }

    pub fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    /// A push reaches a node; it is in the log when the node seals its next frame.
    pub fn push(&mut self, node: usize, number: u8, kind: HeartbeatKind) {
        let received_at = self.clock(node);
        self.nodes[node].queue.push(Heartbeat {
            monitor: monitor(number),
            received_at,
            kind,
            message: None,
            value: None,
            source: None,
            output: None,
            trace: None,
        });
    }

    pub fn define(&mut self, number: u8, definition: Option<Definition>) {
        self.revision += 1;
        let change = DefinitionChange {
            monitor: monitor(number),
            revision: Revision(self.revision),
            at: self.now,
            definition,
        };
        let frame = Frame {
            node: "console".to_owned(),
            boot: 0,
            number: 0,
            sealed_at: self.now,
            listening: Listening::No,
            refused: 0,
            heartbeats: Vec::new(),
            definitions: vec![change],
            imported: Vec::new(),
        };
        self.append(frame);
    }

    pub fn seal(&mut self, node: usize) -> Frame {
        let sealed_at = self.clock(node);
        let node = &mut self.nodes[node];
        node.number += 1;
        let listening = node.sealed_at.map_or(Listening::First, Listening::Since);
        node.sealed_at = Some(sealed_at);
        Frame {
            node: "node".to_owned(),
            boot: node.boot,
            number: node.number,
            sealed_at,
            listening,
            refused: std::mem::take(&mut node.refused),
            heartbeats: std::mem::take(&mut node.queue),
            definitions: Vec::new(),
            imported: Vec::new(),
        }
    }

    pub fn append(&mut self, frame: Frame) {
        self.log.push(Entry { logged_at: self.now, frame });
    }

    pub fn restart(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        *node = Node {
            boot: node.boot + 1_000,
            number: 0,
            sealed_at: None,
            ahead: node.ahead,
            refused: 0,
            queue: Vec::new(),
        };
    }

    /// Every node listens and ticks for this many half seconds.
    pub fn tick(&mut self, half_seconds: u32) {
        for _ in 0..half_seconds {
            self.wait(Duration::from_millis(500));
            for node in 0..self.nodes.len() {
                let frame = self.seal(node);
                self.append(frame);
            }
        }
    }

    fn clock(&self, node: usize) -> EventTime {
        self.now + Duration::from_millis(250) * self.nodes[node].ahead
    }
}

#[derive(Debug, Clone)]
pub enum Op {
    Wait(u32),
    Tick(u32),
    Push {
        node: usize,
        monitor: u8,
        down: bool,
    },
    Seal {
        node: usize,
    },
    /// Seals a frame that lands later, or twice.
    SealLate {
        node: usize,
    },
    Land {
        twice: bool,
    },
    Lose {
        node: usize,
    },
    Restart {
        node: usize,
    },
    Refuse {
        node: usize,
    },
    Skew {
        node: usize,
        ahead: u32,
    },
    Define {
        monitor: u8,
        timeout: u32,
        grace: u32,
        remind: bool,
        paused: bool,
    },
    Delete {
        monitor: u8,
    },
}

const MONITORS: u8 = 4;

pub fn ops(nodes: usize) -> impl Strategy<Value = Vec<Op>> {
    let node = 0..nodes;
    let monitor = 0..MONITORS;
    let op = prop_oneof![
        3 => (1..30_u32).prop_map(Op::Wait),
        6 => (1..30_u32).prop_map(Op::Tick),
        8 => (node.clone(), monitor.clone(), proptest::bool::weighted(0.1))
            .prop_map(|(node, monitor, down)| Op::Push { node, monitor, down }),
        3 => node.clone().prop_map(|node| Op::Seal { node }),
        2 => node.clone().prop_map(|node| Op::SealLate { node }),
        2 => any::<bool>().prop_map(|twice| Op::Land { twice }),
        1 => node.clone().prop_map(|node| Op::Lose { node }),
        1 => node.clone().prop_map(|node| Op::Restart { node }),
        1 => node.clone().prop_map(|node| Op::Refuse { node }),
        1 => (node, 0..8_u32).prop_map(|(node, ahead)| Op::Skew { node, ahead }),
        3 => (monitor.clone(), 1..20_u32, 0..5_u32, any::<bool>(), proptest::bool::weighted(0.15)).prop_map(
            |(monitor, timeout, grace, remind, paused)| Op::Define { monitor, timeout, grace, remind, paused }
        ),
        1 => monitor.prop_map(|monitor| Op::Delete { monitor }),
    ];
    proptest::collection::vec(op, 1..120)
}

pub fn write(nodes: usize, ops: &[Op]) -> Vec<Entry> {
    let mut writer = Writer::new(nodes);
    for number in 0..MONITORS / 2 {
        writer.define(number, Some(period(3 + u32::from(number) * 4, 1)));
    }
    for op in ops {
        match *op {
            Op::Wait(steps) => writer.wait(Duration::from_millis(250) * steps),
            Op::Tick(half_seconds) => writer.tick(half_seconds),
            Op::Push { node, monitor, down } => {
                let kind = if down { HeartbeatKind::Down } else { HeartbeatKind::Up };
                writer.push(node, monitor, kind);
            }
            Op::Seal { node } => {
                let frame = writer.seal(node);
                writer.append(frame);
            }
            Op::SealLate { node } => {
                let frame = writer.seal(node);
                writer.held_back.push(frame);
            }
            Op::Land { twice } => {
                if let Some(frame) = writer.held_back.pop() {
                    if twice {
                        writer.append(frame.clone());
                    }
                    writer.append(frame);
                }
            }
            Op::Lose { node } => {
                let _ = writer.seal(node);
            }
            Op::Restart { node } => writer.restart(node),
            Op::Refuse { node } => writer.nodes[node].refused += 1,
            Op::Skew { node, ahead } => writer.nodes[node].ahead = ahead,
            Op::Define { monitor, timeout, grace, remind, paused } => {
                let remind_every = if remind { 60 } else { 0 };
                writer.define(monitor, Some(Definition { remind_every, paused, ..period(timeout, grace) }));
            }
            Op::Delete { monitor } => writer.define(monitor, None),
        }
    }
    writer.tick(40);
    writer.log
}
