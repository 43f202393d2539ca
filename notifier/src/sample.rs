//! An incident as tests tell of it, and stored forms as they were.

use std::path::Path;

use doubles::samples;
use jiff::tz::TimeZone;
use model::channel::{Channel, ChannelKind, Email};
use model::delivery::DeliveryTask;
use model::flip::Flip;
use model::ids::{DeliveryId, MonitorId};
use model::notice::{MonitorLabel, Notice};
use uuid::Uuid;

use crate::message::{Facts, Telling};

pub(crate) use doubles::samples::at;

/// What is known of a monitor whose job reported its failure.
pub(crate) fn facts() -> Facts {
    Facts {
        description: Some(
            "Look at /var/log/backup.log.\nIf the disk is full, ring Ann: 0123 456.".to_owned(),
        ),
        schedule: Some("at 02:30 from Monday to Friday, Europe/Berlin, 1 h of grace".to_owned()),
        output: Some("copying /srv\nerror: No space left on device (os error 28)".to_owned()),
        heard_at: None,
    }
}

/// What a message is made of, with times in UTC.
pub(crate) fn telling<'a>(task: &'a DeliveryTask, channel: &'a Channel, facts: &'a Facts) -> Telling<'a> {
    static UTC: TimeZone = TimeZone::UTC;
    Telling { task, channel, facts, zone: &UTC }
}

/// The delivery of a notice to a channel; the label is that of the notice's monitor, if it has one.
pub(crate) fn task(notice: Notice, channel: &Channel, label: MonitorLabel) -> DeliveryTask {
    DeliveryTask {
        id: DeliveryId::derive(notice.id(), channel.id),
        monitor: notice.monitor().map(|_| label),
        notice,
        channel: channel.id,
        created_at: at("2026-11-22T10:00:07.120Z"),
        redriven: false,
        attempts: 0,
        sent_to: vec![],
        at_desk: false,
        folded_into: None,
    }
}

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
