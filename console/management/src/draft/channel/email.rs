//! Pure. The addresses of an e-mail channel.

use api::limits::{MAX_ADDRESS_BYTES, MAX_ADDRESSES};
use serde_json::Value;
use url::Host;

use super::super::change::Change;
use super::super::fields::Fields;

pub(crate) const FIELDS: [&str; 1] = ["to"];

/// RFC 5321, 4.5.3.1.
const MAX_LOCAL_BYTES: usize = 64;

/// The addresses, each once.
pub(crate) fn read(fields: &mut Fields) -> Change<Vec<String>> {
    let rule = format!("must be a list of 1 to {MAX_ADDRESSES} e-mail addresses such as ops@example.com");
    let given = match fields.read("to", &rule, list) {
        Change::Keep => return Change::Keep,
        Change::Reset => {
            fields.refuse("to", rule);
            return Change::Keep;
        }
        Change::Set(given) => given,
    };
    let mut addresses: Vec<String> = Vec::new();
    for text in given {
        match address(&text) {
            Some(address) if !addresses.contains(&address) => addresses.push(address),
            Some(_) => {}
            None => {
                let shown: String = text.chars().take(100).collect();
                fields.refuse("to", format!("{shown:?} is not an e-mail address such as ops@example.com"));
            }
        }
    }
    Change::Set(addresses)
}

fn list(value: Value) -> Option<Vec<String>> {
    let given = value.as_array()?;
    let good = (1..=MAX_ADDRESSES).contains(&given.len());
    good.then(|| given.iter().map(|item| item.as_str().map(str::to_owned)).collect())?
}

/// An address without a display name, quotes or comments. The domain has the form in which a resolver looks
/// it up.
fn address(text: &str) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    let good = local.len() <= MAX_LOCAL_BYTES
        && local.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
    // A host parser decodes percent signs, and takes the last dot of a whole name.
    if !good || domain.contains('%') || domain.ends_with('.') {
        return None;
    }
    let Ok(Host::Domain(domain)) = Host::parse(domain) else { return None };
    let label = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let address = format!("{local}@{domain}");
    (domain.split('.').all(label) && address.len() <= MAX_ADDRESS_BYTES).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_plain_one() {
        let long = format!("{}@example.com", "a".repeat(65));
        for (given, expected) in [
            ("ops@example.com", Some("ops@example.com")),
            (" a.b+tag@Example.COM ", Some("a.b+tag@example.com")),
            ("root@localhost", Some("root@localhost")),
            ("o'hara@example.com", Some("o'hara@example.com")),
            ("ops@bücher.example", Some("ops@xn--bcher-kva.example")),
            ("ops", None),
            ("@example.com", None),
            ("ops@", None),
            ("a..b@example.com", None),
            (".a@example.com", None),
            ("a b@example.com", None),
            ("Ops <ops@example.com>", None),
            ("\"a b\"@example.com", None),
            ("a@b@example.com", None),
            ("ops@[127.0.0.1]", None),
            ("ops@127.0.0.1", None),
            ("ops@example.com\r\nBcc: x@example.com", None),
            ("ops\u{0}@example.com", None),
            ("öps@example.com", None),
            ("ops@-a.example", None),
            ("ops@a..example", None),
            ("ops@example.com.", None),
            ("ops@a_b.example", None),
            ("ops@%61.example", None),
            ("ops@example.com:25", None),
            (long.as_str(), None),
        ] {
            assert_eq!(address(given).as_deref(), expected, "{given:?}");
        }
    }
}
