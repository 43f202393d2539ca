//! Packs many arguments of a script into one.
//!
//! Redis takes about a tenth of a microsecond for each argument of a command. One argument that the script
//! unpacks itself, a MessagePack array of byte strings, costs less than half of that.

/// A MessagePack array that is being written.
#[derive(Debug, Default)]
pub(super) struct Packer {
    count: u32,
    body: Vec<u8>,
}

impl Packer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.count += 1;
        match u32::try_from(bytes.len()).unwrap_or(u32::MAX) {
            small @ 0..=0x1f => self.body.push(0xa0 | u8::try_from(small).unwrap_or(0)),
            long => {
                self.body.push(0xdb);
                self.body.extend_from_slice(&long.to_be_bytes());
            }
        }
        self.body.extend_from_slice(bytes);
    }

    pub(super) fn push_array(&mut self, array: &Self) {
        self.count += 1;
        array.write(&mut self.body);
    }

    /// Splits the byte strings into arrays of at most `most`, each beginning with `first`.
    ///
    /// Only for arrays of byte strings.
    pub(super) fn split(&self, most: usize, first: &[u8]) -> Vec<Self> {
        let mut parts = Vec::new();
        let (mut left, mut body) = (self.len(), self.body.as_slice());
        while left > 0 {
            let count = left.min(most);
            let length =
                (0..count).fold(0, |length, _| length + item_length(body.get(length..).unwrap_or_default()));
            let (items, rest) = body.split_at_checked(length).unwrap_or((body, &[]));
            let mut part = Self::default();
            part.push(first);
            part.count += u32::try_from(count).unwrap_or(u32::MAX);
            part.body.extend_from_slice(items);
            parts.push(part);
            (left, body) = (left - count, rest);
        }
        parts
    }

    pub(super) const fn len(&self) -> usize {
        self.count as usize
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn finish(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.body.len() + 5);
        self.write(&mut bytes);
        bytes
    }

    fn write(&self, into: &mut Vec<u8>) {
        into.push(0xdd);
        into.extend_from_slice(&self.count.to_be_bytes());
        into.extend_from_slice(&self.body);
    }
}

/// Length of the first byte string, with its head.
fn item_length(packed: &[u8]) -> usize {
    match packed {
        [0xdb, a, b, c, d, ..] => 5 + u32::from_be_bytes([*a, *b, *c, *d]) as usize,
        [small, ..] => 1 + usize::from(small & 0x1f),
        [] => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_split_between_byte_strings() {
        let long = "long".repeat(20);
        let mut packer = Packer::default();
        ["a", "b", &long, "d", ""].iter().for_each(|text| packer.push(text.as_bytes()));
        let parts: Vec<Vec<String>> = packer
            .split(2, b"key")
            .iter()
            .map(|part| rmp_serde::from_slice(&part.finish()).expect("readable"))
            .collect();
        assert_eq!(parts, [vec!["key", "a", "b"], vec!["key", &long, "d"], vec!["key", ""]]);
        assert!(Packer::default().split(2, b"key").is_empty());
    }

    #[test]
    fn is_messagepack() {
        let mut inner = Packer::default();
        inner.push(&[7; 100]);
        let mut packer = Packer::default();
        packer.push(b"short");
        packer.push_array(&inner);
        let read: (String, Vec<String>) = rmp_serde::from_slice(&packer.finish()).expect("readable");
        assert_eq!(read, ("short".to_owned(), vec!["\u{7}".repeat(100)]));
        assert_eq!((packer.len(), inner.is_empty()), (2, false));
    }
}
