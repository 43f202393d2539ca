//! The settings of an operator.

use std::time::Duration;

use model::byte_size::ByteSize;
use model::heartbeat::MAX_OUTPUT_BYTES;
use serving::TrustedProxies;

use crate::error::Error;

/// The largest limit and burst: the limiter's arithmetic holds up to here, and more is no limit at all.
const MOST_PUSHES: u32 = 1_000_000;

/// Sixty whole outputs, and then one every 60 s.
const OUTPUT_LIMIT: ByteSize = ByteSize(600_000);
/// A limit lets at least one whole output through, and the limiter's arithmetic holds up to the largest.
const LEAST_OUTPUT: ByteSize = ByteSize(MAX_OUTPUT_BYTES as u64);
const MOST_OUTPUT: ByteSize = ByteSize(1_000_000_000);

/// How heartbeats are accepted.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Config {
    /// This node's name, as it stands in the log, 1 to 100 characters [default: the host's name]
    #[arg(long, env = "LUBDUB_NODE", value_name = "NAME")]
    pub node: Option<String>,

    /// Pushes per minute and token that are taken in the long run, at most 1,000,000; 0 = no limit
    #[arg(long, env = "LUBDUB_PUSH_LIMIT", value_name = "PUSHES", default_value_t = 60)]
    pub push_limit: u32,

    /// Pushes of one token that are taken at once, before the limit holds, 1 to 1,000,000
    #[arg(long, env = "LUBDUB_PUSH_BURST", value_name = "PUSHES", default_value_t = 60)]
    pub push_burst: u32,

    /// Bytes of output that a token may send in an hour, and as many at once before, 10kB to 1GB; 0 = no
    /// limit. Of output beyond it the last 500 bytes are kept, or nothing
    #[arg(long, env = "LUBDUB_OUTPUT_LIMIT", value_name = "SIZE", default_value = "600kB")]
    pub output_limit: ByteSize,

    /// Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: CIDRs or addresses, comma-separated
    /// [default: none]
    #[arg(
        long,
        env = "LUBDUB_TRUSTED_PROXIES",
        value_name = "CIDRS",
        default_value = "",
        hide_default_value = true
    )]
    pub trusted_proxies: TrustedProxies,

    /// Bounds of the product that are no settings; tests make them smaller.
    #[arg(skip)]
    pub limits: Limits,
}

/// Bounds in time and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A body may pause for this long.
    pub body_pause: Duration,
    /// A body has this long to arrive: the output of a job that is sent while the job runs takes its time.
    pub body_time: Duration,
    /// Bytes that a compressed body may become.
    pub unpacked_bytes: usize,
    /// Compressed bodies that are read at once, in the whole node: each takes about 80 kB more than others.
    pub unpacked_at_once: usize,
    /// Bodies that are read at a time for one token.
    pub bodies_of_a_token: u16,
    /// Compressed ones among them, at least 1: unpacking takes much time of the processor.
    pub unpacked_of_a_token: u16,
    /// A compressed body waits for its turn this long.
    pub unpacking_wait: Duration,
    /// Pushes that wait for their frame or its acknowledgement, in the whole node; further ones are answered
    /// 503.
    pub queued_pushes: usize,
    /// Memory of those pushes, bytes.
    pub queued_bytes: usize,
    /// Heartbeats in one frame.
    pub frame_heartbeats: usize,
    /// Bytes in one frame, about.
    pub frame_bytes: usize,
    /// On shutdown, what is queued has this long to be appended.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_pause: Duration::from_secs(30),
            body_time: Duration::from_secs(600),
            unpacked_bytes: 64 << 20,
            unpacked_at_once: 256,
            bodies_of_a_token: 64,
            unpacked_of_a_token: 4,
            unpacking_wait: Duration::from_secs(2),
            queued_pushes: 16_384,
            queued_bytes: 64 << 20,
            frame_heartbeats: 1_000,
            frame_bytes: 4 << 20,
            drain: Duration::from_millis(1_500),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node: None,
            push_limit: 60,
            push_burst: 60,
            output_limit: OUTPUT_LIMIT,
            trusted_proxies: TrustedProxies::default(),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// Checks what clap cannot.
    ///
    /// # Errors
    /// [`Error::Config`] with the flag and what is wrong with it.
    pub fn validate(&self) -> Result<(), Error> {
        let wrong = |flag, rule| Err(Error::Config { flag, rule });
        if let Some(node) = &self.node
            && !(1..=100).contains(&node.chars().count())
        {
            return wrong("--node", "must have 1 to 100 characters");
        }
        if self.push_limit > MOST_PUSHES {
            return wrong("--push-limit", "must be at most 1,000,000");
        }
        if self.push_limit > 0 && !(1..=MOST_PUSHES).contains(&self.push_burst) {
            return wrong("--push-burst", "must be 1 to 1,000,000");
        }
        if !self.output_limit.is_zero() && !(LEAST_OUTPUT..=MOST_OUTPUT).contains(&self.output_limit) {
            return wrong("--output-limit", "must be 0, or 10kB to 1GB");
        }
        Ok(())
    }

    /// The node's name: as set, or the host's.
    pub(crate) fn node_name(&self) -> String {
        self.node.clone().unwrap_or_else(|| {
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            if host.is_empty() { "ingest".to_owned() } else { host }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_flag_is_wrong() {
        let cases = [
            (Config::default(), None),
            (Config { node: Some(String::new()), ..Config::default() }, Some("--node")),
            (Config { node: Some("x".repeat(101)), ..Config::default() }, Some("--node")),
            (Config { push_burst: 0, ..Config::default() }, Some("--push-burst")),
            (Config { push_burst: 1_000_001, ..Config::default() }, Some("--push-burst")),
            (Config { push_limit: 1_000_001, ..Config::default() }, Some("--push-limit")),
            (Config { push_limit: 1, push_burst: 1_000_000, ..Config::default() }, None),
            (Config { push_burst: 0, push_limit: 0, ..Config::default() }, None),
            (Config { output_limit: ByteSize(0), ..Config::default() }, None),
            (Config { output_limit: ByteSize(9_999), ..Config::default() }, Some("--output-limit")),
            (Config { output_limit: ByteSize(1_000_000_001), ..Config::default() }, Some("--output-limit")),
        ];
        for (config, expected) in cases {
            let found = config.validate().err().and_then(|error| match error {
                Error::Config { flag, .. } => Some(flag),
                Error::Task(_) => None,
            });
            assert_eq!(found, expected);
        }
        assert!(!Config::default().node_name().is_empty());
    }
}
