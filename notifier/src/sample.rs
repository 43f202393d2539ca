//! An incident as tests tell of it, and stored forms as they were.

use std::path::Path;
use std::time::Duration;

use model::flip::{Flip, Reason, State};
use model::ids::{AlertId, MonitorId};
use model::time::EventTime;
use uuid::Uuid;

/// A time from its text.
pub(crate) fn at(text: &str) -> EventTime {
    EventTime::parse_rfc3339(text).expect("a time")
}

/// A monitor that was not heard from.
pub(crate) fn down() -> Flip {
    let monitor = MonitorId::from_uuid(Uuid::from_u128(7));
    let deadline = at("2026-11-22T10:00:05Z");
    Flip {
        id: AlertId::derive(monitor, deadline, "down"),
        monitor,
        sequence: 12,
        from: State::Up,
        to: State::Down,
        reason: Reason::Missed,
        at: deadline,
        message: None,
        value: None,
        last_heartbeat_at: Some(at("2026-11-22T09:58:59Z")),
        deadline: Some(deadline),
        deaf: Duration::ZERO,
        down_for: None,
        trace: None,
        silent_for: Some(Duration::from_secs(66)),
    }
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
