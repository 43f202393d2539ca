//! Digests, which stand for tokens in memory.

use model::monitor::Token;
use sha2::{Digest as _, Sha256};

/// The first 128 bits of a token's SHA-256.
pub(super) type Digest = [u8; 16];

/// Names a token without being one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenRef(pub(super) Digest);

pub(super) fn digest(token: &Token) -> Digest {
    let full = Sha256::digest(token.expose().as_bytes());
    let mut digest = Digest::default();
    digest.copy_from_slice(&full[..16]);
    digest
}
