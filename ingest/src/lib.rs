//! Accepts heartbeats over HTTP and appends them to the heartbeat log.
