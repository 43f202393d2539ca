//! Reads a body of any size, keeping its end and its parameters only.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use model::heartbeat::MAX_OUTPUT_BYTES;

use crate::accept::{Body, Scanned, Scanner};

/// The result of reading a body.
#[derive(Debug, PartialEq)]
pub(crate) enum ReceivedBody {
    /// All of it.
    Whole(Body),
    /// The part that came within the time allowed. The connection cannot be used any more.
    Late(Body),
    /// The client went away, or what it sent is not HTTP.
    BrokenOff,
}

/// Reads until the end of the body, or for `allowed`.
pub(crate) async fn receive(body: axum::body::Body, scanner: Scanner, allowed: Duration) -> ReceivedBody {
    if axum::body::HttpBody::is_end_stream(&body) {
        return ReceivedBody::Whole(Body { tail: Bytes::new(), scanned: Scanned::default() });
    }
    let mut reading = Reading { tail: Tail::default(), scanner };
    // The timer is armed only if the body has not arrived yet.
    let read = tokio::time::timeout(allowed, read(body, &mut reading)).await;
    match read {
        Ok(true) => ReceivedBody::Whole(reading.into_body()),
        Ok(false) => ReceivedBody::BrokenOff,
        Err(_elapsed) => ReceivedBody::Late(reading.into_body()),
    }
}

/// A body that is being read.
struct Reading {
    tail: Tail,
    scanner: Scanner,
}

impl Reading {
    fn into_body(self) -> Body {
        Body { tail: self.tail.into_bytes(), scanned: self.scanner.finish() }
    }
}

/// Whether the body ended as it should.
async fn read(body: axum::body::Body, reading: &mut Reading) -> bool {
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        // Trailers are ignored.
        if let Ok(data) = frame.into_data() {
            reading.tail.push(&data);
            reading.scanner.feed(&data);
        }
    }
    true
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

    #[tokio::test]
    async fn an_empty_body_needs_no_time() {
        let received = receive(axum::body::Body::empty(), Scanner::new(None), Duration::ZERO).await;
        let nothing = Body { tail: Bytes::new(), scanned: Scanned::default() };
        assert_eq!(received, ReceivedBody::Whole(nothing));
    }
}
