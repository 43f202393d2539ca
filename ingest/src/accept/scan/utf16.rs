//! Pure. Text in UTF-16, as PowerShell writes it, turned into UTF-8 piece by piece.

/// The order of the two bytes of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// Decodes one text.
#[derive(Debug)]
pub(super) struct Utf16 {
    order: Order,
    /// The first byte of a unit.
    byte: Option<u8>,
    /// The first unit of a character above U+FFFF.
    high: Option<u16>,
}

impl Utf16 {
    /// A decoder for a text that begins with these bytes: with a byte order mark, or with a character of
    /// ASCII, of which one byte is zero.
    pub(super) fn of(begin: &[u8]) -> Option<Self> {
        let order = match begin {
            [0xff, 0xfe, ..] | [1..=0x7f, 0, ..] => Order::Little,
            [0xfe, 0xff, ..] | [0, 1..=0x7f, ..] => Order::Big,
            _ => return None,
        };
        Some(Self { order, byte: None, high: None })
    }

    /// The next piece, in UTF-8; a byte order mark is left out.
    pub(super) fn decode(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut text = String::with_capacity(piece.len());
        for byte in piece {
            let Some(first) = self.byte.take() else {
                self.byte = Some(*byte);
                continue;
            };
            let unit = match self.order {
                Order::Little => u16::from_le_bytes([first, *byte]),
                Order::Big => u16::from_be_bytes([first, *byte]),
            };
            self.unit(unit, &mut text);
        }
        text.into_bytes()
    }

    fn unit(&mut self, unit: u16, text: &mut String) {
        const BYTE_ORDER_MARK: u16 = 0xfeff;
        let units: &[u16] = match self.high.take() {
            Some(high) => &[high, unit],
            None if (0xd800..=0xdbff).contains(&unit) => {
                self.high = Some(unit);
                return;
            }
            None if unit == BYTE_ORDER_MARK => return,
            None => &[unit],
        };
        text.extend(
            char::decode_utf16(units.iter().copied()).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER)),
        );
    }
}
