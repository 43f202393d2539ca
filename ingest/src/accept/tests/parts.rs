//! What bodies of several parts say.

use super::*;

#[test]
fn a_part_with_a_file_name_and_our_name_is_heard_or_refused() {
    let body = |parts: &[(&str, &str)]| {
        let part = |(name, content): &(&str, &str)| {
            format!(
                "--x\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n{content}\r\n"
            )
        };
        parts.iter().map(part).collect::<String>() + "--x--\r\n"
    };
    let heard = |parts: &[(&str, &str)]| read(None, MULTIPART, body(parts).as_bytes());
    let log = "all went wrong\n".repeat(1_000);
    let bad_code = NotUnderstood::Parameter(Name::ExitCode);
    assert_eq!(heard(&[("status", "down")]), Ok(down()));
    assert_eq!(heard(&[("Status", " Down\n"), ("log", &log)]), Ok(down()));
    assert_eq!(heard(&[("exit_code", "1\n")]), Ok(down()));
    assert_eq!(heard(&[("status", &log)]), Err(BAD_STATUS));
    assert_eq!(heard(&[("status", &format!("up{}", " ".repeat(99)))]), Err(BAD_STATUS));
    assert_eq!(heard(&[("exit_code", &log)]), Err(bad_code));
    assert_eq!(
        heard(&[("msg", "disk full"), ("value", "7")]),
        Ok(Accepted { value: Some(7.0), ..message("disk full") })
    );
    // Files that are none of this.
    for parts in [
        [("msg", log.as_str()), ("log", "")],
        [("msg", "\0\u{1}"), ("ping", "x")],
        [("value", "a,b\n1,2\n"), ("log", &log)],
        [("s", "1"), ("state", "fail")],
    ] {
        let body = body(&parts);
        let kept = &body.as_bytes()[body.len().saturating_sub(100_000)..];
        assert_eq!(read(None, MULTIPART, body.as_bytes()), Ok(output(kept)), "{body:.200}");
    }
    // A browser sends a file that was not chosen so.
    let nothing =
        "--x\r\nContent-Disposition: form-data; name=\"status\"; filename=\"\"\r\n\r\n\r\n--x--\r\n";
    assert_eq!(read(None, MULTIPART, nothing.as_bytes()), Ok(up()));
}

#[test]
fn what_declares_itself_multipart_is_read_or_refused() {
    let body = |head: &str| format!("--x\r\n{head}\r\n\r\ndown\r\n--x--\r\n");
    for head in [
        "Content-Disposition: form-data; name='status'",
        "Content-Disposition: form-data; name*=UTF-8''status",
        "Content-Disposition: form-data; name*=utf-8'en'%73tatus",
        "Content-Disposition: form-data;\r\n name=\"status\"",
        "Content-Disposition:\r\n\tform-data;\r\n\tname=status",
        "Content-Disposition: form-data; filename=\"a; name=log\"; name=\"status\"",
        "Content-Disposition: form-data; x=\"\\\"; name=log\"; name=\"status\"",
    ] {
        assert_eq!(read(None, MULTIPART, body(head).as_bytes()), Ok(down()), "{head}");
    }
    let unread = Err(NotUnderstood::Body(Trouble::Multipart));
    for kind in [
        "multipart/mixed; boundary=x",
        "multipart/related; boundary=x",
        "Multipart/Alternative",
        "multipart/form-data",
    ] {
        assert_eq!(read(None, Some(kind.as_bytes()), PARTS), unread, "{kind}");
        assert_eq!(
            read(Some("status=down"), Some(kind.as_bytes()), PARTS).unwrap().kind,
            HeartbeatKind::Down
        );
    }
    // What `curl -F '=(;type=multipart/mixed'` sends: parts within a part.
    let inner = "--y\r\nContent-Disposition: attachment; name=\"status\"\r\n\r\ndown\r\n--y--\r\n";
    for name in ["", "; name=\"all\""] {
        let nested = format!(
            "--x\r\nContent-Disposition: form-data{name}\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n{inner}\r\n--x--\r\n"
        );
        assert_eq!(read(None, MULTIPART, nested.as_bytes()), unread, "{nested}");
    }
}

#[test]
fn a_body_that_begins_like_multipart_is_read_as_such() {
    for kind in [None, FORM, Some(b"application/octet-stream".as_slice())] {
        assert_eq!(read(None, kind, PARTS), Ok(down()));
        let cut = &PARTS[..PARTS.len() - 10];
        assert_eq!(read(None, kind, cut), Err(NotUnderstood::Body(Trouble::Multipart)));
        for text in [
            "--- a/file\n+++ b/file\n",
            "--",
            "---- begun\r\nContent-Length: 7\r\n",
            "-- \nContent-Disposition",
        ] {
            assert_eq!(read(None, kind, text.as_bytes()), Ok(output(text.as_bytes())), "{text}");
        }
    }
}
