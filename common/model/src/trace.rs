//! Trace context: which trace of the client's a push belongs to, by W3C Trace Context level 1.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The content of a `traceparent` header. It travels with a heartbeat to the resulting flip and webhook, so
/// that the trace of a job shows its alert too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TraceContext {
    /// The whole trace's id; not zero.
    trace: (u64, u64),
    /// The sending span's id; not zero.
    parent: u64,
    /// Bit 0: it is recorded.
    flags: u8,
}

impl TraceContext {
    /// Reads a header's value; `None` if it is not one, which is no error: the push counts without it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lower_hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let well_formed =
            lower_hex(version, 2) && lower_hex(trace, 32) && lower_hex(parent, 16) && lower_hex(flags, 2);
        // Version ff is forbidden; version 00 has four parts, later ones may have more.
        if !well_formed || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|trace| *trace != 0)?;
        let parent = u64::from_str_radix(parent, 16).ok().filter(|parent| *parent != 0)?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let halves = (u64::try_from(trace >> 64).ok()?, u64::try_from(trace & u128::from(u64::MAX)).ok()?);
        Some(Self { trace: halves, parent, flags: flags & 1 })
    }

    /// The same trace, as it goes on from a span of ours.
    #[must_use]
    pub const fn from_span(self, span: u64) -> Self {
        Self { parent: if span == 0 { 1 } else { span }, ..self }
    }

    /// The trace's id, for logs.
    pub fn trace_id(&self) -> String {
        format!("{:016x}{:016x}", self.trace.0, self.trace.1)
    }
}

/// Formats the value of the header.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:016x}{:016x}-{:016x}-{:02x}", self.trace.0, self.trace.1, self.parent, self.flags)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_read_and_written() {
        let context = TraceContext::parse(GOOD).expect("it is good");
        assert_eq!(context.to_string(), GOOD);
        assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let ours = context.from_span(0xabc).to_string();
        assert_eq!(ours, "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000abc-01");
        let later = format!("01{}-what-may-come", &GOOD[2..]);
        assert_eq!(TraceContext::parse(&later), Some(context));
    }

    #[test]
    fn what_is_no_header_is_none() {
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }
}
