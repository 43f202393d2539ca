//! The state of desks, as the ledger keeps it.

pub(crate) mod chat;
pub(crate) mod pager;
