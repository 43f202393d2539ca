//! The rights of each role on the servers, by the files that `lubdub secrets` makes: all that the role needs,
//! and no more.

mod changing;
mod nats;
mod secured;
