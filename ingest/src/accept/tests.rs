use proptest::prelude::*;

use super::*;

const FORM: Option<&[u8]> = Some(b"application/x-www-form-urlencoded");
const JSON: Option<&[u8]> = Some(b"application/json");

/// Content type, body, and what comes of it.
type Case<'a> = (Option<&'a [u8]>, &'a [u8], Result<Accepted, BadParameter>);

const MULTIPART: Option<&[u8]> = Some(b"multipart/form-data; boundary=x");
const PARTS: &[u8] = b"--x\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\ndown\r\n--x--\r\n";

fn body(bytes: &[u8]) -> Body {
    Body { tail: Bytes::copy_from_slice(bytes), cut: false }
}

fn up() -> Accepted {
    Accepted { kind: HeartbeatKind::Up, message: None, value: None, output: None }
}

fn down() -> Accepted {
    Accepted { kind: HeartbeatKind::Down, ..up() }
}

fn message(text: &str) -> Accepted {
    Accepted { message: Some(text.to_owned()), ..up() }
}

fn value(value: f64) -> Accepted {
    Accepted { value: Some(value), ..up() }
}

fn output(bytes: &[u8]) -> Accepted {
    Accepted { output: Some(Bytes::copy_from_slice(bytes)), ..up() }
}

#[test]
fn reads_the_query() {
    let cases: &[(&str, Result<Accepted, BadParameter>)] = &[
        ("", Ok(up())),
        ("status=up", Ok(up())),
        ("status=DoWn", Ok(down())),
        ("status=", Ok(up())),
        ("status=&status=down", Ok(down())),
        ("status=up&msg=OK&ping=", Ok(message("OK"))),
        ("status=d%6Fwn", Ok(down())),
        ("status=sideways", Err(BadParameter::Status)),
        ("status=%20", Err(BadParameter::Status)),
        ("Status=sideways&STATUS=x", Ok(up())),
        ("msg=a+b%20c", Ok(message("a b c"))),
        ("msg=%ff%fe", Ok(message("\u{fffd}\u{fffd}"))),
        ("msg=100%", Ok(message("100%"))),
        ("msg=%zz", Ok(message("%zz"))),
        ("msg", Ok(up())),
        ("value=1.5", Ok(value(1.5))),
        ("value=-.5e2", Ok(value(-50.0))),
        ("value=+3", Ok(value(3.0))),
        ("ping=12", Ok(value(12.0))),
        ("ping=12&value=13", Ok(value(13.0))),
        ("value=&ping=12", Ok(value(12.0))),
        ("value=NaN", Err(BadParameter::Value)),
        ("value=inf", Err(BadParameter::Value)),
        ("value=1e999", Err(BadParameter::Value)),
        ("value=1,5", Err(BadParameter::Value)),
        ("value=0x10", Err(BadParameter::Value)),
        ("ping=fast", Err(BadParameter::Value)),
        ("color=red&&=&x", Ok(up())),
    ];
    for (query, expected) in cases {
        assert_eq!(accept(Some(query), None, &Body::default()), *expected, "{query}");
    }
    assert_eq!(accept(None, None, &Body::default()), Ok(up()));
}

#[test]
fn a_body_is_parameters_or_output() {
    let text = Some(b"text/plain;charset=UTF-8".as_slice());
    let cases: &[Case<'_>] = &[
        (FORM, b"status=down", Ok(down())),
        (None, b"status=down", Ok(down())),
        (text, b"status=down\n", Ok(down())),
        (FORM, b"other=1&status=down", Ok(down())),
        (FORM, b"msg=disk full: /dev/sda1", Ok(message("disk full: /dev/sda1"))),
        (FORM, b"msg=two\nlines", Ok(message("two\nlines"))),
        (FORM, b"status=", Ok(up())),
        (FORM, b"status=maybe", Err(BadParameter::Status)),
        (FORM, b"value=x", Err(BadParameter::Value)),
        (FORM, b"", Ok(up())),
        // Bodies that are no parameters: output, byte for byte.
        (FORM, b"backup done", Ok(output(b"backup done"))),
        (FORM, b"state=down", Ok(output(b"state=down"))),
        (FORM, b"GET /x?a=1&status=200 OK", Ok(output(b"GET /x?a=1&status=200 OK"))),
        (FORM, b"exit code=3", Ok(output(b"exit code=3"))),
        (None, b"\x00\xff\xfe", Ok(output(b"\x00\xff\xfe"))),
        (None, b"\n", Ok(output(b"\n"))),
        (Some(b"Application/Octet-Stream"), b"status=down", Ok(output(b"status=down"))),
        (JSON, b"[1]", Ok(output(b"[1]"))),
        (JSON, b"{\"status\":", Ok(output(b"{\"status\":"))),
        (JSON, b"{\"level\":\"info\"}", Ok(output(b"{\"level\":\"info\"}"))),
        (JSON, b"{}", Ok(output(b"{}"))),
        // The body that `curl -F status=down` sends, and a form without any of the parameters.
        (MULTIPART, PARTS, Ok(down())),
        (None, PARTS, Ok(output(PARTS))),
        (MULTIPART, b"--x\r\n\r\n--x--", Ok(output(b"--x\r\n\r\n--x--"))),
        // JSON under any content type.
        (JSON, br#"{"status":"Down"}"#, Ok(down())),
        (FORM, br#"{"status":"down"}"#, Ok(down())),
        (text, b" {\"status\":\"down\"}\r\n", Ok(down())),
        (JSON, b"\xef\xbb\xbf{\"status\":\"down\"}", Ok(down())),
        (JSON, br#"{"status":null,"msg":"","value":null}"#, Ok(up())),
        (JSON, br#"{"msg":12.50,"deep":{"a":[1,{}]}}"#, Ok(message("12.50"))),
        (JSON, br#"{"m\u0073g":"a\u00e9\n"}"#, Ok(message("aé\n"))),
        // Half a character, as clients leave it that cut a text by its UTF-16 units.
        (JSON, br#"{"msg":"cut \ud83d"}"#, Ok(message("cut \u{fffd}"))),
        (
            JSON,
            br#"{"msg":"\ude00\ud83d\ude00\ud83d\u0041\\ud83d"}"#,
            Ok(message("\u{fffd}😀\u{fffd}A\\ud83d")),
        ),
        (JSON, br#"{"status":"up\ud83d"}"#, Err(BadParameter::Status)),
        (JSON, br#"{"value":1e2}"#, Ok(value(100.0))),
        (JSON, br#"{"value":"7"}"#, Ok(value(7.0))),
        (JSON, br#"{"ping":8}"#, Ok(value(8.0))),
        (JSON, br#"{"value":1e999}"#, Err(BadParameter::Value)),
        (JSON, br#"{"value":true}"#, Err(BadParameter::Value)),
        (JSON, br#"{"status":1}"#, Err(BadParameter::Status)),
        (JSON, br#"{"status":["up"]}"#, Err(BadParameter::Status)),
        (JSON, br#"{"msg":{"a":1}}"#, Err(BadParameter::Message)),
    ];
    for (kind, bytes, expected) in cases {
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(accept(None, *kind, &body(bytes)), *expected, "{shown}");
    }
}

#[test]
fn the_query_wins_over_the_body() {
    let both = accept(Some("status=up&ping=1"), FORM, &body(b"status=nonsense&value=2&msg=from+the+body"));
    assert_eq!(both, Ok(Accepted { value: Some(1.0), ..message("from the body") }));
    let with_output = accept(Some("status=down"), None, &body(b"panic at line 3"));
    assert_eq!(with_output, Ok(Accepted { kind: HeartbeatKind::Down, ..output(b"panic at line 3") }));
}

#[test]
fn a_body_that_was_cut_is_output_whatever_it_looks_like() {
    let cut_body = Body { tail: Bytes::from_static(b"status=down"), cut: true };
    assert_eq!(accept(None, FORM, &cut_body), Ok(output(b"status=down")));
}

#[test]
fn a_long_message_is_cut_between_characters() {
    for (given, kept) in [(999, 999), (1_000, 1_000), (1_001, 1_000), (5_000, 1_000)] {
        let long = "ü".repeat(given);
        let accepted = accept(Some(&format!("msg={long}")), None, &Body::default()).unwrap();
        assert_eq!(accepted.message.unwrap(), "ü".repeat(kept));
    }
}

proptest! {
    #[test]
    fn nothing_a_client_sends_makes_it_panic(
        query in proptest::option::of("\\PC{0,80}|(status|msg|value|ping|%[0-9a-f]|=|&|\\+){0,12}"),
        kind in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        tail in proptest::collection::vec(any::<u8>(), 0..400),
        cut in any::<bool>(),
    ) {
        let body = Body { tail: Bytes::from(tail), cut };
        if let Ok(accepted) = accept(query.as_deref(), kind.as_deref(), &body) {
            prop_assert!(accepted.value.is_none_or(f64::is_finite));
            prop_assert!(accepted.message.is_none_or(|m| m.chars().count() <= MAX_MESSAGE_CHARS));
        }
    }

    #[test]
    fn no_json_makes_it_panic(text in "\\{(\"(status|msg|value|a)\":(\"[^\"]{0,9}\"|-?[0-9.e]{1,9}|null|\\[\\]|\\{\\}),?){0,4}\\}?") {
        let body = Body { tail: Bytes::from(text.clone()), cut: false };
        if let Ok(accepted) = accept(None, JSON, &body) {
            prop_assert!(accepted.output.is_none_or(|kept| kept == text.as_bytes()));
        }
    }

    #[test]
    fn a_message_that_was_encoded_comes_back(text in "\\PC{1,200}") {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("msg", &text).finish();
        prop_assert_eq!(accept(Some(&query), None, &Body::default()).unwrap().message, Some(text));
    }
}
