//! What desks know, as the ledger keeps it.

pub(crate) mod chat;
pub(crate) mod pager;
