//! The size of a heartbeat's texts.

use model::heartbeat::Heartbeat;

/// Bytes of a heartbeat's message and output.
pub(crate) fn text_bytes(heartbeat: &Heartbeat) -> usize {
    heartbeat.message.as_ref().map_or(0, String::len)
        + heartbeat.output.as_ref().map_or(0, |output| output.len())
}
