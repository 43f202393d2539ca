//! The work that a sweep can do with entries.

use model::gaps::Gaps;
use model::ids::{MonitorId, Offset};
use model::time::EventTime;
use model::wire::frame::Frame;

use crate::replay::source::Start;

/// The work on the entries, partition after partition.
pub trait Work: Send + 'static {
    /// A partition begins here.
    fn begin(&mut self, start: Start);
    /// Whether the monitor is one of those that the work is about.
    fn wants(&self, monitor: MonitorId) -> bool;
    /// The entry that comes next.
    fn apply(&mut self, offset: Offset, logged_at: EventTime, frame: &Frame);
    /// An entry that cannot be read.
    fn skip(&mut self, offset: Offset);
    /// The log goes on after the entry at `applied`; what was before it is gone.
    fn re_anchor(&mut self, incarnation: &str, applied: Offset);
    /// How far the partition is decided.
    fn watermark(&self) -> Option<EventTime>;
    /// The partition ended. Its deaf time.
    fn end(&mut self) -> Gaps;
}
