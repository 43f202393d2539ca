//! Pure. The fields of a `multipart/form-data` body (RFC 7578): what `curl -F` and a browser's `FormData`
//! send.

use std::borrow::Cow;

/// The named fields, in order; files are left out. `None` if the content type names no boundary.
pub(super) fn fields<'a>(
    content_type: &[u8],
    body: &'a [u8],
) -> Option<impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>> {
    let boundary = boundary(content_type)?;
    let delimiter = [b"--", boundary].concat();
    let parts = Parts { rest: after(body, &delimiter), delimiter };
    Some(parts.filter_map(field))
}

fn boundary(content_type: &[u8]) -> Option<&[u8]> {
    let mut parameters = content_type.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    if !parameters.next()?.eq_ignore_ascii_case(b"multipart/form-data") {
        return None;
    }
    let boundary = parameters.find_map(|parameter| {
        let equals = parameter.iter().position(|byte| *byte == b'=')?;
        let (name, value) = parameter.split_at(equals);
        name.eq_ignore_ascii_case(b"boundary").then(|| unquoted(&value[1..]))
    })?;
    (!boundary.is_empty()).then_some(boundary)
}

struct Parts<'a> {
    /// The bytes after the last delimiter; `None` after the end.
    rest: Option<&'a [u8]>,
    delimiter: Vec<u8>,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        if rest.starts_with(b"--") {
            return None;
        }
        // A last part without its end was cut on the way; what is there of it counts.
        let end = find(rest, &self.delimiter).unwrap_or(rest.len());
        self.rest = after(rest, &self.delimiter);
        Some(&rest[..end])
    }
}

/// A part's name and value; `None` if it has no name, or is a file.
fn field(part: &[u8]) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let head_end = find(part, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&part[..head_end]);
    let value = &part[head_end + 4..];
    let value = value.strip_suffix(b"\r\n").unwrap_or(value);
    let disposition = head.lines().find_map(|line| {
        let (name, rest) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(rest)
    })?;
    let parameter = |wanted: &str| {
        disposition.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    if parameter("filename").is_some() {
        return None;
    }
    Some((Cow::Owned(parameter("name")?), String::from_utf8_lossy(value)))
}

fn after<'a>(bytes: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    find(bytes, wanted).map(|at| &bytes[at + wanted.len()..])
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: &[u8] = b"multipart/form-data; boundary=xx";

    fn read(kind: &[u8], body: &str) -> Option<Vec<(String, String)>> {
        Some(
            fields(kind, body.as_bytes())?
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    fn part(name: &str, value: &str) -> String {
        format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn reads_what_curl_sends() {
        let whole = format!("{}{}--xx--\r\n", part("status", "down"), part("msg", "two\r\nlines"));
        let expected = vec![pair("status", "down"), pair("msg", "two\r\nlines")];
        assert_eq!(read(KIND, &whole), Some(expected.clone()));
        assert_eq!(read(b"Multipart/Form-Data;charset=x; Boundary=\"xx\"", &whole), Some(expected));
    }

    #[test]
    fn files_and_nameless_parts_are_left_out() {
        let file = "--xx\r\ncontent-disposition: form-data; name=\"status\"; filename=\"a\"\r\n\r\ndown\r\n";
        let nameless = "--xx\r\nContent-Type: text/plain\r\n\r\nx\r\n--xx\r\n\r\ny\r\n";
        let body = format!("{file}{nameless}{}--xx--", part("value", "3"));
        assert_eq!(read(KIND, &body), Some(vec![pair("value", "3")]));
    }

    #[test]
    fn a_part_that_was_cut_counts_as_far_as_it_came() {
        assert_eq!(read(KIND, part("msg", "so far").trim_end()), Some(vec![pair("msg", "so far")]));
        assert_eq!(read(KIND, "--xx\r\nContent-Dispo"), Some(vec![]));
        assert_eq!(read(KIND, ""), Some(vec![]));
    }

    #[test]
    fn needs_a_boundary() {
        for kind in ["multipart/form-data", "multipart/form-data; boundary=", "text/plain; boundary=xx", ""] {
            assert_eq!(read(kind.as_bytes(), &part("status", "down")), None, "{kind}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(
            kind in "multipart/form-data; ?boundary=\"?[x-]{0,3}\"?",
            body in "(-|x|\r\n|:|;|=|\"|name|Content-Disposition: form-data){0,40}",
        ) {
            if let Some(found) = fields(kind.as_bytes(), body.as_bytes()) {
                prop_assert!(found.count() <= body.len());
            }
        }
    }
}
