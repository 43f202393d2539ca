//! Makes ids, keys, tokens and secrets.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use model::channel::Secret;
use model::monitor::Token;
use parking_lot::Mutex;
use ports::clock::Clock;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// Makes UUIDs of version 7 in the order in which they are asked for.
#[derive(Debug, Default)]
pub struct Ids {
    last: Mutex<u128>,
}

impl Ids {
    /// An id that is greater than every one before it.
    pub fn next(&self, clock: &dyn Clock) -> Uuid {
        let millis = u64::try_from(clock.now().as_millis()).unwrap_or(0);
        let made = Builder::from_unix_timestamp_millis(millis, &random::<10>()).into_uuid().as_u128();
        let mut last = self.last.lock();
        // Within a millisecond, or after the clock was set back, the random part counts up.
        *last = if made > *last { made } else { *last + 1 };
        Uuid::from_u128(*last)
    }
}

/// `lub_` and 256 random bits.
pub fn api_key() -> Secret {
    Secret::new(format!("lub_{}", URL_SAFE_NO_PAD.encode(random::<32>())))
}

/// A push token of 192 random bits.
pub fn token() -> Token {
    Token::parse(&URL_SAFE_NO_PAD.encode(random::<24>()))
        .expect("base64url of 24 bytes is 32 characters of a token's alphabet")
}

/// A Standard Webhooks key of 256 random bits.
pub fn webhook_secret() -> Secret {
    Secret::new(format!("whsec_{}", STANDARD.encode(random::<32>())))
}

/// SHA-256, as keys are stored.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// SHA-256 in hexadecimal, as token claims are named.
pub fn hex_hash(secret: &str) -> String {
    use std::fmt::Write;
    hash(secret).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    rand::fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use model::time::EventTime;
    use ports::clock::ManualClock;

    use super::*;

    #[test]
    fn ids_keep_their_order_within_a_millisecond() {
        let clock = ManualClock::new(EventTime::from_secs(1_700_000_000));
        let ids = Ids::default();
        let made: Vec<Uuid> = (0..1_000).map(|_| ids.next(&clock)).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(made.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn keys_and_secrets_have_their_form() {
        let key = api_key();
        assert_eq!(key.expose().len(), "lub_".len() + 43);
        assert!(webhook_secret().expose().starts_with("whsec_"));
        assert_ne!(token(), token());
        assert_eq!(hex_hash("abc").len(), 64);
        assert!(hex_hash("abc").starts_with("ba7816bf"));
    }
}
