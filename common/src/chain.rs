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
    use crate::ports::registry::RegistryError;

    #[test]
    fn shows_every_source() {
        let error = RegistryError::Unavailable("connection refused".into());
        assert_eq!(Chain(&error).to_string(), "reach the registry: connection refused");
    }
}
