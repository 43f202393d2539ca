//! Pure. Records of alerts that have no message of their own, or none yet.

use model::delivery::{Delivery, DeliveryState};
use model::flip::Alert;
use model::ids::{ChannelId, DeliveryId};
use model::notice::MonitorLabel;
use model::time::EventTime;

use crate::gate::SilenceReason;

/// The record of an alert without a message of its own.
pub(super) fn untold(
    alert: &Alert,
    channel: ChannelId,
    label: &MonitorLabel,
    reason: &SilenceReason,
    now: EventTime,
) -> Delivery {
    let folded_into = match reason {
        SilenceReason::Depends { incident: Some(incident), .. } => {
            Some(DeliveryId::derive(*incident, channel))
        }
        SilenceReason::Depends { incident: None, .. }
        | SilenceReason::Window { .. }
        | SilenceReason::Late => None,
    };
    untold_record(alert, channel, label, folded_into, reason.to_string(), now)
}

/// The record of an alert that another delivery tells of, or none, and why.
pub(super) fn untold_record(
    alert: &Alert,
    channel: ChannelId,
    label: &MonitorLabel,
    folded_into: Option<DeliveryId>,
    note: String,
    now: EventTime,
) -> Delivery {
    let state = if folded_into.is_some() { DeliveryState::Folded } else { DeliveryState::Suppressed };
    Delivery {
        id: DeliveryId::derive(alert.id(), channel),
        notice: alert.clone().into(),
        channel,
        state,
        created_at: now,
        next_attempt_at: None,
        attempts: Vec::new(),
        monitor: Some(label.clone()),
        folded_into,
        note: Some(note),
    }
}
