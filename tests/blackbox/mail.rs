//! Mail by a real mail server: what the flags take, and what the operator is told.

mod arrives;
mod flags;
mod operator;

/// Who logs in to the mail server, and how; then as it stands in a URL.
const LOGIN: (&str, &str) = ("lubdub", "hush/hush");
const IN_URL: &str = "lubdub:hush%2Fhush";
