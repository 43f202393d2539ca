//! Pure. E-mail addresses.

use url::Host;

/// Longest address, bytes (RFC 5321, 4.5.3.1.3, without the angle brackets).
const LONGEST: usize = 254;

/// Longest part before the `@`, bytes (RFC 5321, 4.5.3.1.1).
const LONGEST_LOCAL_PART: usize = 64;

/// Longest label of a domain, bytes (RFC 1035, 2.3.4).
const LONGEST_LABEL: usize = 63;

/// The address that `text` is, or nothing: `local@domain`, of at most 254 characters, without a name, quotes,
/// comments or control characters. A domain in other letters than ASCII becomes its `xn--` form, in lower
/// case; a local part must be ASCII, for few servers take others.
pub fn mail_address(text: &str) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    if !is_local_part(local) {
        return None;
    }
    // A name that is longer than this in letters is longer still in ASCII. And %XX has no meaning here.
    if domain.len() > 4 * LONGEST || domain.contains('%') {
        return None;
    }
    let Host::Domain(domain) = Host::parse(domain).ok()? else { return None };
    let address = format!("{local}@{domain}");
    (is_domain(&domain) && address.len() <= LONGEST).then_some(address)
}

/// RFC 5322, 3.2.3: dot-atom.
fn is_local_part(text: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    text.len() <= LONGEST_LOCAL_PART && text.split('.').all(is_atom)
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_they_are() {
        for text in [
            "ops@example.org",
            "root@localhost",
            "o'brien+pager@mail.example.co.uk",
            "a.b-c_d/e=f@x--y.example",
            "UPPER@example.org",
        ] {
            assert_eq!(mail_address(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_domain_is_written_in_one_way() {
        for (text, address) in [
            (" ops@Example.ORG\n", "ops@example.org"),
            ("ops@bücher.example", "ops@xn--bcher-kva.example"),
            ("ops@ｅxample.org", "ops@example.org"),
        ] {
            assert_eq!(mail_address(text).as_deref(), Some(address));
        }
    }

    #[test]
    fn what_is_no_bare_address_is_refused() {
        let long_label = format!("ops@{}.example", "a".repeat(64));
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("ops@{}example", "abcdefghi.".repeat(25));
        let huge = format!("ops@{}", "ü".repeat(100_000));
        for text in [
            "",
            "ops",
            "@example.org",
            "ops@",
            "ops@example.org, other@example.org",
            "ops@example.org other@example.org",
            "Ops <ops@example.org>",
            "<ops@example.org>",
            "ops(comment)@example.org",
            "\"ops\"@example.org",
            "a@b@example.org",
            "ops@example.org\r\nBcc: x@example.org",
            "ops\r\n@example.org",
            "ops\0@example.org",
            "ops\u{7f}@example.org",
            "ops\u{202e}@example.org",
            "öps@example.org",
            ".ops@example.org",
            "ops.@example.org",
            "o..ps@example.org",
            "ops@.example.org",
            "ops@example..org",
            "ops@example.org.",
            "ops@-example.org",
            "ops@exa_mple.org",
            "ops@192.0.2.1",
            "ops@[192.0.2.1]",
            "ops@[::1]",
            "ops@1",
            "ops@example.org/x",
            "ops@example.org:25",
            "ops@%65xample.org%0a",
            &long_label,
            &long_local,
            &long,
            &huge,
        ] {
            assert_eq!(mail_address(text), None, "{text:.80}");
        }
    }
}
