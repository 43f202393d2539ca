//! What an operator may set.

use std::time::Duration;

use clap::Args;
use common::address_guard::AddressGuard;

/// An attempt may take this long, from the look-up of the name to the end of the answer.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// After shutdown began, attempts in hand are given this long. Then they are left to the next start.
pub(crate) const DRAIN: Duration = Duration::from_secs(8);

/// How often the queues are asked for what became due by the passing of time.
pub(crate) const POLL: Duration = Duration::from_millis(250);

/// The notifier's settings.
#[derive(Debug, Clone, Default, Args)]
pub struct Config {
    /// Private networks that webhooks may reach: CIDRs or addresses, comma-separated
    #[arg(
        long,
        env = "LUBDUB_ALLOW_PRIVATE",
        value_name = "CIDRS",
        default_value = "",
        hide_default_value = true
    )]
    #[arg(value_parser = AddressGuard::parse)]
    pub allow_private: AddressGuard,
}

impl Config {
    /// Checks what clap cannot: nothing, at present; the list of networks is checked as it is read.
    ///
    /// # Errors
    /// None.
    pub const fn validate(&self) -> Result<(), crate::Error> {
        Ok(())
    }
}
