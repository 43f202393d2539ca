//! What the heartbeat log is good for besides alerts: taken elsewhere, and watched, while everything is
//! killed.

mod advice;
pub(crate) mod histories;
mod live;
mod past;
mod tail;
