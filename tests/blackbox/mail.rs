//! Mail by a real mail server: the flags, and the operator's alerts.

mod arrives;
mod flags;
mod operator;

/// The login at the mail server; then as it stands in a URL.
const LOGIN: (&str, &str) = ("lubdub", "hush/hush");
const IN_URL: &str = "lubdub:hush%2Fhush";
