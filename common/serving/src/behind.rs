//! What a client sent behind the head of a request that says nothing of a body.
//!
//! HTTP/1.0 clients and programs written by hand forget the length. Then the body is no part of the request,
//! and what it says would be lost.

/// Bytes behind a head that are kept: enough for the method of another request.
pub(super) const KEPT: usize = 16;

/// What another request may begin with.
const METHODS: [&[u8]; 9] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"OPTIONS ", b"DELETE ", b"PATCH ", b"CONNECT ", b"TRACE "];

/// Finds the end of a head in what is read, and keeps what comes behind it.
#[derive(Debug, Default)]
pub(super) struct HeadEnd {
    /// Whether a line has begun.
    began: bool,
    /// Whether the line that is being read has no characters so far.
    is_line_empty: bool,
    has_ended: bool,
    behind: Vec<u8>,
}

impl HeadEnd {
    /// Takes bytes of a head, or behind it.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for (index, byte) in bytes.iter().enumerate() {
            if self.has_ended {
                let room = KEPT.saturating_sub(self.behind.len());
                self.behind.extend(bytes.iter().skip(index).take(room));
                return;
            }
            match byte {
                // Line breaks in front of a request do not count (RFC 9112, section 2.2).
                b'\n' => {
                    self.has_ended = self.began && self.is_line_empty;
                    self.is_line_empty = true;
                }
                b'\r' => {}
                _ => {
                    self.began = true;
                    self.is_line_empty = false;
                }
            }
        }
    }

    /// What came behind the head, up to [`KEPT`] bytes. The next head begins.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).behind
    }
}

/// Whether these bytes are nothing, or another request, or its beginning.
pub(super) fn may_be_a_request(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    METHODS.iter().any(|method| method.starts_with(bytes) || bytes.starts_with(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_behind_a_head_is_found_in_any_pieces() {
        for (sent, expected) in [
            ("POST / HTTP/1.0\r\nhost: a\r\n\r\nstatus=down", "status=down"),
            ("POST / HTTP/1.0\n\nstatus=down", "status=down"),
            ("\r\n\r\nPOST / HTTP/1.1\r\n\r\n", ""),
            ("POST / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r"),
            ("POST / HTTP/1.1\r\nhost: a\r\n", ""),
        ] {
            for step in [1, 3, 100] {
                let mut end = HeadEnd::default();
                sent.as_bytes().chunks(step).for_each(|piece| end.feed(piece));
                assert_eq!(end.take(), expected.as_bytes(), "{sent:?} by {step}");
            }
        }
    }

    #[test]
    fn a_request_behind_a_request_is_no_body() {
        for (bytes, expected) in [
            ("", true),
            ("\r\n", true),
            ("GET /x", true),
            ("\r\nPO", true),
            ("status=down", false),
            ("{\"status\":", false),
            ("DOWN", false),
            ("PUTS ", false),
        ] {
            assert_eq!(may_be_a_request(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }
}
