//! How much of a job's output is kept: outputs are left out before pushes are refused.

use bytes::Bytes;
use ports::heartbeat_log::LogRoom;

use crate::answer::KeptOutput;
use crate::metrics::{Metrics, OutputCut};
use crate::tokens::{Charge, TokenRef, Tokens};

/// Cuts an output to what its token and the room in the log allow. What is kept of it is charged.
pub(crate) fn fit(
    output: Option<Bytes>,
    token: TokenRef,
    charge: &mut Charge,
    tokens: &Tokens,
    room: LogRoom,
    metrics: &Metrics,
) -> (Option<Bytes>, KeptOutput) {
    let Some(output) = output else { return (None, KeptOutput::Whole) };
    if room == LogRoom::Short {
        metrics.output_cut(OutputCut::NoRoom);
        return (None, KeptOutput::Nothing);
    }
    let kept = tokens.output_bytes(token, output.len(), charge);
    if kept == output.len() {
        return (Some(output), KeptOutput::Whole);
    }
    metrics.output_cut(OutputCut::OverLimit);
    if kept == 0 {
        return (None, KeptOutput::Nothing);
    }
    // A copy: a slice would hold all of the bytes in memory.
    (Some(Bytes::copy_from_slice(&output[output.len() - kept..])), KeptOutput::End)
}
