use model::heartbeat::MAX_MESSAGE_CHARS;
use proptest::prelude::*;

use super::*;

const FORM: Option<&[u8]> = Some(b"application/x-www-form-urlencoded");
const JSON: Option<&[u8]> = Some(b"application/json");

/// Content type, body, and what comes of it.
type Case<'a> = (Option<&'a [u8]>, &'a [u8], Result<Accepted, NotUnderstood>);

const BAD_STATUS: NotUnderstood = NotUnderstood::Parameter(Name::Status);
const BAD_VALUE: NotUnderstood = NotUnderstood::Parameter(Name::Value);

const MULTIPART: Option<&[u8]> = Some(b"multipart/form-data; boundary=x");
const PARTS: &[u8] = b"--x\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\ndown\r\n--x--\r\n";

/// Reads a push whose body is this.
fn read(query: Option<&str>, kind: Option<&[u8]>, body: &[u8]) -> Result<Accepted, NotUnderstood> {
    let mut scanner = Scanner::new(kind);
    scanner.feed(body);
    accept(query, Body { tail: Bytes::copy_from_slice(body), scanned: scanner.finish() })
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
    let cases: &[(&str, Result<Accepted, NotUnderstood>)] = &[
        ("", Ok(up())),
        ("status=up", Ok(up())),
        ("status=DoWn", Ok(down())),
        ("status=", Ok(up())),
        ("status=&status=down", Ok(down())),
        ("status=up&msg=OK&ping=", Ok(message("OK"))),
        ("status=d%6Fwn", Ok(down())),
        ("status=sideways", Err(BAD_STATUS)),
        ("msg=a%00b%1b%5b31m%0d%0ac%e2%80%ae", Ok(message("a\u{fffd}b\u{fffd}[31m\nc\u{fffd}"))),
        ("status=%20", Err(BAD_STATUS)),
        ("Status=sideways&STATUS=x", Err(BAD_STATUS)),
        ("msg=a+b%20c", Ok(message("a b c"))),
        ("msg=%ff%fe", Ok(message("ÿþ"))),
        ("msg=100%", Ok(message("100%"))),
        ("msg=%zz", Ok(message("%zz"))),
        ("msg", Ok(up())),
        ("value=1.5", Ok(value(1.5))),
        ("value=-.5e2", Ok(value(-50.0))),
        ("value=+3", Ok(value(3.0))),
        ("ping=12", Ok(value(12.0))),
        ("ping=12&value=13", Ok(value(13.0))),
        ("value=&ping=12", Ok(value(12.0))),
        ("value=NaN", Err(BAD_VALUE)),
        ("value=inf", Err(BAD_VALUE)),
        ("value=1e999", Err(BAD_VALUE)),
        ("value=1,5", Err(BAD_VALUE)),
        ("value=0x10", Err(BAD_VALUE)),
        ("ping=fast", Ok(up())),
        ("ping=12ms", Ok(value(12.0))),
        ("ping=0,12", Ok(value(0.0))),
        ("color=red&&=&x", Ok(up())),
    ];
    for (query, expected) in cases {
        assert_eq!(read(Some(query), None, b""), *expected, "{query}");
    }
    assert_eq!(read(None, None, b""), Ok(up()));
}

#[test]
fn a_body_is_parameters_or_output() {
    let text = Some(b"text/plain;charset=UTF-8".as_slice());
    let cases: &[Case<'_>] = &[
        (FORM, b"status=down", Ok(down())),
        (None, b"status=down", Ok(down())),
        (text, b"status=down\n", Ok(output(b"status=down\n"))),
        (FORM, b"other=1&status=down", Ok(down())),
        (FORM, b"msg=disk full: /dev/sda1", Ok(message("disk full: /dev/sda1"))),
        (FORM, b"msg=two\nlines", Ok(message("two\nlines"))),
        (FORM, b"status=", Ok(up())),
        (FORM, b"status=maybe", Err(BAD_STATUS)),
        (FORM, b"value=x", Err(BAD_VALUE)),
        (FORM, b"", Ok(up())),
        // Bodies that are no parameters: output, byte for byte.
        (FORM, b"backup done", Ok(output(b"backup done"))),
        (FORM, b"state=down", Ok(output(b"state=down"))),
        (None, b"GET /x?a=1&status=200 OK", Ok(output(b"GET /x?a=1&status=200 OK"))),
        (FORM, b"GET /x?a=1&status=200 OK", Err(BAD_STATUS)),
        (FORM, b"exit code=3", Ok(output(b"exit code=3"))),
        (None, b"\x00\xff\xfe", Ok(output(b"\x00\xff\xfe"))),
        (None, b"\n", Ok(output(b"\n"))),
        (Some(b"Application/Octet-Stream"), b"status=down", Ok(down())),
        (JSON, b"[1]", Ok(output(b"[1]"))),
        (JSON, b"{\"level\":\"info\"}", Ok(output(b"{\"level\":\"info\"}"))),
        (JSON, b"{}", Ok(output(b"{}"))),
        // The body that `curl -F status=down` sends, and a form without any of the parameters.
        (MULTIPART, PARTS, Ok(down())),
        (None, PARTS, Ok(down())),
        (MULTIPART, b"--x\r\n\r\n--x--", Ok(output(b"--x\r\n\r\n--x--"))),
        // JSON under any content type.
        (JSON, br#"{"status":"Down"}"#, Ok(down())),
        (FORM, br#"{"status":"down"}"#, Ok(down())),
        (None, b" {\"status\":\"down\"}\r\n", Ok(down())),
        (JSON, b"\xef\xbb\xbf{\"status\":\"down\"}", Ok(down())),
        (JSON, br#"{"status":null,"msg":"","value":null}"#, Ok(up())),
        (JSON, br#"{"msg":12.50}"#, Ok(message("12.50"))),
        (JSON, br#"{"m\u0073g":"a\u00e9\n"}"#, Ok(message("aé\n"))),
        // Half a character, as clients leave it that cut a text by its UTF-16 units.
        (JSON, br#"{"msg":"cut \ud83d"}"#, Ok(message("cut \u{fffd}"))),
        (
            JSON,
            br#"{"msg":"\ude00\ud83d\ude00\ud83d\u0041\\ud83d"}"#,
            Ok(message("\u{fffd}😀\u{fffd}A\\ud83d")),
        ),
        (JSON, br#"{"status":"up\ud83d"}"#, Err(BAD_STATUS)),
        (JSON, br#"{"value":1e2}"#, Ok(value(100.0))),
        (JSON, br#"{"value":"7"}"#, Ok(value(7.0))),
        (JSON, br#"{"ping":8}"#, Ok(value(8.0))),
        (JSON, br#"{"value":1e999}"#, Err(BAD_VALUE)),
        (JSON, br#"{"value":true}"#, Err(BAD_VALUE)),
        (JSON, br#"{"status":1}"#, Err(BAD_STATUS)),
        (JSON, br#"{"status":["up"]}"#, Err(BAD_STATUS)),
        (JSON, br#"{"msg":{"a":1}}"#, Err(NotUnderstood::Parameter(Name::Message))),
    ];
    for (kind, bytes, expected) in cases {
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(read(None, *kind, bytes), *expected, "{shown}");
    }
}

#[test]
fn the_query_wins_over_the_body() {
    let both = read(Some("status=up&ping=1"), FORM, b"status=ok&value=2&msg=from+the+body");
    assert_eq!(both, Ok(Accepted { value: Some(1.0), ..message("from the body") }));
    let with_output = read(Some("status=down"), None, b"panic at line 3");
    assert_eq!(with_output, Ok(Accepted { kind: HeartbeatKind::Down, ..output(b"panic at line 3") }));
}

#[test]
fn down_wins_wherever_it_stands() {
    for (query, body) in [
        ("status=up&msg=OK&ping=", "status=down"),
        ("status=down", "status=up"),
        ("STATUS=up&Status=down", ""),
        ("", "status=up&status=failed"),
    ] {
        assert_eq!(
            read(Some(query), FORM, body.as_bytes()).unwrap().kind,
            HeartbeatKind::Down,
            "{query} {body}"
        );
    }
}

#[test]
fn other_tools_are_understood_in_a_body() {
    for (body, kind) in [
        (r#"{"status":"ok","msg":"all well","systems":{"a":1}}"#, HeartbeatKind::Up),
        (r#"{"status":"Completed","value":"fast","systems":1}"#, HeartbeatKind::Up),
        (r#"{"status":"Completed"}"#, HeartbeatKind::Up),
        (r#"{"status":"error","msg":{"text":"x"},"systems":{}}"#, HeartbeatKind::Down),
    ] {
        let accepted = read(None, JSON, body.as_bytes()).unwrap();
        assert_eq!((accepted.kind, accepted.output.is_some()), (kind, body.contains("systems")), "{body}");
    }
    assert_eq!(read(None, JSON, br#"{"status":"running","job":7}"#), Err(BAD_STATUS));
    assert_eq!(read(Some("status=ok"), None, b""), Err(BAD_STATUS), "in the query the words are ours");
}

#[test]
fn a_body_that_is_not_understood_counts_only_with_a_status_in_the_query() {
    let bodies: [(Option<&[u8]>, &[u8]); 3] = [
        (JSON, b"{\"status\":\"down\""),
        (None, b"{\"status\":"),
        (MULTIPART, b"--x\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\ndown"),
    ];
    for (kind, body) in bodies {
        assert!(matches!(read(None, kind, body), Err(NotUnderstood::Body(_))));
        assert!(matches!(read(Some("msg=x"), kind, body), Err(NotUnderstood::Body(_))));
        let accepted = read(Some("status=up"), kind, body).unwrap();
        // A failure that was read before the trouble began is not lost.
        let kind =
            if body.starts_with(b"{\"status\":\"down") { HeartbeatKind::Down } else { HeartbeatKind::Up };
        assert_eq!((accepted.kind, accepted.output.as_deref()), (kind, Some(body)));
    }
}

#[test]
fn a_status_in_the_query_may_have_the_name_that_another_tool_gives_it() {
    let bad = |name| Err(NotUnderstood::Parameter(name));
    for (query, expected) in [
        ("success=true", Ok(up())),
        ("success=false&error=disk&duration=1.5s", Ok(down())),
        ("Success=FALSE", Ok(down())),
        ("success=", Ok(up())),
        ("success=maybe", bad(Name::Success)),
        ("state=complete&series=1", Ok(up())),
        ("state=ok", Ok(up())),
        ("state=fail&msg=", Ok(down())),
        ("state=run", bad(Name::State)),
        ("s=0", Ok(up())),
        ("s=2", Ok(down())),
        ("s=", Ok(up())),
        ("s=x", bad(Name::Snitch)),
        ("exit_code=0", Ok(up())),
        ("exit_code=1", Ok(down())),
        ("exit_code=256", bad(Name::ExitCode)),
        ("exit_code=-1", bad(Name::ExitCode)),
        ("exit_code=x", bad(Name::ExitCode)),
        ("exit_code=0&exit_code=3", Ok(down())),
        // The command's own judge knows better than its code.
        ("exit_code=1&status=up", Ok(up())),
        ("exit_code=0&status=down", Ok(down())),
        ("status=up&success=false", Ok(down())),
        ("status=down&success=true", Ok(down())),
        ("status=up&state=run", bad(Name::State)),
        ("state=fail&s=x", Ok(down())),
        ("status=start", bad(Name::Status)),
        ("status=log", bad(Name::Status)),
    ] {
        assert_eq!(read(Some(query), None, b""), expected, "{query}");
    }
    for (body, expected) in [
        (r#"{"exit_code":3,"status":null}"#, Ok(down())),
        (r#"{"exit_code":"0"}"#, Ok(up())),
        (r#"{"exit_code":true}"#, bad(Name::ExitCode)),
        (
            r#"{"success":false,"state":"fail","s":1}"#,
            Ok(output(br#"{"success":false,"state":"fail","s":1}"#)),
        ),
        ("exit_code=4", Ok(down())),
    ] {
        assert_eq!(read(None, FORM, body.as_bytes()), expected, "{body}");
    }
    assert_eq!(read(Some("exit_code=0"), FORM, b"exit_code=1").unwrap().kind, HeartbeatKind::Down);
    // Either place tells how the job went, whichever name it uses.
    assert_eq!(read(Some("status=up"), FORM, b"exit_code=1").unwrap().kind, HeartbeatKind::Down);
    let report = read(Some("exit_code=1"), JSON, br#"{"status":"ok"}"#).unwrap();
    assert_eq!(report.kind, HeartbeatKind::Down);
    assert_eq!(read(Some("status=up&exit_code=1"), None, b""), Ok(up()), "the status stands above the code");
    assert_eq!(read(Some("s=1"), JSON, b"{").unwrap().kind, HeartbeatKind::Down);
}

#[test]
fn an_exit_code_is_heard_by_each_name_that_people_give_it() {
    let bad = Err(NotUnderstood::Parameter(Name::ExitCode));
    for name in ["rc", "RC", "exit_status", "exitcode", "exitCode", "exit-code", "exitStatus", "returncode"]
        .into_iter()
        .chain(["return_code", "return-code"])
    {
        for (code, expected) in [("0", Ok(up())), ("1", Ok(down())), ("137", Ok(down())), ("", Ok(up()))] {
            let text = format!("{name}={code}");
            assert_eq!(read(Some(&text), None, b""), expected, "{text}");
            assert_eq!(read(None, FORM, text.as_bytes()), expected, "{text}");
            let json = format!(r#"{{"{name}":"{code}"}}"#);
            assert_eq!(read(None, JSON, json.as_bytes()), expected, "{json}");
        }
        for code in ["256", "killed", "-1", "%24%3F"] {
            let text = format!("{name}={code}");
            assert_eq!(read(Some(&text), None, b""), bad, "{text}");
            assert_eq!(read(None, FORM, text.as_bytes()), bad, "{text}");
        }
    }
    // In a body these are words like any other, and in a link within a message too.
    for name in ["code", "exit", "status_code", "statusCode", "ret", "retcode"] {
        assert_eq!(read(Some(&format!("{name}=0")), None, b""), Ok(up()), "{name}");
        assert_eq!(read(Some(&format!("{name}=1&msg=")), None, b""), Ok(down()), "{name}");
        assert_eq!(read(Some(&format!("{name}=x")), None, b""), bad, "{name}");
        let text = format!("{name}=1");
        assert_eq!(read(None, FORM, text.as_bytes()), Ok(output(text.as_bytes())), "{name}");
        let link = format!("msg=see+http://x/?{name}=x");
        assert_eq!(read(Some(&link), None, b"").map(|it| it.kind), Ok(HeartbeatKind::Up), "{link}");
    }
    for text in ["code=200", "status_code=404", "statusCode=500", "code=137"] {
        assert_eq!(read(Some(text), None, b""), bad, "{text} may be the status of an answer by HTTP");
    }
    assert_eq!(read(Some("exit_code=137"), None, b""), Ok(down()));
    assert_eq!(read(Some("rc=0&exit_status=1"), None, b""), Ok(down()), "one that says down counts");
    assert_eq!(read(Some("status=up&rc=1"), None, b""), Ok(up()), "the status stands above the code");
    assert_eq!(read(Some("exitcodes=1&src=1&zip_code=1&co_de=x&r-c=1"), None, b""), Ok(up()), "other names");
}

#[test]
fn a_name_is_ours_as_copying_and_hand_written_code_leave_it() {
    for query in [
        "%EF%BB%BFstatus=down",
        "msg=a&amp;status=down",
        "msg=a&%20status%20=down",
        "status[]=down",
        "status%5B%5D=down",
        // A URL that has a query already, and another one behind it.
        "status=up&msg=OK&ping=?status=down",
        "status=up?status=down",
    ] {
        assert_eq!(read(Some(query), None, b"").unwrap().kind, HeartbeatKind::Down, "{query}");
    }
    assert_eq!(read(Some("msg=what?+why?"), None, b""), Ok(message("what? why?")));
    for body in ["status =down", "x=1&status =down", "\u{feff}status=down", "status%20=down"] {
        assert_eq!(read(None, FORM, body.as_bytes()), Ok(down()), "{body}");
    }
    let utf16: Vec<u8> = "status=down&msg=für".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(None, FORM, &utf16), Ok(Accepted { message: Some("für".to_owned()), ..down() }));
    assert_eq!(read(None, None, b"a\0b\0"), Ok(output(b"a\0b\0")), "binary output stays what it is");
}

/// What Alertmanager 0.25 sends.
fn webhook(status: &str, annotations: &str) -> String {
    format!(
        r#"{{"receiver":"lubdub","status":"{status}","alerts":[{{"status":"{status}","labels":{{"alertname":"Watchdog"}},"annotations":{annotations},"startsAt":"2026-11-29T10:00:00Z"}}],"groupLabels":{{"alertname":"Watchdog"}},"commonLabels":{{"severity":"none","alertname":"Watch\u0064og"}},"commonAnnotations":{annotations},"externalURL":"http://x:9093","version":"4","groupKey":"{{}}:{{alertname=\"Watchdog\"}}","truncatedAlerts":0}}"#
    )
}

#[test]
fn a_webhook_of_alertmanager_or_grafana_is_a_heartbeat_while_it_fires() {
    let annotations = r#"{"description":"summary","nested":{"summary":"no"},"summary":"Always \"on\""}"#;
    for (status, annotations, expected) in [
        ("firing", annotations, message("Always \"on\"")),
        ("firing", "{}", message("Watchdog")),
        ("firing", r#"{"summary":""}"#, message("Watchdog")),
        ("firing", r#"["summary"]"#, message("Watchdog")),
        ("resolved", annotations, Accepted { kind: HeartbeatKind::Down, ..message("Always \"on\"") }),
        ("Resolved", "{}", Accepted { kind: HeartbeatKind::Down, ..message("Watchdog resolved") }),
    ] {
        let body = webhook(status, annotations);
        assert_eq!(read(None, JSON, body.as_bytes()), Ok(expected.clone()), "{body}");
        let queried = read(Some("status=down&msg=mine"), JSON, body.as_bytes());
        assert_eq!(queried, Ok(Accepted { kind: HeartbeatKind::Down, ..message("mine") }));
        assert_eq!(read(Some("status=up"), JSON, body.as_bytes()), Ok(expected), "down wins");
    }
    for body in [
        webhook("pending", "{}"),
        r#"{"status":"firing"}"#.to_owned(),
        r#"{"status":"firing","alerts":{}}"#.to_owned(),
    ] {
        assert_eq!(read(None, JSON, body.as_bytes()), Err(BAD_STATUS), "{body}");
    }
    let long = "x".repeat(100_000);
    let body = webhook("firing", &format!(r#"{{"{long}":"{long}","summary":"{long}"}}"#));
    assert_eq!(read(None, JSON, body.as_bytes()), Ok(message(&long[..1_000])));
    let grafana = r#"{"receiver":"","status":"resolved","orgId":1,"alerts":[{"status":"resolved","labels":{},"values":null}],"groupLabels":{},"commonLabels":{"alertname":"DatasourceNoData"},"commonAnnotations":{},"version":"1","title":"[RESOLVED] x","state":"ok","message":"**Resolved**"}"#;
    let expected = Accepted { kind: HeartbeatKind::Down, ..message("DatasourceNoData resolved") };
    assert_eq!(read(None, JSON, grafana.as_bytes()), Ok(expected));
}

#[test]
fn a_long_message_is_cut_between_characters() {
    for (given, kept) in [(999, 999), (1_000, 1_000), (1_001, 1_000), (5_000, 1_000)] {
        let long = "ü".repeat(given);
        let accepted = read(Some(&format!("msg={long}")), None, b"").unwrap();
        assert_eq!(accepted.message.unwrap(), "ü".repeat(kept));
    }
}

#[test]
fn a_copied_url_does_not_hide_a_body_that_is_not_understood() {
    for (body, expected) in [
        (r#"[{"status":"down"}]"#, NotUnderstood::Body(Trouble::ListOfStatuses)),
        (r#"[{"id":1},{"exit_code":1,"msg":"x"}]"#, NotUnderstood::Body(Trouble::ListOfStatuses)),
        (r#"[{"sta\u0074us":"down"}]"#, NotUnderstood::Body(Trouble::ListOfStatuses)),
        (r#"{"status":"fehlgeschlagen","job":7}"#, BAD_STATUS),
        (r#"{"status":false}"#, BAD_STATUS),
        ("status=fehlgeschlagen", BAD_STATUS),
        (r#"{"exit_code":"killed"}"#, NotUnderstood::Parameter(Name::ExitCode)),
    ] {
        let kind = if body.starts_with(['{', '[']) { JSON } else { FORM };
        for query in [None, Some("msg=x"), Some("status=up&msg=OK&ping="), Some("success=true")] {
            assert_eq!(read(query, kind, body.as_bytes()), Err(expected), "{query:?} {body}");
        }
        let failed = read(Some("status=down"), kind, body.as_bytes()).unwrap();
        assert_eq!(failed.kind, HeartbeatKind::Down, "down counts wherever it stands: {body}");
    }
}

#[test]
fn an_exit_code_that_is_no_number_is_not_understood() {
    for word in ["NaN", "None", "undefined", "Infinity", "-Infinity", "nil", "\"NaN\"", "1.5"] {
        let body = format!(r#"{{"exit_code": {word}, "msg": "x"}}"#);
        let bad = Err(NotUnderstood::Parameter(Name::ExitCode));
        assert_eq!(read(None, JSON, body.as_bytes()), bad, "{word}");
    }
    assert_eq!(read(None, JSON, br#"{"exit_code":null,"value":NaN}"#), Ok(up()), "not given");
}

#[test]
fn a_query_behind_a_query_is_heard_like_a_plain_one() {
    let bad = |name| Err(NotUnderstood::Parameter(name));
    for (appended, expected) in [
        ("?status=down", Ok(down())),
        ("?success=false", Ok(down())),
        ("?state=fail", Ok(down())),
        ("?s=1", Ok(down())),
        ("?exit_code=1", Ok(down())),
        ("?EXIT_CODE=0&msg=x", Ok(up())),
        ("?exit_code=1&status=up", Ok(up())),
        ("?exit_code=0?exit_code=2", Ok(down())),
        ("?exit_code=killed", bad(Name::ExitCode)),
        ("?success=maybe", bad(Name::Success)),
        ("?status=broken", bad(Name::Status)),
        ("%3Fstatus%3Ddown", Ok(down())),
        ("%3Fexit_code=1", Ok(down())),
        ("&status%3Ddown", Ok(down())),
        ("&success%3Dfalse", Ok(down())),
    ] {
        let expected = expected.map(|expected| Accepted { message: Some("OK".to_owned()), ..expected });
        let query = format!("status=up&msg=OK&ping={appended}");
        assert_eq!(read(Some(&query), None, b""), expected, "{query}");
    }
    assert_eq!(read(Some("?exit_code=1"), None, b""), Ok(down()));
    // A link within a message has parameters of its own.
    for link in ["http://x/?state=open", "http://x/?s=all&a=1", "http://x/?success=maybe", "x?state=fail?s=1"]
    {
        assert_eq!(
            read(Some(&format!("msg=see+{link}")), None, b"").map(|it| it.kind),
            Ok(HeartbeatKind::Up)
        );
        let ping = format!("ping=see+{}", link.replace('?', "%3F").replace('=', "%3D").replace('&', "%26"));
        assert_eq!(read(Some(&ping), None, b"").map(|it| it.kind), Ok(HeartbeatKind::Up), "{ping}");
        assert_eq!(
            read(None, FORM, format!("msg=see {link}").as_bytes()).map(|it| it.kind),
            Ok(HeartbeatKind::Up)
        );
    }
    for (query, expected) in [
        ("status=up&msg=OK?status=down", Ok(HeartbeatKind::Down)),
        ("status=up&msg=OK?state=x&exit_code=1?exit_code=1", Ok(HeartbeatKind::Down)),
        ("msg=OK?exit_code=killed", Err(NotUnderstood::Parameter(Name::ExitCode))),
    ] {
        assert_eq!(read(Some(query), None, b"").map(|it| it.kind), expected, "{query}");
    }
    let text = "msg=see+http%3A%2F%2Fx%2F%3Fstatus%3Dbroken";
    assert_eq!(read(Some(text), None, b""), Ok(message("see http://x/?status=broken")));
}

mod parts;

#[test]
fn what_looks_like_json_in_marks_of_any_kind_and_number_is_read_once() {
    let marks = ["''", "`'", "\u{2003}", "\u{201c}\u{2018}", "' '", "\"'", "%27%27", "%E2%80%83", "+'"];
    for mark in marks {
        for json in ["{", "[", "%7B", r#"{"status":"down"}"#, r#"{"status":"down"#, r#"[{"status":"down"}]"#]
        {
            for (kind, end) in [(None, ""), (None, "''"), (JSON, ""), (FORM, "=x")] {
                let body = format!("{mark}{json}{end}");
                // A failure that is named is never heard as a success.
                let heard = read(None, kind, body.as_bytes());
                let is_up = heard.as_ref().is_ok_and(|heard| heard.kind == HeartbeatKind::Up);
                assert!(!(is_up && json == r#"{"status":"down"}"#), "{body}: {heard:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_a_client_sends_makes_it_panic(
        query in proptest::option::of("\\PC{0,80}|(status|msg|value|ping|%[0-9a-f]|=|&|\\+){0,12}"),
        kind in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        body in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Ok(accepted) = read(query.as_deref(), kind.as_deref(), &body) {
            prop_assert!(accepted.value.is_none_or(f64::is_finite));
            prop_assert!(accepted.message.is_none_or(|m| m.chars().count() <= MAX_MESSAGE_CHARS));
        }
    }

    #[test]
    fn no_json_makes_it_panic(text in "\\{(\"(status|msg|value|a)\":(\"[^\"]{0,9}\"|-?[0-9.e]{1,9}|null|\\[\\]|\\{\\}),?){0,4}\\}?") {
        if let Ok(accepted) = read(None, JSON, text.as_bytes()) {
            prop_assert!(accepted.output.is_none_or(|kept| kept == text.as_bytes()));
        }
    }

    #[test]
    fn a_message_that_was_encoded_comes_back(text in "\\PC{1,200}") {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("msg", &text).finish();
        prop_assert_eq!(read(Some(&query), None, b"").unwrap().message, Some(clean_message(text)));
    }
}
