//! Reads values that may hold a secret: errors do not repeat them, as those of clap do.

use std::ffi::OsStr;
use std::fmt::Display;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;

/// A parser of such values.
pub(crate) struct Discreet<T, E>(fn(&str) -> Result<T, E>);

impl<T, E> Clone for Discreet<T, E> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

/// Reads values by this function.
pub(crate) const fn by<T, E>(read: fn(&str) -> Result<T, E>) -> Discreet<T, E> {
    Discreet(read)
}

/// Reads values as their type does.
pub(crate) const fn parsed<T: FromStr>() -> Discreet<T, T::Err> {
    Discreet(T::from_str)
}

impl<T, E> TypedValueParser for Discreet<T, E>
where
    T: Clone + Send + Sync + 'static,
    E: Display + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let refused = |why: String| {
            let argument = argument.map(ToString::to_string).unwrap_or_default();
            let text = format!("invalid value for '{argument}': {why}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        };
        let text = value.to_str().ok_or_else(|| refused("it is not UTF-8".to_owned()))?;
        (self.0)(text).map_err(|error| refused(error.to_string()))
    }
}
