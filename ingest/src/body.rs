//! Reads a body of any size, keeping its end and its parameters only.

mod unpack;

use std::collections::VecDeque;
use std::io;
use std::pin::pin;

use bytes::Bytes;
use http_body_util::BodyExt;
use model::heartbeat::MAX_OUTPUT_BYTES;
use tokio::time::{Instant, timeout_at};

use crate::accept::{Body, Scanner, Trouble};
use crate::config::Limits;
pub(crate) use unpack::Encoding;
use unpack::{Unpackable, Unpacker};

/// Packed bytes that are unpacked before others have their turn: they may become a thousand times as many,
/// and reading 64 kB is a millisecond's work.
const UNPACKED_IN_ONE_GO: usize = 64;

/// What is kept of a body that is being read.
pub(crate) struct Reading {
    tail: Tail,
    scanner: Scanner,
}

impl Reading {
    pub(crate) fn new(content_type: Option<&[u8]>) -> Self {
        Self { tail: Tail::default(), scanner: Scanner::new(content_type) }
    }

    /// The body, which came to its end.
    pub(crate) fn into_whole(self) -> Body {
        Body { tail: self.tail.into_bytes(), scanned: self.scanner.finish() }
    }

    /// What came of a body.
    pub(crate) fn into_part(self, trouble: Trouble) -> Body {
        let Body { tail, scanned } = self.into_whole();
        Body { tail, scanned: scanned.cut_short(trouble) }
    }
}

impl io::Write for Reading {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.tail.push(piece);
        self.scanner.feed(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a body to its end, within the limits of time and length.
///
/// # Errors
/// Why it did not arrive whole. The connection cannot be used again.
pub(crate) async fn receive(
    body: axum::body::Body,
    encoding: Encoding,
    reading: &mut Reading,
    limits: &Limits,
) -> Result<(), Trouble> {
    let mut body = pin!(body);
    let mut unpacker = Unpacker::new(encoding, reading, limits.unpacked_bytes);
    let end = Instant::now() + limits.body_time;
    loop {
        let until = end.min(Instant::now() + limits.body_pause);
        let frame = timeout_at(until, body.frame()).await.map_err(|_elapsed| Trouble::Late)?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_error| Trouble::BrokenOff)?;
        // Trailers are ignored.
        let Ok(data) = frame.into_data() else { continue };
        if unpacker.is_plain() {
            unpacker.feed(&data)?;
            continue;
        }
        for piece in data.chunks(UNPACKED_IN_ONE_GO) {
            unpacker.feed(piece)?;
            tokio::task::yield_now().await;
        }
    }
    unpacker.finish()?;
    Ok(())
}

impl From<Unpackable> for Trouble {
    fn from(error: Unpackable) -> Self {
        match error {
            Unpackable::Damaged => Self::Damaged,
            Unpackable::TooLong => Self::TooLong,
        }
    }
}

/// The last bytes of what was pushed, at most [`MAX_OUTPUT_BYTES`]; a ring, so that many small pieces stay
/// cheap.
#[derive(Debug, Default)]
struct Tail {
    kept: VecDeque<u8>,
}

impl Tail {
    fn push(&mut self, piece: &[u8]) {
        let dropped = (self.kept.len() + piece.len()).saturating_sub(MAX_OUTPUT_BYTES);
        let old = dropped.min(self.kept.len());
        self.kept.drain(..old);
        let new = &piece[dropped - old..];
        let needed = self.kept.len() + new.len();
        if needed > self.kept.capacity() {
            // Doubling, but never beyond what can be kept.
            let target = needed.max(self.kept.capacity() * 2).min(MAX_OUTPUT_BYTES);
            self.kept.reserve_exact(target - self.kept.len());
        }
        self.kept.extend(new);
    }

    fn into_bytes(self) -> Bytes {
        let Self { mut kept } = self;
        kept.shrink_to_fit();
        Bytes::from(Vec::from(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(pieces: &[Vec<u8>]) -> Bytes {
        let mut tail = Tail::default();
        for piece in pieces {
            tail.push(piece);
            assert!(tail.kept.capacity() <= MAX_OUTPUT_BYTES, "{}", tail.kept.capacity());
        }
        tail.into_bytes()
    }

    #[test]
    fn keeps_the_end_in_pieces_of_any_size() {
        let all: Vec<u8> = (0..60_000_u32).map(|n| (n % 251) as u8).collect();
        for length in [0, 1, 9_999, 10_000, 10_001, 20_000, 59_999] {
            for step in [1, 7, 4_096, 9_999, 10_000, 16_384, 60_000] {
                let sent = &all[..length];
                let body = tail_of(&sent.chunks(step).map(<[u8]>::to_vec).collect::<Vec<_>>());
                assert_eq!(body, sent[length.saturating_sub(MAX_OUTPUT_BYTES)..], "{length} by {step}");
            }
        }
    }
}
