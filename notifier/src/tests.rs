//! The notifier on in-memory ports, with a real HTTP receiver.

mod carrying;
mod crash;
mod dead_letters;
mod faulty;
mod guarding;
mod isolation;
mod receiver;
mod retrying;
mod world;
