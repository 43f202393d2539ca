//! Pure. What cannot be seen in front of a body, and what shows that it is multipart.

use super::json::RECORD_SEPARATOR;

/// The most bytes of a character in UTF-8.
const MAX_CHARACTER: usize = 4;

/// A no-break space in Latin-1. No character begins with it in UTF-8.
const LATIN_1_SPACE: u8 = 0xa0;

/// A body without the blanks and marks in front of it, of all of Unicode. `Err`: it begins with a character
/// that is not there whole, and perhaps another mark.
pub(super) fn visible(mut begin: &[u8]) -> Result<&[u8], &[u8]> {
    while let Some(byte) = begin.first() {
        let length = match byte {
            _ if byte.is_ascii_whitespace() => 1,
            &RECORD_SEPARATOR | &LATIN_1_SPACE => 1,
            _ if byte.is_ascii() => break,
            _ => match first_character(begin) {
                Ok(Some(character)) if is_invisible(character) => character.len_utf8(),
                Ok(_) => break,
                Err(Cut) => return Err(begin),
            },
        };
        begin = begin.get(length..).unwrap_or_default();
    }
    Ok(begin)
}

struct Cut;

/// `None` if it is not UTF-8.
fn first_character(begin: &[u8]) -> Result<Option<char>, Cut> {
    let first = begin.get(..MAX_CHARACTER).unwrap_or(begin);
    match std::str::from_utf8(first) {
        Ok(text) => Ok(text.chars().next()),
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => Err(Cut),
        Err(error) => {
            let valid = first.get(..error.valid_up_to()).unwrap_or_default();
            Ok(std::str::from_utf8(valid).ok().and_then(|text| text.chars().next()))
        }
    }
}

const fn is_invisible(character: char) -> bool {
    // Spaces without a width, which join words or part them, and the mark of the byte order.
    character.is_whitespace() || matches!(character, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// A body without the quotation mark in front of it: the shell of Windows passes apostrophes on, and word
/// processors make other marks of them. JSON texts begin with the double one, which is no such mark.
pub(super) fn without_quote(begin: &[u8]) -> &[u8] {
    match begin {
        [b'\'' | b'`', rest @ ..] => rest.trim_ascii_start(),
        // The code page of Windows, and Unicode.
        [0x91..=0x94, rest @ ..] | [0xe2, 0x80, 0x98..=0x9f, rest @ ..] => rest.trim_ascii_start(),
        _ => begin,
    }
}

/// The longest boundary of a multipart body (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// What a part's head begins with in all that clients send.
const PART: &[u8] = b"content-disposition:";

/// How a body begins.
pub(super) enum Boundary<'a> {
    /// Like a multipart one, which names its boundary.
    Named(&'a [u8]),
    /// What came is too short to tell.
    Unclear,
    None,
}

impl<'a> Boundary<'a> {
    /// What a body that begins with these bytes shows in its first two lines.
    pub(super) fn of(begin: &'a [u8]) -> Self {
        let Some(line) = begin.strip_prefix(b"--") else {
            return if begin == b"-" { Self::Unclear } else { Self::None };
        };
        let Some(end) = line.iter().take(MAX_BOUNDARY + 2).position(|byte| *byte == b'\n') else {
            return if line.len() < MAX_BOUNDARY + 2 { Self::Unclear } else { Self::None };
        };
        let (boundary, rest) = line.split_at(end);
        let boundary = boundary.trim_ascii_end();
        let head = rest.get(1..).unwrap_or_default();
        let known = head.len().min(PART.len());
        match head.get(..known).zip(PART.get(..known)) {
            Some((head, part)) if !boundary.is_empty() && head.eq_ignore_ascii_case(part) => {
                if known == PART.len() { Self::Named(boundary) } else { Self::Unclear }
            }
            Some(_) | None => Self::None,
        }
    }
}
