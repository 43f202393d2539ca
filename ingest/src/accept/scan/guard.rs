//! Pure. What stands in front of JSON that is meant for browsers and editors: guards against being run,
//! calls, comments. JSON behind it is not read, and must not be taken for output if it says something.

use super::super::found::Name;

/// What servers put in front of their JSON, so that no page runs it.
const GUARDS: [&[u8]; 7] =
    [b")]}'", b")]}", b"while(1);", b"while (1);", b"while(true);", b"while (true);", b"for(;;);"];

/// Bytes in front of JSON that are looked at.
const MOST: usize = 1_024;

/// The longest name that is compared with ours.
const MAX_NAME: usize = 32;

/// How a body begins.
#[derive(Debug, PartialEq)]
pub(super) enum Guard<'a> {
    /// Something stands in front of JSON, which begins here.
    Before(&'a [u8]),
    /// What came is too short to tell.
    Unclear,
    None,
}

/// One thing in front of JSON.
enum Skipped<'a> {
    Until(&'a [u8]),
    Cut,
    Nothing,
}

impl<'a> Guard<'a> {
    /// What a body that begins with these bytes begins with.
    pub(super) fn of(begin: &'a [u8]) -> Self {
        let unclear = if begin.len() < MOST { Self::Unclear } else { Self::None };
        // Never more than that, so that it does not matter in which pieces a body comes.
        let looked_at = begin.get(..MOST).unwrap_or(begin);
        let mut rest = looked_at;
        loop {
            match skip(rest) {
                Skipped::Until(behind) => rest = behind.trim_ascii_start(),
                Skipped::Cut => return unclear,
                Skipped::Nothing => return Self::None,
            }
            match rest {
                [] => return unclear,
                [b'{' | b'[', ..] => {
                    return Self::Before(begin.get(looked_at.len() - rest.len()..).unwrap_or_default());
                }
                _ => {}
            }
        }
    }
}

/// A body without the first thing in it that may stand in front of JSON.
fn skip(begin: &[u8]) -> Skipped<'_> {
    for guard in GUARDS {
        if let Some(behind) = begin.strip_prefix(guard) {
            return Skipped::Until(behind.strip_prefix(b",").unwrap_or(behind));
        }
        if guard.starts_with(begin) {
            return Skipped::Cut;
        }
    }
    let behind = |end: &[u8]| {
        let at = begin.windows(end.len()).position(|bytes| bytes == end);
        at.and_then(|at| begin.get(at + end.len()..)).map_or(Skipped::Cut, Skipped::Until)
    };
    match begin {
        [b'/', b'*', ..] => behind(b"*/"),
        [b'/', b'/', ..] | [b'#', ..] | [b'-', b'-', b'-', b'\r' | b'\n', ..] => behind(b"\n"),
        b"/" | b"-" | b"--" | b"---" => Skipped::Cut,
        _ => call(begin),
    }
}

/// A body without the name of a function and the parenthesis behind it.
fn call(begin: &[u8]) -> Skipped<'_> {
    let is_of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_$.".contains(byte);
    let end = begin.iter().position(|byte| !is_of_a_name(byte)).unwrap_or(begin.len());
    let behind = begin.get(end..).unwrap_or_default().trim_ascii_start();
    match behind {
        [] => Skipped::Cut,
        [b'(', behind @ ..] if end > 0 => Skipped::Until(behind),
        _ => Skipped::Nothing,
    }
}

/// Whether bytes that cannot be read as JSON name a status or an exit code.
#[derive(Debug, Default)]
pub(super) struct Mention {
    word: Vec<u8>,
    /// Whether the last word names one.
    names_one: bool,
    is_made: bool,
}

impl Mention {
    pub(super) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
                if self.word.len() <= MAX_NAME {
                    self.word.push(*byte);
                }
                continue;
            }
            if !self.word.is_empty() {
                let name = Name::of(&String::from_utf8_lossy(&self.word));
                self.names_one = matches!(name, Some(Name::Status | Name::ExitCode));
                self.word.clear();
            }
            match byte {
                b':' | b'=' => self.is_made |= self.names_one,
                b'"' | b'\'' | b'\\' => {}
                _ if byte.is_ascii_whitespace() => {}
                _ => self.names_one = false,
            }
        }
    }

    /// Whether a name of ours and a colon or an equals sign came.
    pub(super) const fn is_made(&self) -> bool {
        self.is_made
    }
}
