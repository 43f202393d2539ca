//! What machines write that is neither a form nor JSON: it is refused if it says that a job failed.

use super::*;

#[test]
fn json_behind_a_guard_a_call_or_a_comment_is_refused_if_it_says_something() {
    for kind in [FORM, ""] {
        for begin in [
            "while(1);",
            "while (true);",
            "for(;;);",
            ")]}',\n",
            ")]}'",
            "cb(",
            "/**/window.cb ( ",
            "// a comment\n",
            "// one\r\n// two\n\n",
            "/* a\n * comment\n */ ",
            "# a comment\n",
            "---\n",
        ] {
            for end in ["", ");", ")\n"] {
                let body = format!("{begin}{{\"status\":\"down\"}}{end}");
                assert_eq!(trouble(kind, &body), Some(Trouble::Json), "{kind} {body}");
            }
            for object in ["{status:\"down\"}", "{\"exit_code\":1}", "{'status':'down'}"] {
                assert!(trouble(kind, format!("{begin}{object}")).is_some(), "{kind} {begin} {object}");
            }
            let list = format!("{begin}[{{\"status\":\"down\"}}]");
            assert_eq!(trouble(kind, &list), Some(Trouble::ListOfStatuses), "{kind} {list}");
            let nothing = format!("{begin}{{\"level\":\"info\"}}");
            assert_eq!(said(kind, &nothing), OUTPUT, "{kind} {nothing}");
        }
        for log in [
            "render({\"x\":\"1\"}) took 3 ms",
            "print({}) and so on",
            "// a comment\nstatus was down",
            "while(1); do",
            "cb(",
            "/* never closed {\"status\":\"down\"}",
            "# Report\n\nAll is well {really}.",
            "backup (nightly) done",
        ] {
            assert_eq!(said(kind, log), OUTPUT, "{kind} {log}");
        }
        let long = format!("// {}\nall is well", "x".repeat(20_000));
        assert_eq!(said(kind, long), OUTPUT);
        assert_eq!(said(kind, "status=down&cb(=1"), pair("down", ""));
    }
}

#[test]
fn lines_of_names_and_values_are_refused_if_they_say_that_a_job_failed() {
    for kind in [FORM, ""] {
        for body in [
            "status: down",
            "status: down\n",
            "Status:down\r\nmsg: the disk is full\r\n",
            "---\n# of the job\nmsg: x\nsteps:\n  - one\n  - two\nstatus: 'failed'\n",
            "exit_code: 3",
            "job: a\nexit_code = 1",
            "msg=x\nstatus=down",
            "[job]\nname = a\nstatus = down\n",
            "\"status\": \"down\"",
            "\"msg\": \"x\",\n\"status\": \"down\",",
            "status: error # again",
        ] {
            assert_eq!(trouble(kind, body), Some(Trouble::Lines), "{kind} {body}");
        }
        for log in [
            "status: down for 3 s",
            "12:00:01 begun\nstatus: down\n12:00:02 ended\n",
            "12:00:01: begun\nstatus: down\n",
            "checking web1\nstatus: down\n",
            "status: up\nsince: 3 days",
            "status: running",
            "exit_code: 0",
            "job: a\nsteps:\n  status: down\n",
            "the status: down",
        ] {
            assert_eq!(said(kind, log), OUTPUT, "{kind} {log}");
        }
        let long = format!("log: {}\nstatus: down", "x".repeat(20_000));
        assert_eq!(trouble(kind, long), Some(Trouble::Lines));
    }
    assert_eq!(said("text/plain", "status: down"), OUTPUT);
    assert_eq!(trouble("application/yaml", "status: down"), Some(Trouble::Lines));
    assert_eq!(said(FORM, "msg=status: down"), pair("", "status: down"), "a message of one line");
}

#[test]
fn text_in_utf_32_is_heard() {
    let little = |text: &str| text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<_>>();
    let big = |text: &str| text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect::<Vec<_>>();
    for (kind, body) in [
        (JSON, r#"{"status":"down","msg":"für 😀"}"#),
        (FORM, "status=down&msg=für 😀"),
        ("", "\u{feff}status=down&msg=für 😀"),
    ] {
        for bytes in [little(body), big(body)] {
            assert_eq!(said(kind, bytes), pair("down", "für 😀"), "{kind} {body}");
        }
    }
    assert_eq!(said("", b"\x01\0\0\0\xff\xff\xff\xff"), OUTPUT, "binary output");
    assert_eq!(said("", b"\0\0\0"), OUTPUT);
    assert_eq!(said("", "a".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()), OUTPUT);
}
