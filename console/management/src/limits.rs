//! How much of what is costly runs at a time.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::replay::sweep::Sweeps;

/// Exports that run at a time: each holds the states of every monitor in memory.
const MAX_EXPORTS: usize = 4;

/// Tails that run at a time: each holds the states of the monitors that it shows.
const MAX_TAILS: usize = 8;

/// Imports that are answered at a time: each holds a body of up to 8 MiB, and what it says, in memory.
const MAX_IMPORTS: usize = 8;

/// What is admitted at a time.
pub struct Limits {
    /// Admits the requests that read the past.
    pub sweeps: Sweeps,
    /// One permit for each export that may run at a time.
    pub exports: Arc<Semaphore>,
    /// One permit for each import that may run at a time.
    pub imports: Arc<Semaphore>,
    /// One permit for each tail that may run at a time.
    pub tails: Arc<Semaphore>,
}

impl Limits {
    /// Limits of a console at which nothing runs yet.
    pub fn new(sweeps: Sweeps) -> Self {
        Self {
            sweeps,
            exports: Arc::new(Semaphore::new(MAX_EXPORTS)),
            imports: Arc::new(Semaphore::new(MAX_IMPORTS)),
            tails: Arc::new(Semaphore::new(MAX_TAILS)),
        }
    }
}
