//! Headers of one's own, `Name: value`.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

/// One header. Its value may be a secret: its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Header {
    name: String,
    value: String,
}

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("write it like 'Name: value'")?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return Err("write it like 'Name: value'");
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({}: …)", self.name)
    }
}

/// The headers as the API takes them.
pub(super) fn object(headers: &[Header]) -> Value {
    let pairs = headers.iter().map(|header| (header.name.clone(), Value::String(header.value.clone())));
    Value::Object(Map::from_iter(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let header = |text: &str| text.parse::<Header>();
        let read = header("Authorization:  Bearer a:b ").expect("a header");
        assert_eq!((read.name.as_str(), read.value.as_str()), ("Authorization", "Bearer a:b"));
        assert!(!format!("{read:?}").contains("Bearer"));
        assert_eq!(object(&[read]), serde_json::json!({"Authorization": "Bearer a:b"}));
        assert!(header("no colon").is_err());
        assert!(header(": value").is_err());
    }
}
