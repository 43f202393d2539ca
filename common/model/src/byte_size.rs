//! Numbers of bytes as people type and read them.

use std::fmt;
use std::str::FromStr;

/// Bytes: `500MB`, `2GiB`, `1.5 GB`, or a bare number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ByteSize(pub u64);

/// Why a text is not a number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ByteSizeError {
    /// Something else than a number and a unit.
    #[error("write it like 500MB, 2GiB or 1.5GB (a bare number means bytes)")]
    Malformed,
    /// More than 64 bits of bytes.
    #[error("this is too large")]
    TooLarge,
}

/// Largest first: a size is shown in the largest unit that it is a whole number of.
const UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
];

impl ByteSize {
    /// Whether it is nothing at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, ByteSizeError> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let factor = factor(unit.trim_start()).ok_or(ByteSizeError::Malformed)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let fits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // Nine digits after the point are more than anybody means.
        if !fits(whole) || !fits(part) || part.len() > 9 {
            return Err(ByteSizeError::Malformed);
        }
        let digit = |digits: &str| digits.parse::<u64>().map_err(|_| ByteSizeError::TooLarge);
        let scale = 10_u128.pow(u32::try_from(part.len()).unwrap_or(0));
        let part = u128::from(digit(part)?) * u128::from(factor) / scale;
        let whole = digit(whole)?.checked_mul(factor).ok_or(ByteSizeError::TooLarge)?;
        let bytes = u64::try_from(part).ok().and_then(|part| whole.checked_add(part));
        bytes.map(Self).ok_or(ByteSizeError::TooLarge)
    }
}

/// The bytes of a unit, in any case; `G` alone means what it means to `df` and `truncate`.
fn factor(unit: &str) -> Option<u64> {
    if unit.is_empty() || unit.eq_ignore_ascii_case("B") {
        return Some(1);
    }
    let same = |(name, _): &&(&str, u64)| {
        let short = name.trim_end_matches("iB");
        unit.eq_ignore_ascii_case(name) || (name.len() == 3 && unit.eq_ignore_ascii_case(short))
    };
    UNITS.iter().find(same).map(|(_, bytes)| *bytes)
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, bytes)| self.0 > 0 && self.0.is_multiple_of(*bytes));
        match whole {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, expected) in [
            ("0", 0),
            ("4096", 4_096),
            ("10B", 10),
            ("500MB", 500_000_000),
            ("500 mb", 500_000_000),
            ("2GiB", 2 << 30),
            ("2gib", 2 << 30),
            ("2G", 2 << 30),
            ("64m", 64 << 20),
            ("1.5GB", 1_500_000_000),
            (" 600kB ", 600_000),
            ("600KB", 600_000),
            ("600K", 600 << 10),
            ("0.5KiB", 512),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(expected)), "{text}");
        }
        for text in
            ["", "GB", "-1", "1,5GB", "1.GB", ".5GB", "1.2.3", "5 apples", "5GBs", "1.0123456789GB", "ä"]
        {
            assert_eq!(text.parse::<ByteSize>(), Err(ByteSizeError::Malformed), "{text}");
        }
        for text in ["18446744073709551616", "20000000TB", "99999999999999999999GB"] {
            assert_eq!(text.parse::<ByteSize>(), Err(ByteSizeError::TooLarge), "{text}");
        }
    }

    #[test]
    fn shows_the_largest_unit_that_is_whole() {
        for (bytes, expected) in [
            (0, "0"),
            (1, "1"),
            (600_000, "600kB"),
            (8 << 30, "8GiB"),
            (1_500_000_000, "1500MB"),
            (1_536, "1536"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), expected);
        }
    }
}
