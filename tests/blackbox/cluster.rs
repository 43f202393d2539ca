//! The cluster, from outside: every role in processes of its own on a real nats-server and a real
//! redis-server. Parts are killed, frozen, cut off and wiped under load, and a checker reads what was
//! recorded.

pub(crate) mod checker;
mod installation;
mod jetstream;
pub(crate) mod load;
mod node;
pub(crate) mod record;
mod relay;
pub(crate) mod scene;

mod away;
mod backlog;
mod clocks;
mod draining;
mod flood;
mod forgotten;
mod freeze;
mod kill;
mod lost;
mod paged;
mod past;
mod rebuild;
mod repeats;
mod replicas;
mod servers;
mod shares;
mod starting;
mod storm;
mod untold;
mod wiped;
