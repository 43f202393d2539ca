//! Why the role cannot do its job.

use model::networks::AddressListError;
use ports::registry::RegistryError;

/// Why the console cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The public address cannot be one.
    #[error("use the public URL: it must be an http or https URL without query and fragment")]
    PublicUrl {
        /// What the parser says, if it is no URL at all.
        #[source]
        source: Option<url::ParseError>,
    },
    /// A list of networks cannot be read.
    #[error("read the list of allowed private networks")]
    AllowPrivate(#[source] AddressListError),
    /// A key of one's own is too easy to guess.
    #[error("use the given API key: it must be at least 16 visible ASCII characters")]
    WeakKey,
    /// The key that is to be the admin key was made for reading only, and whoever has it must not become an admin.
    #[error("use the given API key: it is a read key of this server, and an admin key is needed")]
    ReadKey,
    /// The registry failed.
    #[error("look after the admin key")]
    Registry(#[from] RegistryError),
}

impl Error {
    /// Whether trying again can help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::PublicUrl { .. } | Self::AllowPrivate(_) | Self::WeakKey | Self::ReadKey => false,
            Self::Registry(error) => error.is_transient(),
        }
    }
}
