//! What a push says, from any bytes: nothing panics, it does not matter in which pieces a body comes, and a
//! strict JSON object or a plain form that says down is never up.
//!
//! The input is a content type's number, the length of the pieces, the query up to a line break, and the body.

#![no_main]

// The modules are pure, so that they can be had without the rest of ingest.
#[path = "../../ingest/src"]
#[expect(dead_code, reason = "the target does not use all of it")]
mod ingest {
    pub(crate) mod accept;
}

use bytes::Bytes;
use ingest::accept::{Body, Scanner, Trouble, accept};
use libfuzzer_sys::fuzz_target;
use model::heartbeat::{HeartbeatKind, MAX_MESSAGE_CHARS};

const KINDS: [Option<&[u8]>; 6] = [
    None,
    Some(b"application/json"),
    Some(b"application/x-www-form-urlencoded"),
    Some(b"multipart/form-data; boundary=x"),
    Some(b"text/plain"),
    Some(b"image/png"),
];

fuzz_target!(|input: &[u8]| {
    let [kind, step, rest @ ..] = input else { return };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let (query, body) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => (str::from_utf8(&rest[..end]).ok(), &rest[end + 1..]),
        None => (None, rest),
    };
    let read = |step: usize| {
        let mut scanner = Scanner::new(kind);
        body.chunks(step).for_each(|piece| scanner.feed(piece));
        scanner.finish()
    };
    let whole = read(body.len().max(1));
    assert_eq!(read(usize::from(*step) + 1), whole);
    let tail = Bytes::copy_from_slice(body);

    let cut = Body { tail: tail.clone(), scanned: read(1).cut_short(Trouble::BrokenOff) };
    if let Ok(accepted) = accept(query, cut) {
        assert!(query.is_some());
        assert!(accepted.output.is_some() || body.is_empty());
    }

    let Ok(accepted) = accept(query, Body { tail, scanned: whole }) else { return };
    assert!(accepted.value.is_none_or(f64::is_finite));
    assert!(accepted.message.is_none_or(|text| text.chars().count() <= MAX_MESSAGE_CHARS));
    if says_down(kind, body) {
        assert_eq!(accepted.kind, HeartbeatKind::Down);
    }
});

/// Whether the body says down in a form that leaves no doubt.
fn says_down(kind: Option<&[u8]>, body: &[u8]) -> bool {
    let is_form = kind == KINDS[2] && body.split(|byte| *byte == b'&').any(|pair| pair == b"status=down");
    let begin = body.first();
    if is_form && begin.is_some_and(|byte| byte.is_ascii_alphanumeric()) && !body.contains(&0) {
        return true;
    }
    if kind == KINDS[3] || kind == KINDS[4] || body.contains(&0) {
        return false;
    }
    let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(body) else { return false };
    object.get("status").and_then(serde_json::Value::as_str) == Some("down") && !object.contains_key("alerts")
}
