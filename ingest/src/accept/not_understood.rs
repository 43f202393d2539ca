//! Pure. Why a push is refused: it tried to say something, and was not understood.

use std::fmt;

use super::found::Name;
use super::scan::Trouble;

/// What was not understood. The push is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotUnderstood {
    /// A parameter is not what it must be.
    Parameter(Name),
    /// The body, and the query does not make up for it.
    Body(Trouble),
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parameter(Name::Status) => "status must be 'up' or 'down'",
            Self::Parameter(Name::ExitCode | Name::Code) => {
                "exit_code (also rc, exit_status, return_code; in the URL also exit, ret, and below 100 code, status_code) must be a whole number from 0 to 255"
            }
            Self::Parameter(Name::Success) => "success must be 'true' or 'false'",
            Self::Parameter(Name::State) => "state must be 'complete', 'ok', 'tick' or 'fail'",
            Self::Parameter(Name::Snitch) => "s must be a whole number, 0 if all went well",
            Self::Parameter(Name::Value | Name::Ping) => "value must be a finite decimal number",
            Self::Parameter(Name::Message) => "msg must be text",
            Self::Body(Trouble::Json) => {
                "the body begins like JSON or says that it is, and cannot be read to its end; put status into the URL, or send text as text/plain"
            }
            Self::Body(Trouble::Multipart) => {
                "the body is multipart, and is no form-data, has no boundary or no end, or has parts within a part; put status into the URL"
            }
            Self::Body(Trouble::Lines) => {
                "the body is lines of names and values, which are not read, and one of them says that the job failed: send a form or JSON, or output as text/plain"
            }
            Self::Body(Trouble::Late) => {
                "the body did not arrive whole: it paused for 30 s, or took 10 minutes in all; put status into the URL"
            }
            Self::Body(Trouble::BrokenOff) => "the body broke off",
            Self::Body(Trouble::Damaged) => "the compressed body is damaged or cut off",
            Self::Body(Trouble::TooLong) => "the compressed body unpacks to more than 64 MiB",
            Self::Body(Trouble::ListOfStatuses) => {
                "the body is a list of objects with a status or exit_code each: send one object"
            }
        })
    }
}
