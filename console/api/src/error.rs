//! Why the role cannot do its job.

use model::networks::AddressListError;

/// Why the console cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The public address cannot be one.
    #[error("use the public URL: it must be an http or https URL without query and fragment")]
    PublicUrl {
        /// The parser's error, if the text is no URL at all.
        #[source]
        source: Option<url::ParseError>,
    },
    /// A list of networks cannot be read.
    #[error("read the list of allowed private networks")]
    AllowPrivate(#[source] AddressListError),
}

impl Error {
    /// Whether trying again can help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::PublicUrl { .. } | Self::AllowPrivate(_) => false,
        }
    }
}
