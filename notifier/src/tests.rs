//! The notifier on in-memory ports, with a real HTTP receiver and a real mail server.

mod aging;
mod carrying;
mod catching_up;
mod crash;
mod crowding;
mod dead_letters;
mod defects;
mod documented;
mod failing;
mod guarding;
mod isolation;
mod mailing;
mod owing;
mod paging;
mod parties;
mod poison;
mod presets;
mod rebinding;
mod receiver;
mod retrying;
mod silence;
mod storms;
mod telling;
mod waiting;
mod webhooks;
mod world;
