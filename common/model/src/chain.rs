//! Shows an error with everything that it came from.

use std::error::Error;
use std::fmt;

/// Displays an error and its sources in one line: `append to the log: reach the server: connection refused`.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::ApiKey;
    use crate::wire::{Message, WireError, decode};

    #[test]
    fn shows_every_source() {
        let error = decode::<ApiKey>(&[ApiKey::VERSION, 0xc1]).expect_err("0xc1 begins no MessagePack value");
        assert!(matches!(error, WireError::Damaged { .. }));
        let shown = Chain(&error).to_string();
        assert!(shown.starts_with("decode key: "), "{shown}");
        assert!(shown.len() > "decode key: ".len(), "{shown}");
    }
}
