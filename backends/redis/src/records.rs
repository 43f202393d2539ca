//! Stored heartbeats and flips: first the time, eight bytes, by which the script orders them.
//!
//! In a heartbeat follow one byte of flags (its upper two bits are the version), and what the flags say:
//! value, source, message. A bare heartbeat takes 9 bytes.

use std::net::IpAddr;

use super::hot::PackedError;
use model::flip::Flip;
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::MonitorId;
use model::time::EventTime;
use model::wire;
use ports::BackendError;
use ports::history::HeartbeatEntry;

const VERSION: u8 = 1;
const VERSION_SHIFT: u32 = 6;

const DOWN: u8 = 1;
const OUTPUT: u8 = 1 << 1;
const VALUE: u8 = 1 << 2;
const IPV4: u8 = 1 << 3;
const IPV6: u8 = 1 << 4;
const MESSAGE: u8 = 1 << 5;

const DAMAGED: PackedError = PackedError::Damaged { name: "heartbeat" };

/// The first eight bytes of a record or an index entry: microseconds, ordered like the times.
pub(super) fn time_bytes(at: EventTime) -> [u8; 8] {
    at.as_micros().max(0).to_be_bytes()
}

/// Encodes a heartbeat without its monitor and its output.
pub(super) fn encode_heartbeat(heartbeat: &Heartbeat) -> Vec<u8> {
    let Heartbeat { monitor: _, received_at, kind, message, value, source, output, trace: _ } = heartbeat;
    let kind = match kind {
        HeartbeatKind::Up => 0,
        HeartbeatKind::Down => DOWN,
    };
    let source_flag = match source {
        None => 0,
        Some(IpAddr::V4(_)) => IPV4,
        Some(IpAddr::V6(_)) => IPV6,
    };
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let mut bytes = Vec::with_capacity(48);
    bytes.extend_from_slice(&time_bytes(*received_at));
    bytes.push(
        VERSION << VERSION_SHIFT
            | kind
            | source_flag
            | flag(output.is_some(), OUTPUT)
            | flag(value.is_some(), VALUE)
            | flag(message.is_some(), MESSAGE),
    );
    if let Some(value) = value {
        bytes.extend_from_slice(&value.to_be_bytes());
    }
    match source {
        None => {}
        Some(IpAddr::V4(address)) => bytes.extend_from_slice(&address.octets()),
        Some(IpAddr::V6(address)) => bytes.extend_from_slice(&address.octets()),
    }
    if let Some(message) = message {
        bytes.extend_from_slice(message.as_bytes());
    }
    bytes
}

/// Reads a heartbeat of a monitor.
pub(super) fn decode_heartbeat(monitor: MonitorId, bytes: &[u8]) -> Result<HeartbeatEntry, PackedError> {
    let (time, rest) = bytes.split_first_chunk::<8>().ok_or(DAMAGED)?;
    let (flags, mut rest) = rest.split_first().ok_or(DAMAGED)?;
    let version = flags >> VERSION_SHIFT;
    if version != VERSION {
        return Err(PackedError::Newer { name: "heartbeat", found: version });
    }
    let has = |flag: u8| flags & flag != 0;
    let value = has(VALUE).then(|| take(&mut rest)).transpose()?.map(f64::from_be_bytes);
    let source = if has(IPV4) {
        Some(IpAddr::from(take::<4>(&mut rest)?))
    } else if has(IPV6) {
        Some(IpAddr::from(take::<16>(&mut rest)?))
    } else {
        None
    };
    let message = if has(MESSAGE) {
        Some(str::from_utf8(rest).map_err(|_| DAMAGED)?.to_owned())
    } else if rest.is_empty() {
        None
    } else {
        return Err(DAMAGED);
    };
    let kind = if has(DOWN) { HeartbeatKind::Down } else { HeartbeatKind::Up };
    let received_at = EventTime::from_micros(i64::from_be_bytes(*time));
    let heartbeat =
        Heartbeat { monitor, received_at, kind, message, value, source, output: None, trace: None };
    Ok(HeartbeatEntry { heartbeat, has_output: has(OUTPUT) })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], PackedError> {
    let (taken, rest) = bytes.split_first_chunk::<N>().ok_or(DAMAGED)?;
    *bytes = rest;
    Ok(*taken)
}

/// Puts a time before a record.
pub(super) fn encode_at(at: EventTime, what: &[u8]) -> Vec<u8> {
    [time_bytes(at).as_slice(), what].concat()
}

/// Encodes a flip.
pub(super) fn encode_flip(flip: &Flip) -> Vec<u8> {
    encode_at(flip.at, &wire::encode(flip))
}

/// Reads a flip.
pub(super) fn decode_flip(bytes: &[u8]) -> Result<Flip, BackendError> {
    let (_, flip) = bytes.split_first_chunk::<8>().ok_or(PackedError::Damaged { name: "flip" })?;
    Ok(wire::decode(flip)?)
}

/// The time of a record; the earliest one of a damaged record.
pub(super) fn time_of(record: &[u8]) -> EventTime {
    record
        .first_chunk::<8>()
        .map_or(EventTime::EPOCH, |time| EventTime::from_micros(i64::from_be_bytes(*time)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const MONITOR: MonitorId = MonitorId::from_uuid(Uuid::from_u128(7));

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn bare() -> Heartbeat {
        Heartbeat {
            monitor: MONITOR,
            received_at: EventTime::from_micros(1_795_341_600_123_456),
            kind: HeartbeatKind::Up,
            message: None,
            value: None,
            source: None,
            output: None,
            trace: None,
        }
    }

    #[test]
    fn the_stored_form_is_as_it_was() {
        let full = Heartbeat {
            kind: HeartbeatKind::Down,
            message: Some("disk full ✗".into()),
            value: Some(12.5),
            source: Some([192, 0, 2, 7].into()),
            output: Some(Bytes::from_static(b"apart")),
            ..bare()
        };
        assert_eq!(hex(&encode_heartbeat(&bare())), "000660da8a536a4040");
        let encoded = encode_heartbeat(&full);
        assert_eq!(hex(&encoded), "000660da8a536a406f4029000000000000c00002076469736b2066756c6c20e29c97");
        let read = decode_heartbeat(MONITOR, &encoded).expect("readable");
        assert_eq!(read, HeartbeatEntry { heartbeat: Heartbeat { output: None, ..full }, has_output: true });
        assert_eq!(time_of(&encoded), bare().received_at);
        assert!((0..21).all(|cut| decode_heartbeat(MONITOR, &encoded[..cut]).is_err()));
    }

    proptest! {
        #[test]
        fn every_heartbeat_reads_back(
            (micros, down, message) in (any::<i64>(), any::<bool>(), proptest::option::of(".{0,40}")),
            value in proptest::option::of(-1e300_f64..1e300),
            (v4, v6, which) in (any::<[u8; 4]>(), any::<[u8; 16]>(), 0_u8..3),
        ) {
            let heartbeat = Heartbeat {
                received_at: EventTime::from_micros(micros),
                kind: if down { HeartbeatKind::Down } else { HeartbeatKind::Up },
                source: match which { 0 => None, 1 => Some(v4.into()), _ => Some(v6.into()) },
                message,
                value,
                ..bare()
            };
            let read = decode_heartbeat(MONITOR, &encode_heartbeat(&heartbeat));
            prop_assert_eq!(read, Ok(HeartbeatEntry { heartbeat, has_output: false }));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode_heartbeat(MONITOR, &bytes);
            let _ = decode_flip(&bytes);
        }
    }
}
