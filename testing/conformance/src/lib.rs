//! The suites that show that every adapter keeps the contract of its port.
//!
//! [`suite`] holds one suite for each port. A suite knows an adapter only by [`subject::Subject`]: a new
//! technology joins by one file in its own tests, such as `backends/sqlite/tests/conformance/adapter.rs`.
//! [`sample`] has values to store.
#![expect(
    missing_docs,
    reason = "the name of a case is its sentence, and those of samples are what they are"
)]

pub mod sample;
pub mod subject;
pub mod suite;
