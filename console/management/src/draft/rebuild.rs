//! Pure. The draft of a rebuild.

use model::ids::PartitionId;
use model::rebuild::RebuildFrom;
use model::validation::FieldError;
use serde_json::{Map, Value};

use super::change::Change;
use super::fields::{Fields, whole_number};

/// A request for a rebuild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildDraft {
    /// `None` = every one.
    pub partition: Option<PartitionId>,
    /// Compare only.
    pub verify: bool,
    /// Write the history anew, too.
    pub history: bool,
    /// Where it begins.
    pub from: RebuildFrom,
}

/// Reads the body of `POST /replay/rebuilds` in an installation of this many partitions.
pub fn read(map: Map<String, Value>, partitions: u16) -> Result<RebuildDraft, Vec<FieldError>> {
    let mut fields = Fields::new(map);
    let allowed = format!("must be a partition from 0 to {}", partitions.saturating_sub(1));
    let partition = fields.read("partition", &allowed, |value| {
        let number = whole_number(&value).and_then(|number| u16::try_from(number).ok());
        number.filter(|number| *number < partitions).map(PartitionId)
    });
    let verify = fields.boolean("verify");
    if matches!(verify, Change::Keep | Change::Reset) && !fields.is_refused("verify") {
        fields.refuse(
            "verify",
            "is needed: true compares only, false puts what the log says in place of the live state",
        );
    }
    let history = fields.boolean("history").onto(false, false);
    let from = fields.read("from", "must be \"oldest\" or \"newest\"", |value| match value.as_str()? {
        "oldest" => Some(RebuildFrom::Oldest),
        "newest" => Some(RebuildFrom::Newest),
        _ => None,
    });
    if history && verify == Change::Set(true) {
        fields.refuse("history", "cannot be together with verify: that changes nothing");
    }
    let errors = fields.into_errors();
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(RebuildDraft {
        partition: partition.set(),
        verify: verify.onto(true, true),
        history,
        from: from.onto(RebuildFrom::Oldest, RebuildFrom::Oldest),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<RebuildDraft, Vec<String>> {
        let Value::Object(map) = body else { panic!("an object") };
        let name =
            |errors: Vec<FieldError>| errors.into_iter().map(|error| error.field.to_string()).collect();
        super::read(map, 4).map_err(name)
    }

    #[test]
    fn what_is_asked_for_is_read_strictly() {
        let all = RebuildDraft { partition: None, verify: true, history: false, from: RebuildFrom::Oldest };
        for (body, expected) in [
            (json!({"verify": true}), Ok(all.clone())),
            (json!({"verify": true, "partition": null, "history": null, "from": null}), Ok(all.clone())),
            (
                json!({"verify": false, "partition": 3, "history": true, "from": "newest"}),
                Ok(RebuildDraft {
                    partition: Some(PartitionId(3)),
                    verify: false,
                    history: true,
                    from: RebuildFrom::Newest,
                }),
            ),
            (json!({}), Err(vec!["verify"])),
            (json!({"verify": "yes"}), Err(vec!["verify"])),
            (json!({"verify": true, "partition": 4}), Err(vec!["partition"])),
            (json!({"verify": true, "partition": -1}), Err(vec!["partition"])),
            (json!({"verify": true, "history": true}), Err(vec!["history"])),
            (json!({"verify": true, "from": "middle"}), Err(vec!["from"])),
            (json!({"verify": true, "colour": "red"}), Err(vec!["colour"])),
        ] {
            let expected =
                expected.map_err(|fields| fields.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(read(body.clone()), expected, "{body}");
        }
    }
}
