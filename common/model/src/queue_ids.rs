//! The ids of a queue's messages, lanes and order keys.

use std::fmt;

use uuid::Uuid;

use super::ids::{AlertId, ChannelId, DeliveryId, MonitorId, PartitionId};

macro_rules! queue_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with these bytes.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bytes.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

queue_id! {
    /// Names a message. Two messages with one id, enqueued within a day, are one message; within less if the
    /// queue's room is short.
    MessageId
}

queue_id! {
    /// Names a lane. Messages of different lanes do not wait for each other.
    LaneId
}

queue_id! {
    /// Orders messages of a lane: those with equal keys are claimed one after the other.
    OrderKey
}

/// Ids that may stand for a queue's.
macro_rules! from_model {
    ($($name:ident from $model:ident),+ $(,)?) => {
        $(
            impl From<$model> for $name {
                fn from(id: $model) -> Self {
                    Self(id.as_uuid())
                }
            }
        )+
    };
}

from_model! {
    MessageId from AlertId,
    MessageId from DeliveryId,
    LaneId from AlertId,
    LaneId from ChannelId,
    OrderKey from AlertId,
    OrderKey from DeliveryId,
    OrderKey from MonitorId,
}

impl From<PartitionId> for LaneId {
    fn from(partition: PartitionId) -> Self {
        Self(Uuid::from_u128(partition.0.into()))
    }
}
