//! How much of what is costly runs at a time.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::replay::sweep::Sweeps;
use crate::slots::{SlotRules, Slots};

/// Exports that run at a time: each holds the states of every monitor in memory.
const EXPORTS: SlotRules = SlotRules { all: 4, one_key: 2, kept_for_admins: 1 };

/// Tails that run at a time: each holds the states of the monitors that it shows.
const TAILS: SlotRules = SlotRules { all: 8, one_key: 4, kept_for_admins: 2 };

/// Imports that are answered at a time: each holds a body of up to 8 MiB, and what it says, in memory.
const MAX_IMPORTS: usize = 8;

/// What is admitted at a time.
pub struct Limits {
    /// Admits the requests that read the past.
    pub sweeps: Sweeps,
    /// One slot for each export that may run at a time.
    pub exports: Slots,
    /// One permit for each import that may run at a time. Only admin keys import.
    pub imports: Arc<Semaphore>,
    /// One slot for each tail that may run at a time.
    pub tails: Slots,
}

impl Limits {
    /// Limits of a console at which nothing runs yet.
    pub fn new(sweeps: Sweeps) -> Self {
        Self {
            sweeps,
            exports: Slots::new(EXPORTS),
            imports: Arc::new(Semaphore::new(MAX_IMPORTS)),
            tails: Slots::new(TAILS),
        }
    }
}
