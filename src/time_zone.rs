//! The flag for the time zone of messages.

use clap::Args;
use notifier::Zone;

/// The time zone of messages.
#[derive(Debug, Args)]
pub(crate) struct MessageZone {
    /// The time zone in which messages show times, an IANA name; channels can have one of their own [default:
    /// the system's]
    #[arg(long, env = "LUBDUB_TIMEZONE", value_name = "ZONE")]
    timezone: Option<Zone>,
}

impl MessageZone {
    /// The zone that was given, or the system's.
    pub(crate) fn zone(&self) -> Zone {
        self.timezone.clone().unwrap_or_else(Zone::of_the_system)
    }
}
