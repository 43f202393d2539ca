//! Uses of the heartbeat log besides alerts: taken elsewhere, and watched, while everything is killed.

mod advice;
mod carried;
pub(crate) mod histories;
mod late;
mod live;
mod moving;
mod past;
mod refusals;
mod tail;
