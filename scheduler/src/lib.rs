//! Reads the heartbeat log and decides who is up and who is down.
