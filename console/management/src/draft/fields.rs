//! Pure. Reads the fields of a JSON object one by one and gathers what is wrong with them.

use std::ops::RangeInclusive;

use api::limits::{MAX_CRON_CHARS, MAX_NAME_CHARS, MAX_TAG_CHARS, MAX_TAGS, MAX_TIMEZONE_CHARS};
use model::validation::FieldError;
use serde_json::{Map, Value};

use super::change::Change;

/// The fields of one request body.
#[derive(Clone)]
pub struct Fields {
    map: Map<String, Value>,
    known: Vec<&'static str>,
    given: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// The fields of a request's body.
    pub const fn new(map: Map<String, Value>) -> Self {
        Self { map, known: Vec::new(), given: Vec::new(), errors: Vec::new() }
    }

    /// Takes a field out.
    pub fn take(&mut self, name: &'static str) -> Change<Value> {
        self.known.push(name);
        let found = self.map.remove(name);
        if found.is_some() {
            self.given.push(name);
        }
        match found {
            None => Change::Keep,
            Some(Value::Null) => Change::Reset,
            Some(value) => Change::Set(value),
        }
    }

    /// A field that `read` understands; `allowed` says what it takes.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        allowed: &str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Change<T> {
        match self.take(name) {
            Change::Keep => Change::Keep,
            Change::Reset => Change::Reset,
            Change::Set(value) => read(value).map_or_else(
                || {
                    self.refuse(name, allowed);
                    Change::Keep
                },
                Change::Set,
            ),
        }
    }

    /// A whole number within `range`.
    pub fn seconds(&mut self, name: &'static str, range: RangeInclusive<u32>) -> Change<u32> {
        let allowed = format!("must be a whole number of seconds from {} to {}", range.start(), range.end());
        self.read(name, &allowed, |value| whole_number(&value).filter(|number| range.contains(number)))
    }

    /// True or false.
    pub fn boolean(&mut self, name: &'static str) -> Change<bool> {
        self.read(name, "must be true or false", |value| value.as_bool())
    }

    /// A name on one line, without blanks around it, and with one blank where there are several: two names
    /// that look the same are the same.
    pub fn name(&mut self) -> Change<String> {
        let allowed =
            format!("must be a text of 1 to {MAX_NAME_CHARS} characters without control characters");
        match self.read("name", &allowed, |value| spaced_line(&value, MAX_NAME_CHARS)) {
            // A name has no default to go back to.
            Change::Reset => {
                self.refuse("name", &*allowed);
                Change::Keep
            }
            given @ (Change::Keep | Change::Set(_)) => given,
        }
    }

    /// Refuses a missing name.
    pub fn require_name(&mut self, name: &Change<String>) {
        if !name.is_set() && !self.is_refused("name") {
            self.refuse("name", format!("is needed: a text of 1 to {MAX_NAME_CHARS} characters"));
        }
    }

    /// Tags, each once.
    pub fn tags(&mut self) -> Change<Vec<String>> {
        let allowed = format!(
            "must be a list of at most {MAX_TAGS} texts of 1 to {MAX_TAG_CHARS} characters, without commas"
        );
        self.read("tags", &allowed, |value| tags(&value))
    }

    /// A cron pattern, not yet parsed. Crontabs have tabs between the fields; blanks are kept.
    pub fn cron(&mut self) -> Change<String> {
        let allowed = format!("must be a cron pattern of at most {MAX_CRON_CHARS} characters");
        self.read("cron", &allowed, |value| {
            line(&Value::from(value.as_str()?.replace('\t', " ")), MAX_CRON_CHARS)
        })
    }

    /// The name of a time zone, not yet looked up.
    pub fn timezone(&mut self) -> Change<String> {
        let allowed = "must be an IANA time zone name such as Europe/Berlin";
        self.read("timezone", allowed, |value| line(&value, MAX_TIMEZONE_CHARS))
    }

    /// Refuses fields that only an answer carries.
    pub fn read_only(&mut self, names: &[&'static str], message: &str) {
        for name in names {
            if self.map.remove(*name).is_some() {
                self.refuse(name, message);
            }
        }
    }

    /// Refuses a field that is for new records only.
    pub fn new_only<T>(&mut self, name: &str, given: &Change<T>) {
        if !matches!(given, Change::Keep) {
            self.refuse(name, "cannot be changed: it is for new ones only");
        }
        self.unlist(name);
    }

    /// Takes a field off the list of allowed ones.
    pub fn unlist(&mut self, name: &str) {
        self.known.retain(|known| *known != name);
    }

    /// Refuses those of `names` that were given, unless something else is wrong with them.
    pub fn refuse_given(&mut self, names: impl IntoIterator<Item = &'static str>, message: &str) {
        for name in names {
            if self.given.contains(&name) && !self.is_refused(name) {
                self.refuse(name, message);
            }
        }
    }

    /// Notes what is wrong with a field.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(name, message));
    }

    /// Whether something is wrong with this field already.
    pub fn is_refused(&self, name: &str) -> bool {
        self.errors.iter().any(|error| error.field == name)
    }

    /// The errors, those about unknown fields included.
    pub fn into_errors(mut self) -> Vec<FieldError> {
        let allowed = match self.known.as_slice() {
            [] => "no field is allowed here".to_owned(),
            known => format!("allowed are {}", known.join(", ")),
        };
        for name in self.map.keys() {
            let shown: String = name.chars().take(100).collect();
            self.errors.push(FieldError { field: shown, message: format!("unknown field; {allowed}") });
        }
        self.errors
    }
}

/// The name of a new record, if no other record may have it.
pub fn own_name(unique: &Change<bool>, name: &Change<String>) -> Option<String> {
    match (unique, name) {
        (Change::Set(true), Change::Set(name)) => Some(name.clone()),
        (Change::Set(_) | Change::Keep | Change::Reset, Change::Set(_) | Change::Keep | Change::Reset) => {
            None
        }
    }
}

/// A whole number that fits. JSON does not tell 60 from 60.0, and the document calls both integers.
pub fn whole_number(value: &Value) -> Option<u32> {
    if let Some(number) = value.as_u64() {
        return u32::try_from(number).ok();
    }
    let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
    (0.0..=f64::from(u32::MAX)).contains(&number).then_some(number as u32)
}

/// A whole number in a query, which may be written with a point too.
pub fn written_number(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| whole_number(&serde_json::from_str(text).ok()?))
}

/// The document can say how many tags may be given, not how many different ones: so repeats count.
fn tags(value: &Value) -> Option<Vec<String>> {
    let given = value.as_array().filter(|given| given.len() <= MAX_TAGS)?;
    let mut tags: Vec<String> = Vec::new();
    for tag in given {
        // The command line separates tags by commas.
        let tag = spaced_line(tag, MAX_TAG_CHARS).filter(|tag| !tag.contains(','))?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Some(tags)
}

/// As [`line()`], with one blank for each row of blanks.
fn spaced_line(value: &Value, longest: usize) -> Option<String> {
    let text = value.as_str()?;
    if text.chars().any(char::is_control) {
        return None;
    }
    line(&Value::from(text.split_whitespace().collect::<Vec<_>>().join(" ")), longest)
}

/// A text on one line, trimmed: 1 to `longest` characters.
pub fn line(value: &Value, longest: usize) -> Option<String> {
    let text = value.as_str()?.trim();
    let good = !text.is_empty() && text.chars().count() <= longest && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tabs_in_a_cron_pattern_become_blanks() {
        let mut fields = Fields::new(json!({"cron": "0\t3\t*\t*\t*"}).as_object().expect("one").clone());
        assert_eq!(fields.cron(), Change::Set("0 3 * * *".to_owned()));
    }

    #[test]
    fn a_name_is_one_trimmed_line_of_1_to_100_characters() {
        let longest = "ü".repeat(100);
        for (given, expected) in [
            (json!("  backup "), Some("backup".to_owned())),
            (json!("nightly \u{a0}  backup\u{3000}"), Some("nightly backup".to_owned())),
            (json!("a\tb"), None),
            (json!(longest), Some(longest.clone())),
            (json!(format!("{longest}x")), None),
            (json!(""), None),
            (json!("   "), None),
            (json!("a\nb"), None),
            (json!(7), None),
        ] {
            assert_eq!(spaced_line(&given, 100), expected, "{given}");
        }
    }

    #[test]
    fn tags_are_counted_as_they_are_given_and_kept_once() {
        let given =
            |count: usize, different: usize| (0..count).map(|n| format!("t{}", n % different)).collect();
        for (given, kept) in [
            (given(MAX_TAGS, MAX_TAGS), Some(MAX_TAGS)),
            (given(MAX_TAGS, 3), Some(3)),
            (given(MAX_TAGS + 1, MAX_TAGS), None),
            (given(MAX_TAGS + 1, 1), None),
            (Vec::<String>::new(), Some(0)),
            (vec!["a,b".to_owned()], None),
        ] {
            assert_eq!(tags(&json!(given)).map(|tags| tags.len()), kept, "{given:?}");
        }
    }

    #[test]
    fn numbers_are_whole_and_fit() {
        for (given, expected) in [
            (json!(0), Some(0)),
            (json!(u32::MAX), Some(u32::MAX)),
            (json!(4_294_967_296_u64), None),
            (json!(-1), None),
            (json!(1.5), None),
            (json!(60.0), Some(60)),
            (json!(4_294_967_296.0), None),
            (json!(-60.0), None),
            (json!("60"), None),
            (json!(true), None),
        ] {
            assert_eq!(whole_number(&given), expected, "{given}");
        }
    }
}
