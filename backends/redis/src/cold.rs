//! The cold part of a monitor's state, which heartbeats do not change: a cron definition, an incident, a
//! history that is being imported. A version, then MessagePack.

use serde::{Deserialize, Serialize};

use super::hot;
use model::monitor::Definition;
use model::monitor_state::{Incident, MonitorState, Past};
use model::wire::{self, Message, WireError};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cold {
    definition: Option<Definition>,
    incident: Option<Box<Incident>>,
    imported: Option<Box<Past>>,
}

impl Message for Cold {
    const NAME: &'static str = "cold state";
    const VERSION: u8 = 3;
}

/// [`Cold`], borrowed: it is encoded for every monitor of every commit, to see whether it changed.
#[derive(Serialize)]
struct ColdRef<'a> {
    definition: Option<&'a Definition>,
    incident: Option<&'a Incident>,
    imported: Option<&'a Past>,
}

/// Appends the cold part; nothing if the state has none.
pub(super) fn encode(state: &MonitorState, into: &mut Vec<u8>) {
    let definition = state.definition.as_ref().filter(|_| hot::period(state).is_none());
    let cold =
        ColdRef { definition, incident: state.incident.as_deref(), imported: state.imported.as_deref() };
    if cold.definition.is_none() && cold.incident.is_none() && cold.imported.is_none() {
        return;
    }
    into.push(Cold::VERSION);
    rmp_serde::encode::write(into, &cold).expect("a message of ours has a MessagePack form");
}

/// Reads the cold part into a state.
pub(super) fn decode(bytes: &[u8], into: &mut MonitorState) -> Result<(), WireError> {
    let Cold { definition, incident, imported } = wire::decode(bytes)?;
    if definition.is_some() {
        into.definition = definition;
    }
    into.incident = incident;
    into.imported = imported;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use model::flip::{Flip, Reason, State};
    use model::ids::{AlertId, MonitorId, Revision};
    use model::schedule::{CronSchedule, Schedule};
    use model::time::EventTime;

    fn state() -> MonitorState {
        let (monitor, at) =
            (MonitorId::from_uuid(uuid::Uuid::from_u128(7)), EventTime::from_secs(1_795_000_066));
        let down = Flip {
            id: AlertId::derive(monitor, at, "down"),
            monitor,
            sequence: 2,
            from: State::Up,
            to: State::Down,
            reason: Reason::Missed,
            at,
            message: None,
            value: None,
            last_heartbeat_at: None,
            deadline: Some(at),
            deaf: std::time::Duration::ZERO,
            down_for: None,
            trace: None,
            silent_for: None,
        };
        MonitorState {
            revision: Revision(7),
            definition: Some(Definition {
                schedule: Schedule::Cron(Arc::new(
                    CronSchedule::parse("0 * * * *", "UTC").expect("a schedule"),
                )),
                grace: 600,
                remind_every: 3_600,
                paused: false,
            }),
            state: State::Down,
            since: at,
            sequence: 2,
            heard_at: None,
            counted_from: None,
            incident: Some(Box::new(Incident { down, reminders: 1, reminded_at: at })),
            armed_at: None,
            imported: None,
        }
    }

    fn encoded(state: &MonitorState) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(state, &mut bytes);
        bytes
    }

    #[test]
    fn the_stored_form_is_as_it_was() {
        let hex = |state: &MonitorState| -> String {
            encoded(state).iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let definition = "03939481a443726f6e92a930202a202a202a202aa3555443cd0258cd0e10c2";
        let incident = "939fc4104636d4bd63945bc1a82e4170c4ae6bd3c4100000000000000000000000000000000702a27570a4646f776e\
                        a66d6973736564cf0006608b054e4480c0c0c0cf0006608b054e4480920000c0c0c001cf0006608b054e4480";
        assert_eq!(hex(&state()), format!("{definition}{incident}c0"));
        assert_eq!(hex(&MonitorState { incident: None, ..state() }), format!("{definition}c0c0"));
        let period =
            Definition { schedule: Schedule::Period { timeout: 60 }, ..state().definition.expect("one") };
        let period = MonitorState { definition: Some(period), ..state() };
        assert_eq!(hex(&period), format!("0393c0{incident}c0"), "the hot part has the definition");
        assert_eq!(hex(&MonitorState { incident: None, ..period }), "");
        assert_eq!(hex(&MonitorState { incident: None, definition: None, ..state() }), "");
    }

    #[test]
    fn reads_back() {
        let mut read = MonitorState { definition: None, incident: None, ..state() };
        decode(&encoded(&state()), &mut read).expect("readable");
        assert_eq!(read, state());
        let bytes = encoded(&state());
        assert!((0..bytes.len()).all(|cut| decode(&bytes[..cut], &mut read).is_err()));
    }
}
