//! What the servers permit each role, by the files that `lubdub secrets` makes: all that it needs, and no
//! more.

mod nats;
mod secured;
