//! A push on its way into a frame.

use std::net::IpAddr;

use model::ids::MonitorId;
use model::trace::TraceContext;

use crate::accept::Accepted;
use crate::answer::KeptOutput;
use crate::tokens::Charge;

/// A push that waits to be recorded.
pub(crate) struct Push {
    pub(crate) monitor: MonitorId,
    pub(crate) accepted: Accepted,
    /// How much of its output is in it.
    pub(crate) kept: KeptOutput,
    pub(crate) origin: Origin,
    pub(crate) charge: Charge,
}

/// The origin of a push.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Origin {
    /// The client's address.
    pub(crate) source: Option<IpAddr>,
    /// The client's trace.
    pub(crate) trace: Option<TraceContext>,
}

/// The push was not taken, and is counted as refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// The author of frames: a start of a node.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    pub(crate) node: String,
    /// Random for each start.
    pub(crate) boot: u64,
}
