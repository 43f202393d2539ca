//! Pure. Text in UTF-32, as .NET and Python write it on demand, turned into UTF-8 piece by piece.

/// Bytes of a unit.
pub(super) const UNIT: usize = 4;

/// Decodes one text.
#[derive(Debug)]
pub(super) struct Utf32 {
    is_big_endian: bool,
    /// The first bytes of a unit.
    unit: Vec<u8>,
}

impl Utf32 {
    /// A decoder for a text that begins with these bytes: with a byte order mark, or with a character of
    /// ASCII, of which three bytes are zero.
    pub(super) fn of(begin: &[u8]) -> Option<Self> {
        let is_big_endian = match begin {
            [0xff, 0xfe, 0, 0, ..] | [1..=0x7f, 0, 0, 0, ..] => false,
            [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, 1..=0x7f, ..] => true,
            _ => return None,
        };
        Some(Self { is_big_endian, unit: Vec::with_capacity(UNIT) })
    }

    /// The next piece, in UTF-8; a byte order mark is left out.
    pub(super) fn decode(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut text = String::with_capacity(piece.len());
        for byte in piece {
            self.unit.push(*byte);
            let Ok(unit) = <[u8; UNIT]>::try_from(self.unit.as_slice()) else { continue };
            self.unit.clear();
            let unit = if self.is_big_endian { u32::from_be_bytes(unit) } else { u32::from_le_bytes(unit) };
            match char::from_u32(unit) {
                Some('\u{feff}') => {}
                Some(character) => text.push(character),
                None => text.push(char::REPLACEMENT_CHARACTER),
            }
        }
        text.into_bytes()
    }
}
