//! Shows an error with everything that it came from.

use std::error::Error;
use std::fmt;

/// Displays an error and its sources in one line: `append to the log: reach the server: connection refused`.
///
/// A source is left out whose text ends that of the error before it: some libraries repeat their sources
/// themselves.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            let text = error.to_string();
            if !said.ends_with(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
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
    fn a_source_that_its_error_repeats_is_shown_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("reach the server: refused")]
        struct Repeats(#[source] Refused);
        #[derive(Debug, thiserror::Error)]
        #[error("refused")]
        struct Refused;

        assert_eq!(Chain(&Repeats(Refused)).to_string(), "reach the server: refused");
    }

    #[test]
    fn shows_every_source() {
        let error = decode::<ApiKey>(&[ApiKey::VERSION, 0xc1]).expect_err("0xc1 begins no MessagePack value");
        assert!(matches!(error, WireError::Damaged { .. }));
        let shown = Chain(&error).to_string();
        assert!(shown.starts_with("decode key: "), "{shown}");
        assert!(shown.len() > "decode key: ".len(), "{shown}");
    }
}
