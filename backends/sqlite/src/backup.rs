//! A back-up of a data directory in one file, made while its Lubdub runs, and its way back.
//!
//! The databases are copied as they were at one moment ([`snapshot`]), by readers only: a back-up that is
//! slow or stopped holds no writer up. A state is never ahead of its log (I6), so what is restored is what a
//! process that was killed at that moment would find at its start.
//!
//! The file is a tar archive, compressed by zstd: first the [`Manifest`], then its parts. All of it is
//! checked before anything is restored.

mod archive;
mod copying;
mod error;
mod manifest;
mod restoring;
mod snapshot;

pub use copying::back_up;
pub use error::BackupError;
pub use manifest::{Manifest, Part};
pub use restoring::{check, restore};
