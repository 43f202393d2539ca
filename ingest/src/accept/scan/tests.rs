//! What bodies say, and that it does not matter in which pieces they come.

use model::heartbeat::HeartbeatKind;
use proptest::prelude::*;

use super::super::found::{Found, Given};
use super::{Scanned, Scanner, Trouble};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=------xx";

fn scan(content_type: &str, body: &[u8], step: usize) -> Scanned {
    let kind = (!content_type.is_empty()).then_some(content_type.as_bytes());
    let mut scanner = Scanner::new(kind);
    body.chunks(step.max(1)).for_each(|piece| scanner.feed(piece));
    scanner.finish()
}

/// The same in one piece and in small ones.
fn scanned(content_type: &str, body: &[u8]) -> Scanned {
    let whole = scan(content_type, body, body.len());
    for step in [1, 2, 3, 7] {
        assert_eq!(
            scan(content_type, body, step),
            whole,
            "in pieces of {step}: {}",
            String::from_utf8_lossy(body)
        );
    }
    whole
}

fn text(given: Option<Given>) -> Option<String> {
    match given? {
        Given::Text(text) => Some(text),
        Given::Unfit => Some("<unfit>".to_owned()),
    }
}

/// Status and message, and whether the body is output.
fn said(content_type: &str, body: impl AsRef<[u8]>) -> (Option<String>, Option<String>, bool) {
    let Scanned { found, is_output, trouble } = scanned(content_type, body.as_ref());
    assert_eq!(trouble, None, "{}", String::from_utf8_lossy(body.as_ref()));
    (text(found.status), text(found.message), is_output)
}

fn pair(status: &str, message: &str) -> (Option<String>, Option<String>, bool) {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (some(status), some(message), false)
}

fn trouble(content_type: &str, body: impl AsRef<[u8]>) -> Option<Trouble> {
    scanned(content_type, body.as_ref()).trouble
}

const OUTPUT: (Option<String>, Option<String>, bool) = (None, None, true);

#[test]
fn a_status_is_found_before_and_behind_very_long_values() {
    let long = "x".repeat(300_000);
    for (kind, body) in [
        (FORM, format!("status=down&msg={long}")),
        (FORM, format!("log={long}&status=down")),
        (JSON, format!(r#"{{"status":"down","msg":"{long}"}}"#)),
        (JSON, format!(r#"{{"log":{{"all":["{long}"]}},"status":"down"}}"#)),
        (
            MULTIPART,
            format!(
                "--------xx\r\nContent-Disposition: form-data; name=\"log\"; filename=\"a\"\r\n\r\n{long}\r\n--------xx\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\ndown\r\n--------xx--\r\n"
            ),
        ),
    ] {
        let found = scan(kind, body.as_bytes(), 8_192).found;
        assert_eq!(text(found.status).as_deref(), Some("down"), "{kind}");
        let message = text(found.message).unwrap_or_default();
        assert!(message.is_empty() || message.len() == 4_000, "{}", message.len());
    }
}

#[test]
fn json_is_read_as_it_was_meant() {
    for (body, status, message) in [
        (
            r#"{"status":"down","msg":"a\u0041\n\"b\" 😀 \ud83d\ude00 \ud83d"}"#,
            "down",
            "aA\n\"b\" 😀 😀 \u{fffd}",
        ),
        ("{\"status\":\"down\",\"msg\":\"line\nline\ttab\"}", "down", "line\nline\ttab"),
        (r#"{"msg":"he said "no" and left","status":"down"}"#, "down", r#"he said "no" and left"#),
        (r#"{"msg":"a "b", c","status":"down"}"#, "down", r#"a "b", c"#),
        (r#"{"status":"down","value":NaN}"#, "down", ""),
        (r#"{"status":"down","msg":null,}"#, "down", ""),
        ("{\"status\":\"down\"}\0", "down", ""),
        ("{\"status\":\"down\"}\n{\"status\":\"up\"}", "down", ""),
        ("\u{feff} {\"Status\":\"down\"}", "down", ""),
        (r#"{ "status" : "down" , "msg" : 17 }"#, "down", "17"),
        (r#"{"status":"up","STATUS":"down"}"#, "down", ""),
        (r#"{"status":["down"]}"#, "<unfit>", ""),
        (r#"{"status":true}"#, "<unfit>", ""),
        (r#"{"status":NaN}"#, "<unfit>", ""),
        (r#"{"status":undefined,"msg":"x"}"#, "<unfit>", "x"),
    ] {
        assert_eq!(said(JSON, body), pair(status, message), "{body}");
        assert_eq!(said(FORM, body), pair(status, message), "curl -d calls it a form: {body}");
    }
    // Latin-1, and UTF-16 with and without a byte order mark.
    assert_eq!(said(JSON, b"{\"status\":\"down\",\"msg\":\"f\xfcr\"}"), pair("down", "für"));
    let object = r#"{"status":"down","msg":"für 😀"}"#;
    let little: Vec<u8> = object.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = object.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for body in [
        little.clone(),
        big.clone(),
        [&[0xff, 0xfe], &little[..]].concat(),
        [&[0xfe, 0xff], &big[..]].concat(),
    ] {
        assert_eq!(said(JSON, body), pair("down", "für 😀"));
    }
}

#[test]
fn json_that_is_not_clear_is_not_read() {
    for body in [
        r#"{"status":"down""#,
        r#"{"status":"down","msg":"cut"#,
        r#"{"status" "down"}"#,
        r#"{"status":"#,
        r#"{"msg":"a "}" b","status":"down"}"#,
        "{status:down}",
        "{",
        // A path of Windows: its last backslash takes the quote behind it along.
        r#"{"msg":"C:\Backup\","status":"down"}"#,
        r#"{"msg":"C:\Backup\","exit_code":1}"#,
        r#"{"log":"C:\Backup\" , "Status" : "down","n":"1"}"#,
        // Lines of JSON within a text, without their backslashes.
        "{\"msg\":\"{\"a\":\"b\"}\n{\"c\":\"d\"}\",\"status\":\"down\"}",
        r#"{"msg":"failed: {"error":"no space"}[3]","status":"down"}"#,
        "{\"msg\":\"{\"a\":\"b\"}\0\",\"status\":\"down\"}",
        // A second object that does not arrive whole.
        r#"{"n":1}{"status":"do"#,
    ] {
        assert_eq!(trouble(JSON, body), Some(Trouble::Json), "{body}");
        assert_eq!(trouble("", body), Some(Trouble::Json), "{body}");
    }
    for body in [r#"[{"id":1},{"sta"#, r#""a text that is cut"#, "["] {
        assert_eq!(trouble(JSON, body), Some(Trouble::Json), "{body}");
    }
    for text in ["all went well", "no JSON at all", "3 files failed", "true story"] {
        assert_eq!(trouble(JSON, text), Some(Trouble::Json), "{text}");
    }
    assert_eq!(trouble(JSON, r#"[{"status":"down"}]"#), Some(Trouble::ListOfStatuses));
}

#[test]
fn lines_of_json_are_read_one_after_the_other() {
    for (body, expected) in [
        ("{\"msg\":\"begun\"}\n{\"msg\":\"done\",\"status\":\"down\"}\n", "down"),
        ("{\"status\":\"up\",\"n\":1}{\"status\":\"down\",\"n\":2}", "down"),
        ("{\"status\":\"down\"}\n{\"status\":\"up\"}\n", "down"),
        ("{\"status\":\"up\",\"msg\":\"a\"}\n{\"msg\":\"b\"}", "up"),
    ] {
        let found = scanned(JSON, body.as_bytes()).found;
        assert_eq!(found.status, Some(Given::Text(expected.to_owned())), "{body}");
    }
}

#[test]
fn bytes_of_no_named_kind_are_read() {
    for body in ["status=down", r#"{"status":"down"}"#] {
        let found = scanned("application/octet-stream", body.as_bytes()).found;
        assert_eq!(found.status, Some(Given::Text("down".to_owned())), "{body}");
    }
}

#[test]
fn what_names_no_parameter_is_output() {
    for (kind, body) in [
        (JSON, "{}"),
        (JSON, r#"{"level":"info","nested":{"status":"down"}}"#),
        (JSON, r#"[{"a":{"status":"down"}},["status",1]]"#),
        (JSON, "17"),
        (JSON, " null\n"),
        (JSON, "\"a text\""),
        (JSON, "\"a \\\" text\" "),
        ("", "[INFO] begun"),
        (FORM, "all went well & nothing=missing"),
        ("", "GET /a?x=1&status=ok HTTP/1.1"),
        ("text/plain", "status=down"),
        ("text/plain;charset=utf-8", r#"{"status":"down"}"#),
        ("", ""),
    ] {
        assert_eq!(said(kind, body), OUTPUT, "{kind} {body}");
    }
    let beside = scanned(JSON, br#"{"status":"down","systems":{}}"#);
    assert!(beside.is_output && beside.found.any, "another tool's object is kept as well");
}

#[test]
fn forms_are_read_with_names_of_any_kind() {
    for (kind, body, status, message) in [
        (FORM, "Server+Name=web1&status=down", "down", ""),
        (FORM, "a:b@c$/=1&STATUS=Down&msg=%f0%9f%98%80+%zz%4", "Down", "😀 %zz%4"),
        (FORM, "status=up&status=down", "down", ""),
        (FORM, "status=down&status=up", "down", ""),
        (FORM, "&&status=&status=down&", "down", ""),
        (FORM, "status=up&status=broken", "broken", ""),
        ("", "status=down&msg=f%fcr", "down", "für"),
        ("image/png", "status=down", "down", ""),
    ] {
        assert_eq!(said(kind, body), pair(status, message), "{kind} {body}");
    }
    assert_eq!(
        said(FORM, "\n\n\n\n\u{11}\0\nx&msg=a"),
        pair("", "a"),
        "UTF-16 shows in the first bytes only"
    );
    let mark = trouble(JSON, "\n\n\u{feff}\n[[");
    assert_eq!(mark, Some(Trouble::Json), "a byte order mark is the first thing or none");
    assert_eq!(said(FORM, "status="), (None, None, false), "an empty parameter is one of ours");
}

fn part(head: &str, value: &str) -> String {
    format!("--------xx\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
}

#[test]
fn multipart_fields_are_read_and_files_are_not() {
    let status = part("name=\"status\"", "down");
    let message = part("name=msg", "two\r\nlines");
    let file = part("name=\"status\"; filename=\"a\"", "up");
    let end = "--------xx--\r\n";
    assert_eq!(said(MULTIPART, format!("{file}{status}{message}{end}")), pair("down", "two\r\nlines"));
    assert_eq!(said(MULTIPART, format!("preamble\r\n{status}{end}epilogue")), pair("down", ""));
    let quoted = "Multipart/Form-Data;charset=x; Boundary=\"------xx\"";
    assert_eq!(said(quoted, format!("{status}{end}")), pair("down", ""));
    // Dashes that could begin a delimiter.
    let dashes = part("name=\"msg\"", "-------x --------x -");
    assert_eq!(said(MULTIPART, format!("{dashes}{end}")), pair("", "-------x --------x -"));
    assert_eq!(said(MULTIPART, end), OUTPUT);
    for cut in [status.as_str(), "--------xx\r\nContent-Dispo", ""] {
        assert_eq!(trouble(MULTIPART, cut), Some(Trouble::Multipart), "{cut}");
    }
    assert_eq!(trouble("multipart/form-data", &status), Some(Trouble::Multipart));
}

#[test]
fn json_within_a_json_text_is_read_once_more() {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let object = r#"{"status":"down","msg":"f\u00fcr \"x\" 😀"}"#;
    for kind in [JSON, FORM, ""] {
        assert_eq!(said(kind, quoted(object)), pair("down", "für \"x\" 😀"), "{kind}");
        assert_eq!(said(kind, quoted(&quoted(object))), pair("down", "für \"x\" 😀"), "{kind}");
        assert_eq!(said(kind, format!(" {}\r\n", quoted(" {\n\"status\":\"down\"}"))), pair("down", ""));
        assert_eq!(trouble(kind, quoted(r#"[{"status":"down"}]"#)), Some(Trouble::ListOfStatuses), "{kind}");
        assert_eq!(trouble(kind, quoted(r#"{"status":"#)), Some(Trouble::Json), "{kind}");
        assert_eq!(trouble(kind, r#""{\"status\":\"down\""#), Some(Trouble::Json), "its end is missing");
        assert_eq!(trouble(kind, r#""{"status":"down"}""#), Some(Trouble::Json), "{kind}");
        assert_eq!(said(kind, quoted("status=down")), pair("down", ""), "{kind}");
        assert_eq!(said(kind, quoted(r#"{"level":"info"}"#)), OUTPUT, "{kind}");
        assert_eq!(said(kind, quoted("all went well, {really}")), OUTPUT, "{kind}");
    }
    for body in [r#""status":"down""#, r#""a" b"#] {
        assert_eq!(trouble(JSON, body), Some(Trouble::Json), "{body}");
    }
    assert_eq!(said(FORM, r#""a"=1&status=down"#), pair("down", ""), "a form may begin with a quote");
    assert_eq!(said(FORM, r#""a=1&status=down"#), pair("down", ""));
    assert_eq!(said("", r#""all" went well"#), OUTPUT);
}

#[test]
fn objects_with_a_separator_between_them_are_read_one_after_the_other() {
    for between in [",", ", ", ";\n", "\u{1e}", "\n\u{1e}", ",\0,", ",;"] {
        for (first, last) in [(r#"{"value":1}"#, ""), (r#"{"status":"up","msg":""}"#, between)] {
            let body = format!(r#"{first}{between}{{"status":"down"}}{last}"#);
            for kind in [JSON, FORM, "application/json-seq"] {
                let found = scanned(kind, body.as_bytes()).found;
                assert_eq!(text(found.status).as_deref(), Some("down"), "{body}");
            }
        }
    }
    let sequence = "\u{1e}{\"status\":\"up\"}\n\u{1e}{\"status\":\"down\"}\n";
    for kind in ["application/json-seq", JSON, FORM, ""] {
        let found = scanned(kind, sequence.as_bytes()).found;
        assert_eq!(text(found.status).as_deref(), Some("down"), "{kind}");
    }
    for kind in ["application/x-ndjson", "application/json-seq", "text/json"] {
        assert_eq!(trouble(kind, "status: down"), Some(Trouble::Json), "{kind}");
    }
    // The end of the first object stands within a text.
    assert_eq!(trouble(JSON, r#"{"msg":"he "x"}, and","status":"down"}"#), Some(Trouble::Json));
    assert_eq!(trouble(JSON, r#"{"log":"{"a":"b"},{"c":"d"}","status":"down"}"#), Some(Trouble::Json));
    assert_eq!(trouble(JSON, r#"[1]{"status":"down"}"#), Some(Trouble::ListOfStatuses));
    assert_eq!(said("", r#"[1] {"status":"down"}"#), OUTPUT, "a line of a log");
}

#[test]
fn a_status_between_raw_quotes_in_other_values_is_not_lost() {
    for body in [
        r#"{"disk":{"size":"5""},"status":"down","mem":{"size":"3""}}"#,
        r#"{"disk":{"size":"5""},"a":"b", "status" : "down","mem":{"size":"3""}}"#,
        r#"{"d":{"p":"C:\"},"status":"down","m":{"q":"say "hi"}}"#,
        r#"{"d":["C:\"],"exit_code":1,"m":["D:\"]}"#,
        r#"{"d":{"p":"C:\"},"status":"down","m":["\"]}"#,
        r#"{"m":{"q":"a "{" b"},"status":"down","n":{"q":"a "}" b"}}"#,
        r#"{"commonLabels":{"p":"5""},"status":"down","commonAnnotations":{"p":"5""}}"#,
    ] {
        assert_eq!(trouble(JSON, body), Some(Trouble::Json), "{body}");
        assert_eq!(trouble("", body), Some(Trouble::Json), "{body}");
    }
    let list = trouble(JSON, r#"[{"a":"5""},{"status":"down"},{"b":"3""}]"#);
    assert_eq!(list, Some(Trouble::ListOfStatuses));
    // What swallows nothing is read.
    for body in [
        r#"{"m":{"q":"say "hi" twice"},"status":"down"}"#,
        r#"{"status":"down","disk":{"size":"5""},"mem":{"size":"3""}}"#,
        r#"{"m":{"status":"up","list":["status",{"status":[]}],"n":-1.5e3,"t":true},"status":"down"}"#,
    ] {
        assert_eq!(text(scanned(JSON, body.as_bytes()).found.status).as_deref(), Some("down"), "{body}");
    }
}

#[test]
fn what_cannot_be_seen_in_front_of_a_body_does_not_hide_it() {
    for mark in ["\u{feff}\u{feff}", "\u{a0}", "\u{200b}", "\u{2060}\n\u{feff} ", "\u{3000}", "\u{2028}"] {
        for kind in [JSON, FORM, ""] {
            let body = format!("{mark}{{\"status\":\"down\"}}");
            assert_eq!(said(kind, body), pair("down", ""), "{kind} {mark:?}");
        }
        for kind in [FORM, ""] {
            assert_eq!(said(kind, format!("{mark}status=down")), pair("down", ""), "{kind} {mark:?}");
        }
        assert_eq!(said("", format!("{mark}é")), OUTPUT);
    }
    for (kind, body) in [(FORM, &b"\xe2"[..]), ("", b"\xe2\x80"), ("", b"\xc2\n{"), (FORM, b"\xef\xbb\n")] {
        assert_eq!(said(kind, body), OUTPUT, "a character that is cut");
    }
    for body in [
        "while(1);{\"status\":\"down\"}",
        "callback({\"status\":\"down\"})",
        ")]}',\n{\"status\":\"down\"}",
        "// comment\n{\"status\":\"down\"}",
    ] {
        assert_eq!(trouble(JSON, body), Some(Trouble::Json), "{body}");
    }
    // What the shell of Windows makes of single quotes.
    assert_eq!(said(FORM, "'{\"status\":\"down\"}'"), pair("down", ""));
    assert_eq!(trouble(FORM, "'{status:down}'"), Some(Trouble::Json));
    assert_eq!(said(FORM, "'a=1&status=down"), pair("down", ""));
    assert_eq!(said("", "'a' was copied"), OUTPUT);
}

#[test]
fn a_form_that_was_written_as_a_query_or_encoded_once_more_is_heard() {
    let long = "x".repeat(2_000);
    for kind in [FORM, ""] {
        for body in [
            "?status=down",
            "/?status=down",
            "?a=1&status=down",
            "status%3Ddown",
            "status%3ddown",
            "a%3D1%26status%3Ddown",
            "\"status%3Ddown\"",
            "\"?status=down\"",
        ] {
            assert_eq!(said(kind, body), pair("down", ""), "{kind} {body}");
        }
        assert_eq!(said(kind, "msg%3Da%2Bb%26status%3Ddown"), pair("down", "a b"), "{kind}");
        assert_eq!(said(kind, "status%3Ddown&msg=x"), pair("down", "x"), "{kind}");
        for body in ["?", "/", "/?", "/x?status=down", "? x", "100%3D1 hundred", "a%3Db"] {
            assert_eq!(said(kind, body), OUTPUT, "{kind} {body}");
        }
        let cut = scanned(kind, format!("msg%3D{long}%26status%3Ddown").as_bytes()).found;
        assert_eq!(text(cut.status).as_deref(), Some("<unfit>"), "{kind}");
    }
    assert_eq!(said(FORM, "msg=x&status%3Ddown"), pair("down", "x"));
}

fn json_text() -> impl Strategy<Value = String> {
    "[ -~\u{e0}-\u{ff}😀\n\t\"\\\\{}:,]{0,40}"
}

mod machines;
mod typed;

proptest! {
    #[test]
    fn strict_json_is_read_as_a_strict_parser_does(
        fields in proptest::collection::vec(
            (prop_oneof![Just("status"), Just("msg"), Just("value"), Just("other")], json_text()), 0..6),
        nested in json_text(),
    ) {
        let mut object = serde_json::Map::new();
        for (name, value) in fields {
            object.insert(name.to_owned(), value.into());
        }
        object.insert("nested".to_owned(), serde_json::json!({"status": nested, "list": [nested, {"a": 1}]}));
        let expected = |name: &str| {
            object.get(name).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let body = serde_json::Value::Object(object.clone()).to_string();
        let Scanned { found, trouble, .. } = scanned(JSON, body.as_bytes());
        prop_assert_eq!(trouble, None);
        // A status is kept up to 64 bytes.
        if expected("status").is_none_or(|status| status.len() <= 64) {
            prop_assert_eq!(text(found.status), expected("status"));
        }
        prop_assert_eq!(text(found.message), expected("msg"));
        prop_assert_eq!(text(found.value), expected("value"));
    }

    #[test]
    fn forms_are_read_as_a_url_library_does(body in "(status|msg|value|x|=|&|%41|%|[+]|a|%c3%a9|[ -~]){0,30}") {
        // These begin something else, and a form that was encoded twice is not read by the library.
        prop_assume!(!body.trim_start().starts_with(['{', '[', '"', '\'', '?', '/']));
        prop_assume!(!body.to_ascii_lowercase().contains("%3d"));
        // Nor does it know quotation marks around names and values.
        prop_assume!(!body.contains(['\'', '"', '`']));
        let mut expected = Found::default();
        for (name, value) in url::form_urlencoded::parse(body.trim_start().as_bytes()) {
            if let Some(name) = super::super::found::Name::of(&name) {
                // What is not UTF-8 we take for Latin-1.
                prop_assume!(!value.contains(char::REPLACEMENT_CHARACTER));
                let mut value = value.into_owned();
                value.truncate(value.floor_char_boundary(name.most()));
                expected.add(name, Given::Text(value));
            }
        }
        let found = scanned(FORM, body.as_bytes()).found;
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn pieces_do_not_matter_and_nothing_panics(
        kind in prop_oneof![Just(JSON), Just(FORM), Just(MULTIPART), Just(""), Just("text/plain")],
        body in proptest::collection::vec(
            prop_oneof![
                Just(b"status".to_vec()), Just(b"\"".to_vec()), Just(b"{".to_vec()), Just(b"}".to_vec()),
                Just(b":".to_vec()), Just(b",".to_vec()), Just(b"[".to_vec()), Just(b"\\u12".to_vec()),
                Just(b"--------xx".to_vec()), Just(b"\r\n\r\n".to_vec()), Just(b"--".to_vec()),
                Just(b"name=\"msg\"".to_vec()), Just(b"Content-Disposition: form-data; ".to_vec()),
                Just(b"down".to_vec()), Just(b"&".to_vec()), Just(b"=".to_vec()), Just(b"\xff\xfe".to_vec()),
                Just(b"\xef\xbb\xbf".to_vec()), Just(b"\xe2\x80\x8b".to_vec()), Just(b"\xe2".to_vec()),
                Just(b"'".to_vec()), Just(b"/?".to_vec()), Just(b"\\\"".to_vec()), Just(b"%3D".to_vec()),
                Just(b"\n".to_vec()), Just(b"\x1e".to_vec()),
                Just(b"\0".to_vec()), Just(b" ".to_vec()), proptest::collection::vec(any::<u8>(), 1..4),
            ],
            0..30,
        ),
    ) {
        scanned(kind, &body.concat());
    }
}
