//! The adapters on Redis or Valkey: state store, history, roster.
