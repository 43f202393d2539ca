//! The API as clients see it, on in-memory ports.

mod at_once;
mod bench;
mod channels;
mod deliveries;
mod document;
mod hostile;
mod hung_up;
mod keys;
mod limits;
mod maintenance;
mod monitors;
mod paging;
mod parameters;
mod rebuilds;
mod replay;
mod sight;
mod slots;
mod tokens;
mod troubles;
mod what_if;
