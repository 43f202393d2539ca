//! A frame: one append to a partition's log.

use serde::{Deserialize, Serialize};

use crate::heartbeat::Heartbeat;
use crate::imported::Imported;
use crate::monitor::DefinitionChange;
use crate::time::EventTime;

/// One append to a partition's log: heartbeats, or definition changes, or nothing (a tick).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The node's name, for people.
    pub node: String,
    /// Random for each start of a node.
    pub boot: u64,
    /// Running number of the boot's frames in this partition, from 1.
    pub number: u64,
    /// When the frame was sealed, by the node's clock; not before any of its heartbeats.
    pub sealed_at: EventTime,
    /// Whether and since when its node was listening.
    pub listening: Listening,
    /// Pushes of this partition that were answered 503 since the boot's previous frame.
    pub refused: u64,
    /// The heartbeats, in order of receipt.
    pub heartbeats: Vec<Heartbeat>,
    /// The changes of definitions, in the order in which they were made.
    pub definitions: Vec<DefinitionChange>,
    /// Histories from elsewhere.
    pub imported: Vec<Imported>,
}

/// Whether and since when the frame's node was listening for pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listening {
    /// The frame was not sealed by an ingest node. It vouches for nothing, and does not move the watermark.
    No,
    /// The boot's first frame: it vouches for nothing yet.
    First,
    /// The boot's previous frame was sealed then.
    Since(EventTime),
    /// Several ticks of one boot in a row, each of which vouched, folded into one entry: since the seal
    /// before the first.
    Folded(EventTime),
}

impl Frame {
    /// Whether the frame carries nothing but its times: a log may write it late, and fold it with the next.
    pub const fn is_tick(&self) -> bool {
        self.heartbeats.is_empty()
            && self.definitions.is_empty()
            && self.imported.is_empty()
            && self.refused == 0
    }
}
