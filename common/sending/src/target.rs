//! Pure. URLs that people give: what is wrong with them, and the user and password in them.
//!
//! A user and a password are sent as a header and never as a part of the URL, so nothing that shows or logs a
//! URL shows them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use url::Url;

/// Longest URL, in characters.
pub const MAX_URL_CHARS: usize = 2_000;

/// Reads a URL that requests may be sent to.
///
/// # Errors
/// What is wrong, without the URL, which may be secret.
pub fn parse(text: &str) -> Result<Url, String> {
    let chars = text.chars().count();
    if chars > MAX_URL_CHARS {
        return Err(format!("it has {chars} characters; at most {MAX_URL_CHARS} are allowed"));
    }
    if text.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
        return Err("blanks and control characters are not allowed".to_owned());
    }
    let url: Url =
        text.parse().map_err(|error| format!("it is not a URL such as https://example.com/path: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with http:// or https://".to_owned());
    }
    // Browsers read all of these as if there were two slashes and then the host.
    let host = text.get(url.scheme().len() + 1..).and_then(|rest| rest.strip_prefix("//"));
    if host.is_none_or(|host| host.starts_with(['/', '\\', '?', '#'])) {
        return Err("it names no host: it must look like https://example.com/path".to_owned());
    }
    if url.fragment().is_some() {
        return Err("it must not have a fragment, which begins with #: that is never sent".to_owned());
    }
    if has_credentials(&url) {
        check_credentials(&url)?;
    }
    Ok(url)
}

/// Whether the URL has a user or a password.
pub fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Takes the user and the password out of a URL: the value of the header `authorization` that says the same
/// (RFC 7617). `None` if there is neither.
pub fn take_credentials(url: &mut Url) -> Option<String> {
    if !has_credentials(url) {
        return None;
    }
    let mut both: Vec<u8> = percent_decode_str(url.username()).collect();
    both.push(b':');
    both.extend(percent_decode_str(url.password().unwrap_or_default()));
    // A URL with a host takes these.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(format!("Basic {}", STANDARD.encode(both)))
}

/// The URL for people: its user and password are `***`.
pub fn shown(text: &str) -> String {
    let Ok(mut url) = text.parse::<Url>() else { return text.to_owned() };
    if !has_credentials(&url) {
        return text.to_owned();
    }
    let _ = url.set_username("***");
    let _ = url.set_password(None);
    url.into()
}

/// RFC 7617, 2: the user has no colon, and neither has control characters.
fn check_credentials(url: &Url) -> Result<(), String> {
    let user: Vec<u8> = percent_decode_str(url.username()).collect();
    if user.contains(&b':') {
        return Err("the user in it has a colon, which no header can carry".to_owned());
    }
    let mut both = user.into_iter().chain(percent_decode_str(url.password().unwrap_or_default()));
    if both.any(|byte| byte.is_ascii_control()) {
        return Err("the user and the password in it must not have control characters".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_a_password_become_a_header() {
        for (text, rest, pair) in [
            ("https://example.com/a?b=c", "https://example.com/a?b=c", None),
            ("https://ops:s3cret@example.com/a?b=c", "https://example.com/a?b=c", Some("ops:s3cret")),
            ("http://ops@example.com:81/", "http://example.com:81/", Some("ops:")),
            ("http://:key@example.com/", "http://example.com/", Some(":key")),
            ("https://o%40ps:p%C3%A4ss%3A%2F%25@[::1]:1/", "https://[::1]:1/", Some("o@ps:päss:/%")),
            ("https://ops:a:b@example.com/", "https://example.com/", Some("ops:a:b")),
            ("https://ops:50%@example.com/", "https://example.com/", Some("ops:50%")),
        ] {
            let mut url = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let taken = take_credentials(&mut url);
            let expected = pair.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
            assert_eq!((taken, url.as_str()), (expected, rest), "{text}");
            assert!(!shown(text).contains("s3cret") && !shown(text).contains("ops"), "{}", shown(text));
        }
        assert_eq!(shown("https://ops:s3cret@example.com/a"), "https://***@example.com/a");
        assert_eq!(shown("https://example.com"), "https://example.com", "as it was given");
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_it() {
        for (text, expected) in [
            ("", "it is not a URL such as https://example.com/path"),
            ("s3cret.example", "it is not a URL such as"),
            ("https://", "it is not a URL such as"),
            ("https:///s3cret", "it names no host"),
            ("https:s3cret", "it names no host"),
            ("https:\\\\s3cret", "it names no host"),
            ("https://?s3cret", "it is not a URL such as"),
            ("https://s3cret:x@/", "it is not a URL such as"),
            ("ftp://s3cret.example", "it must begin with http:// or https://"),
            ("javascript:s3cret", "it must begin with http:// or https://"),
            ("https://s3cret.example/a b", "blanks and control characters are not allowed"),
            ("https://s3cret.example/\u{7}", "blanks and control characters are not allowed"),
            ("https://s3cret.example/#", "it must not have a fragment"),
            ("https://s3cret%3Aa:b@example.com/", "the user in it has a colon"),
            ("https://s3cret:a%0Ab@example.com/", "the user and the password in it must not have control"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(expected) && !error.contains("s3cret"), "{text}: {error}");
        }
        let long = format!("https://example.com/{}", "x".repeat(MAX_URL_CHARS));
        assert!(parse(&long).is_err_and(|error| error.ends_with("at most 2000 are allowed")));
    }
}
