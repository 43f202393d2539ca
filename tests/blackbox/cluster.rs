//! The cluster, from outside: every role in processes of its own on a real nats-server and a real redis-server. Parts are killed,
//! frozen, cut off and wiped under load, and a checker reads what was recorded.

mod checker;
mod installation;
mod jetstream;
mod load;
mod node;
mod record;
mod relay;
mod scene;

mod away;
mod backlog;
mod clocks;
mod freeze;
mod kill;
mod lost;
mod replicas;
mod servers;
mod shares;
mod storm;
mod wiped;
