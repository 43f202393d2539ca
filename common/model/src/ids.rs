//! Newtypes for everything that is numbered or named.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::time::EventTime;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that was made elsewhere.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// A monitor: UUID version 7, so that the order of ids is the order of creation.
    MonitorId
);
uuid_id!(
    /// A channel: UUID version 7.
    ChannelId
);
uuid_id!(
    /// An API key: UUID version 7.
    KeyId
);
uuid_id!(
    /// An alert (a flip, a reminder, a test). A function of (monitor, time, kind), by I9: UUID version 5.
    AlertId
);
uuid_id!(
    /// A maintenance window: UUID version 7.
    WindowId
);
uuid_id!(
    /// A request for a rebuild of a partition: UUID version 7.
    RebuildId
);
uuid_id!(
    /// One alert to one channel. A function of (alert, channel), by I9: UUID version 5.
    DeliveryId
);

impl MonitorId {
    /// The partition, of `count`, that orders and owns this monitor: FNV-1a of the id's 16 bytes, modulo
    /// `count`.
    ///
    /// This function must never change: it decides where a monitor's heartbeats lie.
    pub fn partition(self, count: u16) -> PartitionId {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in self.0.as_bytes() {
            hash ^= u64::from(*byte);
            hash = hash.wrapping_mul(0x0100_0000_01b3);
        }
        let index = hash % u64::from(count.max(1));
        PartitionId(u16::try_from(index).unwrap_or(0))
    }
}

impl AlertId {
    /// The alert of kind `kind` ("down", "up", "reminder", …) of a monitor at an instant.
    pub fn derive(monitor: MonitorId, at: EventTime, kind: &str) -> Self {
        let name = format!("{}/{kind}", at.as_micros());
        Self(Uuid::new_v5(&monitor.0, name.as_bytes()))
    }

    /// The id of a message to a channel that is not a single alert. `name` tells the channel's messages
    /// apart.
    pub fn of_channel(channel: ChannelId, name: &str) -> Self {
        Self(Uuid::new_v5(&channel.0, name.as_bytes()))
    }

    /// The id of what follows from this alert, under a name.
    #[must_use]
    pub fn followed_by(self, name: &str) -> Self {
        Self(Uuid::new_v5(&self.0, name.as_bytes()))
    }
}

impl DeliveryId {
    /// The delivery of an alert to a channel.
    pub fn derive(alert: AlertId, channel: ChannelId) -> Self {
        Self(Uuid::new_v5(&alert.0, channel.0.as_bytes()))
    }
}

/// Unit of order and ownership; `0..P`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionId(pub u16);

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Position of an entry in a partition's log, from 1. Zero is before the first.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub u64);

impl Offset {
    /// Before the first entry.
    pub const START: Self = Self(0);

    /// The offset after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Version of a registry record: grows with every change, across all records of its kind, and goes on when
/// the registry is lost and made anew.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A heartbeat within its monitor: the time of its receipt, written as hexadecimal microseconds.
///
/// An ingest node never gives two heartbeats of a partition the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeartbeatId(pub EventTime);

impl fmt::Display for HeartbeatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014x}", self.0.as_micros())
    }
}

impl FromStr for HeartbeatId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        i64::from_str_radix(text, 16).map(|micros| Self(EventTime::from_micros(micros)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_functions_of_what_they_name() {
        let monitor = MonitorId::from_uuid(Uuid::from_u128(7));
        let at = EventTime::from_secs(100);
        let down = AlertId::derive(monitor, at, "down");
        assert_eq!(down, AlertId::derive(monitor, at, "down"));
        assert_ne!(down, AlertId::derive(monitor, at, "up"));
        assert_ne!(down, AlertId::derive(monitor, at.next(), "down"));
        assert_eq!(
            DeliveryId::derive(down, ChannelId::from_uuid(Uuid::nil())).as_uuid().get_version_num(),
            5
        );
    }

    #[test]
    fn partitions_are_spread_and_fixed() {
        let mut counts = [0_u32; 4];
        for n in 0..4_000_u128 {
            let PartitionId(p) = MonitorId::from_uuid(Uuid::from_u128(n)).partition(4);
            counts[usize::from(p)] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
        let fixed = MonitorId::from_uuid(Uuid::from_u128(0x0123_4567_89ab_cdef));
        assert_eq!(fixed.partition(64), fixed.partition(64));
        assert_eq!(fixed.partition(1), PartitionId(0));
    }

    #[test]
    fn a_heartbeat_id_reads_back() {
        let id = HeartbeatId(EventTime::from_micros(1_795_341_607_120_999));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("zz".parse::<HeartbeatId>().is_err());
    }
}
