//! How the states of deliveries are stored.

use model::delivery::DeliveryState;

/// How a state is stored; it must never change.
pub(super) const fn state_number(state: DeliveryState) -> i64 {
    match state {
        DeliveryState::Pending => 0,
        DeliveryState::Delivered => 1,
        DeliveryState::Dead => 2,
        DeliveryState::Folded => 3,
        DeliveryState::Suppressed => 4,
    }
}
