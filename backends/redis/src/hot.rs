//! The part of a monitor's state that heartbeats change, in about 28 bytes.
//!
//! A version, flags, then numbers of variable length: revision, sequence, `since`; then, if the flags say so,
//! `heard_at` after `since`, `counted_from` and `armed_at` after `heard_at` (or `since`), all in
//! microseconds; then a definition with a plain period: timeout, grace, reminders. The definition takes five
//! bytes here, and would take 40 in the cold part with a field of its own. The whole must stay below 64
//! bytes, or else Redis unpacks the whole bucket.

use model::flip::State;
use model::ids::Revision;
use model::monitor::Definition;
use model::monitor_state::MonitorState;
use model::schedule::Schedule;
use model::time::EventTime;

const VERSION: u8 = 1;

const STATE: u8 = 0b11;
const HEARD: u8 = 1 << 2;
const COUNTED: u8 = 1 << 3;
/// With [`COUNTED`]: `counted_from` differs from `heard_at`.
const COUNTED_APART: u8 = 1 << 4;
const ARMED: u8 = 1 << 5;
const PERIOD: u8 = 1 << 6;
/// With [`PERIOD`].
const PAUSED: u8 = 1 << 7;

/// Why stored bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PackedError {
    /// A newer Lubdub wrote them.
    #[error("decode {name}: version {found} is newer than this program")]
    Newer { name: &'static str, found: u8 },
    #[error("decode {name}: it is damaged")]
    Damaged { name: &'static str },
}

const DAMAGED: PackedError = PackedError::Damaged { name: "hot state" };

/// The definition, if the hot part holds it.
pub(super) fn period(state: &MonitorState) -> Option<(&Definition, u32)> {
    let definition = state.definition.as_ref()?;
    match definition.schedule {
        Schedule::Period { timeout } => Some((definition, timeout)),
        Schedule::Cron(_) => None,
    }
}

/// Appends the hot part.
pub(super) fn encode(state: &MonitorState, into: &mut Vec<u8>) {
    let MonitorState { revision, since, sequence, heard_at, counted_from, armed_at, .. } = state;
    let base = heard_at.unwrap_or(*since);
    let counted_apart = counted_from.filter(|counted| heard_at.is_none_or(|heard| heard != *counted));
    let period = period(state);
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    into.push(VERSION);
    into.push(
        state_number(state.state)
            | flag(heard_at.is_some(), HEARD)
            | flag(counted_from.is_some(), COUNTED)
            | flag(counted_apart.is_some(), COUNTED_APART)
            | flag(armed_at.is_some(), ARMED)
            | flag(period.is_some(), PERIOD)
            | flag(period.is_some_and(|(definition, _)| definition.paused), PAUSED),
    );
    put(into, revision.0);
    put(into, *sequence);
    put_signed(into, since.as_micros());
    for (time, base) in [(*heard_at, *since), (counted_apart, base), (*armed_at, base)] {
        if let Some(time) = time {
            put_signed(into, time.as_micros().wrapping_sub(base.as_micros()));
        }
    }
    if let Some((definition, timeout)) = period {
        for number in [timeout, definition.grace, definition.remind_every] {
            put(into, number.into());
        }
    }
}

/// Reads the hot part, without incident, imported history, and a definition in the cold part.
pub(super) fn decode(bytes: &[u8]) -> Result<MonitorState, PackedError> {
    let (version, rest) = bytes.split_first().ok_or(DAMAGED)?;
    if *version > VERSION {
        return Err(PackedError::Newer { name: "hot state", found: *version });
    }
    let (flags, mut rest) = rest.split_first().ok_or(DAMAGED)?;
    let has = |flag: u8| flags & flag != 0;
    let revision = Revision(take(&mut rest)?);
    let sequence = take(&mut rest)?;
    let since = EventTime::from_micros(take_signed(&mut rest)?);
    let mut after = |flag: u8, base: EventTime| -> Result<Option<EventTime>, PackedError> {
        if !has(flag) {
            return Ok(None);
        }
        let time = base.as_micros().wrapping_add(take_signed(&mut rest)?);
        Ok(Some(EventTime::from_micros(time)))
    };
    let heard_at = after(HEARD, since)?;
    let base = heard_at.unwrap_or(since);
    let counted_apart = after(COUNTED_APART, base)?;
    let armed_at = after(ARMED, base)?;
    let counted_from = if has(COUNTED) { counted_apart.or(heard_at) } else { None };
    let definition = has(PERIOD).then(|| take_period(&mut rest, has(PAUSED))).transpose()?;
    let state = state_of(flags & STATE);
    Ok(MonitorState {
        revision,
        definition,
        state,
        since,
        sequence,
        heard_at,
        counted_from,
        incident: None,
        armed_at,
        imported: None,
    })
}

fn take_period(rest: &mut &[u8], paused: bool) -> Result<Definition, PackedError> {
    let mut number = || u32::try_from(take(rest)?).map_err(|_| DAMAGED);
    let schedule = Schedule::Period { timeout: number()? };
    Ok(Definition { schedule, grace: number()?, remind_every: number()?, paused })
}

/// How a state is stored; it must never change.
const fn state_number(state: State) -> u8 {
    match state {
        State::New => 0,
        State::Up => 1,
        State::Down => 2,
        State::Paused => 3,
    }
}

const fn state_of(number: u8) -> State {
    match number {
        0 => State::New,
        1 => State::Up,
        2 => State::Down,
        _ => State::Paused,
    }
}

/// Appends a number, seven bits in a byte, the lowest first; the highest bit says that more follow.
fn put(into: &mut Vec<u8>, mut number: u64) {
    while let high @ 1.. = number >> 7 {
        into.push(0x80 | (number & 0x7f) as u8);
        number = high;
    }
    into.push((number & 0x7f) as u8);
}

fn put_signed(into: &mut Vec<u8>, number: i64) {
    put(into, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn take(bytes: &mut &[u8]) -> Result<u64, PackedError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(DAMAGED)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(DAMAGED)
}

fn take_signed(bytes: &mut &[u8]) -> Result<i64, PackedError> {
    let number = take(bytes)?;
    Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> EventTime {
        EventTime::from_micros(micros)
    }

    fn encoded(state: &MonitorState) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(state, &mut bytes);
        bytes
    }

    fn period(timeout: u32, grace: u32, remind_every: u32, paused: bool) -> Definition {
        Definition { schedule: Schedule::Period { timeout }, grace, remind_every, paused }
    }

    fn up() -> MonitorState {
        MonitorState {
            revision: Revision(1_000_000),
            definition: Some(period(60, 6, 3_600, false)),
            state: State::Up,
            since: at(1_795_000_000_000_000),
            sequence: 3,
            heard_at: Some(at(1_795_341_600_123_456)),
            counted_from: Some(at(1_795_341_600_123_456)),
            incident: None,
            armed_at: Some(at(1_795_341_666_123_456)),
            imported: None,
        }
    }

    #[test]
    fn the_stored_form_is_as_it_was() {
        let hex: String = encoded(&up()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "016dc0843d0380c0f995e0a2b00680e9a18ff11380d2f83e3c06901c");
        assert_eq!(decode(&encoded(&up())), Ok(up()));
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        let bytes = encoded(&up());
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), Err(DAMAGED), "cut at {cut}");
        }
        assert_eq!(decode(&[2, 0]), Err(PackedError::Newer { name: "hot state", found: 2 }));
        assert_eq!(decode(&[[1, 1].as_slice(), &[0xff; 20]].concat()), Err(DAMAGED));
    }

    #[test]
    fn an_old_and_busy_monitor_stays_below_the_limit_of_a_packed_field() {
        let years = |count: i64| at(1_795_000_000_000_000 + count * 31_536_000_000_000);
        let state = MonitorState {
            revision: Revision(1 << 48),
            definition: Some(period(31_536_000, 31_536_000, 31_536_000, true)),
            sequence: 1 << 27,
            heard_at: Some(years(30)),
            counted_from: Some(years(31)),
            armed_at: Some(years(40)),
            ..up()
        };
        assert!(encoded(&state).len() < 64, "{}", encoded(&state).len());
    }

    fn any_time() -> impl Strategy<Value = EventTime> {
        any::<i64>().prop_map(EventTime::from_micros)
    }

    proptest! {
           #[test]
           fn every_state_reads_back(
               (revision, sequence, since, number) in (any::<u64>(), any::<u64>(), any_time(), 0_u8..4),
               heard_at in proptest::option::of(any_time()),
               counted in proptest::option::of(any_time()),
               counted_as_heard in any::<bool>(),
               armed_at in proptest::option::of(any_time()),
               definition in proptest::option::of((any::<u32>(), any::<u32>(), any::<u32>(), any::<bool>())),
           ) {
               let counted_from = if counted_as_heard { heard_at } else { counted };
               let state = MonitorState {
                   revision: Revision(revision), state: state_of(number), since, sequence,
                   definition: definition.map(|(timeout, grace, remind, paused)| period(timeout, grace, remind, paused)),
                   heard_at, counted_from, incident: None, armed_at,
    imported: None,
               };
               let bytes = encoded(&state);
               prop_assert_eq!(decode(&bytes), Ok(state));
           }

           #[test]
           fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
               let _ = decode(&bytes);
           }
       }
}
