//! What the parts that carry deliveries share.

use std::collections::HashSet;
use std::sync::Arc;

use model::ids::DeliveryId;
use parking_lot::Mutex;
use ports::clock::Clock;
use ports::history::DeliveryHistory;
use ports::queue::{DeadLetters, Queue};

use super::owed::Owed;
use super::pace::Pace;
use crate::desk::keeper::Keeper;
use crate::directory::Directory;
use crate::facts::FactFinder;
use crate::health::Health;
use crate::in_hand::InHand;
use crate::metrics::Metrics;
use crate::transport::Transports;
use crate::trouble::Trouble;

/// The means to carry a delivery.
pub(crate) struct Context {
    pub(crate) deliveries: Arc<dyn Queue>,
    /// Those of the same queue.
    pub(crate) dead_letters: Arc<dyn DeadLetters>,
    pub(crate) history: Arc<dyn DeliveryHistory>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) desks: Keeper,
    pub(crate) trouble: Trouble,
    pub(crate) pace: Pace,
    /// Some of the deliveries that are settled and that others were folded into; the dispatcher bounds them.
    pub(crate) settled: Mutex<HashSet<DeliveryId>>,
    /// Channels that are to catch up, because deliveries were given up for lack of room.
    pub(crate) owed: Mutex<Owed>,
    pub(crate) facts: FactFinder,
    pub(crate) transports: Transports,
    pub(crate) in_hand: Arc<InHand>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
}
