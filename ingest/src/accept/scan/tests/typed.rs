//! What shells and hands make of a form and of JSON.

use super::*;

#[test]
fn quotation_marks_that_a_shell_passes_on_do_not_hide_what_stands_in_them() {
    for kind in [FORM, ""] {
        for body in [
            "'status=down'",
            "'status=down",
            "status=down'",
            "status='down'",
            "status=\"down\"",
            "'status'='down'",
            "\"status\"=\"down\"",
            "`status=down`",
            "‘status=down’",
            "“status”=“down”",
            "'a=1&status=down'",
            "a=1&'status=down'",
            "'status%3Ddown'",
            "'?status=down'",
            "'{\"status\":\"down\"}'",
            "`{\"status\":\"down\"}`",
            "'\"{\\\"status\\\":\\\"down\\\"}\"'",
            "{\"status\":\"'down'\"}",
            "{\"'status'\":\"down\"}",
        ] {
            let Scanned { found, trouble, .. } = scanned(kind, body.as_bytes());
            let status = found.status(super::super::super::words::status_of_any_tool);
            assert_eq!(status.and_then(|(_, kind)| kind), Some(HeartbeatKind::Down), "{kind} {body}");
            assert_eq!(trouble, None, "{kind} {body}");
        }
        for (body, expected) in [
            ("'[{\"status\":\"down\"}]'", Trouble::ListOfStatuses),
            ("'{status:down}'", Trouble::Json),
            ("‘{“status”:“down”}’", Trouble::Json),
        ] {
            assert_eq!(trouble(kind, body), Some(expected), "{kind} {body}");
        }
        for body in ["'", "''", "'a' was copied", "'all went well', it said", "‘", "“well” = well"] {
            assert_eq!(said(kind, body), OUTPUT, "{kind} {body}");
        }
    }
    // Windows writes them in a code page of its own.
    assert_eq!(said(FORM, b"\x91status=down\x92"), pair("down", ""));
    assert_eq!(said(FORM, "'msg=the disk's full'"), pair("", "the disk's full"));
    assert_eq!(said(FORM, "msg=the disks'"), pair("", "the disks'"), "it is the text's own");
    let message = part("name=\"'msg\"", "the disk's full'");
    let status = part("name=\"'status\"", "down'");
    assert_eq!(said(MULTIPART, format!("{message}{status}--------xx--")), pair("down", "the disk's full"));
}

#[test]
fn a_list_is_judged_like_the_object_in_it() {
    for object in [
        r#"{status:"down"}"#,
        r#"{ status : "down" }"#,
        r#"{'status': 'down'}"#,
        r#"{"a":1,status:"down"}"#,
        r#"{exit_code:1}"#,
    ] {
        for kind in [JSON, FORM, ""] {
            assert!(trouble(kind, object).is_some(), "{kind} {object}");
            assert!(trouble(kind, format!("[{object}]")).is_some(), "{kind} [{object}]");
            assert!(trouble(kind, format!("[\n  {object},\n  {object}\n]")).is_some(), "{kind} [{object}]");
        }
        assert!(trouble(JSON, format!("[1, {object}]")).is_some(), "{object}");
    }
    for object in [r#"{msg:"x"}"#, r#"{"at":12:30}"#, r#"{"a":1,b:2}"#] {
        assert_eq!(trouble(JSON, object), Some(Trouble::Json), "{object}");
        assert_eq!(trouble(JSON, format!("[{object}]")), Some(Trouble::Json), "{object}");
    }
    for line in [
        "[12:00:01] {status: down}",
        "[INFO] status: down",
        "[info status: down]",
        "[1, {status: down}]",
        "[{down 1} {up 2}]",
    ] {
        assert_eq!(said("", line), OUTPUT, "a line of a log: {line}");
    }
}

#[test]
fn a_form_behind_an_object_is_heard() {
    for kind in [FORM, ""] {
        for body in [
            r#"{"a":1}&status=down"#,
            r#"{"a":"b"}&x=1&status=down"#,
            r#"{"status":"up"}&status=down"#,
            r#"{}&&{"status":"down"}"#,
            r#"{"a":"b"} & {"status":"down"}"#,
        ] {
            let found = scanned(kind, body.as_bytes()).found;
            assert_eq!(text(found.status).as_deref(), Some("down"), "{kind} {body}");
        }
        assert_eq!(said(kind, r#"{"a":1}&b=2"#), OUTPUT);
        assert_eq!(said(kind, r#"{"a":1}&"#), OUTPUT);
    }
    // The end of the object stands within a text.
    assert_eq!(trouble(FORM, r#"{"log":"{"a":"b"}&c","status":"down"}"#), Some(Trouble::Json));
}

#[test]
fn an_object_that_was_encoded_as_a_form_is_heard() {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let object = encode(r#"{"status":"down","msg":"a&b=c"}"#);
    for kind in [FORM, ""] {
        assert_eq!(said(kind, &object), pair("down", "a&b=c"), "{kind}");
        assert_eq!(said(kind, format!("{object}=")), pair("down", "a&b=c"), "{kind}");
        let list = encode(r#"[{"status":"down"}]"#);
        assert_eq!(trouble(kind, list), Some(Trouble::ListOfStatuses), "{kind}");
        assert_eq!(trouble(kind, encode("{\"status\":")), Some(Trouble::Json), "{kind}");
        assert_eq!(said(kind, encode(r#"{"level":"info"}"#)), OUTPUT, "{kind}");
    }
    let long = encode(&format!(r#"{{"log":"{}","status":"down"}}"#, "x".repeat(2_000)));
    assert_eq!(trouble(FORM, long), Some(Trouble::Json), "what was not kept may say something");
}
