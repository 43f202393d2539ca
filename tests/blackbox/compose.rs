//! The shipped compose files, run for real: `make compose-test`. It needs Docker, and an image that
//! `tests/compose/run` makes.

mod docker;
mod scene;
mod stack;

mod available;
mod backup;
mod faults;
mod upgrade;
mod walk;
