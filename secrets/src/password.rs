//! Passwords.

/// A new password: 256 random bits as 64 hexadecimal digits.
pub(crate) fn password() -> String {
    rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect()
}
