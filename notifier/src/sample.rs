//! An incident as tests tell of it, and stored forms as they were.

use std::path::Path;

use doubles::samples;
use model::channel::{Channel, ChannelKind, Email};
use model::flip::Flip;
use model::ids::MonitorId;
use uuid::Uuid;

pub(crate) use doubles::samples::at;

/// A monitor that was not heard from.
pub(crate) fn down() -> Flip {
    let monitor = MonitorId::from_uuid(Uuid::from_u128(7));
    let last_heartbeat_at = Some(at("2026-11-22T09:58:59Z"));
    Flip { sequence: 12, last_heartbeat_at, ..samples::flip(monitor, at("2026-11-22T10:00:05Z")) }
}

/// A channel of which only the name matters.
pub(crate) fn channel() -> Channel {
    samples::channel(ChannelKind::Email(Email { to: vec![] }))
}

/// Compares a stored form with `golden/NAME.hex`; writes that when there is none.
pub(crate) fn check_golden(name: &str, found: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/golden").join(format!("{name}.hex"));
    let line = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    let hex: String = found.chunks(40).map(line).collect();
    let Ok(golden) = std::fs::read_to_string(&path) else {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for golden files");
        std::fs::write(&path, hex).expect("write a new golden file");
        panic!("{name} was not there; it was written: look at it and commit it");
    };
    assert_eq!(hex, golden, "the stored form {name} changed: raise its version");
}
