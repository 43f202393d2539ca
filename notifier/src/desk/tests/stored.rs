//! The stored forms of rows: raise the version of `Row` when one changes.

use std::collections::BTreeMap;

use model::ids::{AlertId, DeliveryId, MonitorId};
use model::notice::{Dependents, MonitorLabel};
use model::wire;
use uuid::Uuid;

use super::super::flaps::{Flapping, Flaps};
use super::super::gather::{Reminder, UntoldChanges};
use super::super::rows::Row;
use super::super::state::chat::{ChatEntry, ChatHead, OutstandingMessage, StormWindow};
use super::super::state::pager::{OpenStorm, PagerEntry, PagerHead};
use crate::sample::{at, down};

fn delivery(number: u128) -> DeliveryId {
    DeliveryId::from_uuid(Uuid::from_u128(number))
}

fn label() -> MonitorLabel {
    let dependents = Dependents { down: 1, names: vec!["web".to_owned()] };
    MonitorLabel { name: "backup".to_owned(), tags: vec!["prod".to_owned()], dependents }
}

fn flaps() -> Flaps {
    let flapping = Flapping {
        incident: AlertId::from_uuid(Uuid::from_u128(1)),
        next_at: at("2026-11-22T10:15:00Z"),
        stays_down_at: Some(at("2026-11-22T10:02:00Z")),
        flips: 7,
        announced: true,
        last: down(),
    };
    Flaps { times: vec![at("2026-11-22T10:00:05Z")], flapping: Some(flapping) }
}

fn untold() -> UntoldChanges {
    let reminder =
        Reminder { id: AlertId::from_uuid(Uuid::from_u128(2)), number: 3, at: at("2026-11-22T11:00:00Z") };
    UntoldChanges {
        first_down: Some(down()),
        last: down(),
        flips: 2,
        reminder: Some(reminder),
        flapping: flaps().flapping.map(|flapping| (flapping, true)),
        ids: vec![(delivery(4), 9)],
    }
}

fn rows() -> [(&'static str, Row); 4] {
    let time = at("2026-11-22T10:00:05Z");
    let message = OutstandingMessage {
        monitor: Some(MonitorId::from_uuid(Uuid::from_u128(7))),
        own: Some(9),
        failed: true,
        from: time,
        sent_at: time,
    };
    let chat_head = ChatHead {
        recent: vec![time],
        storm: Some(StormWindow { until: time, flips: 12 }),
        outstanding: BTreeMap::from([(delivery(5), message)]),
        adopted: vec![(delivery(5), delivery(6))],
        last_out: Some(time),
        alone_until: Some(time),
        gathered_from: Some(time),
        clean_at: Some(time),
        ..ChatHead::new(time)
    };
    let chat = ChatEntry {
        sequence: 12,
        told_down: Some(down()),
        carried: Some(untold()),
        carrier: Some(delivery(5)),
        untold: Some(untold()),
        told_by: Some(delivery(6)),
        flaps: flaps(),
        ..ChatEntry::new(label())
    };
    let storm = OpenStorm {
        incident: AlertId::from_uuid(Uuid::from_u128(3)),
        opens: 4,
        since: time,
        members: 25,
        tell_at: Some(time),
        announced: true,
        doubted: true,
    };
    let pager_head = PagerHead {
        recent: vec![time],
        storm: Some(storm),
        repost_at: Some(time),
        stuck: true,
        clean_at: Some(time),
        ..PagerHead::new(time)
    };
    let pager = PagerEntry {
        sequence: 12,
        down: Some(down()),
        in_storm: Some(delivery(8)),
        found: true,
        flaps: flaps(),
        flapping_by: Some(delivery(9)),
        ..PagerEntry::new(label())
    };
    [
        ("chat_head", Row::ChatHead(Box::new(chat_head))),
        ("chat", Row::Chat(Box::new(chat))),
        ("pager_head", Row::PagerHead(Box::new(pager_head))),
        ("pager", Row::Pager(Box::new(pager))),
    ]
}

#[test]
fn rows_are_stored_as_they_were() {
    for (name, row) in rows() {
        let bytes = wire::encode(&row);
        crate::sample::check_golden(&format!("row_{name}_v5"), &bytes);
        assert_eq!(wire::decode::<Row>(&bytes).expect("readable"), row);
    }
}
