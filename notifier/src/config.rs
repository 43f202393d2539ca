//! The settings of an operator.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use sending::address_guard::AddressGuard;
use sending::mail::MailSettings;

/// An attempt may take this long, from the look-up of the name to the end of the answer.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// After shutdown began, attempts in hand are given this long. Then they are left to the next start.
pub(crate) const DRAIN: Duration = Duration::from_secs(8);

/// How often the queues are asked for what became due by the passing of time.
pub(crate) const POLL: Duration = Duration::from_millis(250);

/// How often the dead letters are searched for those that the delivery history does not know.
pub(crate) const REVIEW_EVERY: Duration = Duration::from_secs(60);

/// The notifier's settings.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
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

    /// How mail is sent; `None` = channels of e-mail do not work. One set of flags serves every role of a
    /// process, so the root package reads them.
    #[arg(skip)]
    pub mail: Option<MailSettings>,

    /// The time zone of messages to channels that name none. The root package reads it.
    #[arg(skip)]
    pub timezone: Zone,
}

/// A time zone, UTC by default.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone(pub(crate) TimeZone);

impl Zone {
    /// That of the system: by its variable `TZ`, or its setting. UTC if it has none.
    pub fn of_the_system() -> Self {
        TimeZone::try_system().map(Self).unwrap_or_default()
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        TimeZone::get(name).map(Self).map_err(|_| UnknownZone)
    }
}

/// There is no such time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no time zone of that name; use an IANA name such as Europe/Berlin")]
pub struct UnknownZone;

impl Config {
    /// Checks what clap cannot: nothing, at present; the list of networks is checked as it is read.
    ///
    /// # Errors
    /// None.
    pub const fn validate(&self) -> Result<(), crate::error::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn a_time_zone_is_known_by_its_name() {
        assert_eq!("Europe/Berlin".parse::<Zone>().unwrap().0.iana_name(), Some("Europe/Berlin"));
        assert_eq!("Mars/Olympus".parse::<Zone>(), Err(UnknownZone));
        assert_eq!(Zone::default(), "UTC".parse().unwrap());
    }

    #[test]
    fn private_networks_are_read_from_the_flag_and_bad_ones_named() {
        let parse = |list| Flags::try_parse_from(["lubdub", "--allow-private", list]);
        let config = parse("127.0.0.0/8,10.0.0.1").unwrap().config;
        assert_eq!(config.allow_private.check([10, 0, 0, 1].into()), Ok(()));
        assert!(config.allow_private.check([10, 0, 0, 2].into()).is_err());
        let error = parse("127.0.0.0/8,local").err().unwrap().to_string();
        assert!(error.contains("`local` is neither an address nor a CIDR"), "{error}");
        assert_eq!(Flags::try_parse_from(["lubdub"]).unwrap().config.allow_private, AddressGuard::default());
    }
}
