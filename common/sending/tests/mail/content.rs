//! The mail that arrives holds what was sent, and nothing else.

use sending::mail::Mail;
use servers::{Received, SmtpSink};
use uuid::Uuid;

use super::{PATIENCE, mail, mailer};

async fn arrived(mail: &Mail) -> Received {
    let sink = SmtpSink::start();
    let accepted = mailer(&sink, PATIENCE).send(mail, "ops@example.net").await.expect("it takes it");
    assert_eq!((accepted.code, accepted.text.as_str()), (250, "2.0.0 OK: queued as 4711"));
    let mails = sink.wait_for(1);
    let [arrived] = &mails[..] else { panic!("one mail arrives: {mails:?}") };
    assert_eq!(
        (arrived.sender.as_str(), &arrived.to[..]),
        ("lubdub@example.org", &["ops@example.net".to_owned()][..])
    );
    assert_eq!(arrived.defects, Vec::<String>::new());
    assert!(arrived.raw.is_ascii() && arrived.raw.lines().all(|line| line.len() <= 998), "{}", arrived.raw);
    arrived.clone()
}

#[tokio::test]
async fn a_mail_arrives_with_both_of_its_parts() {
    let mail =
        Mail { thread: Some(Uuid::from_u128(9)), unsubscribe: Some("no more, please".to_owned()), ..mail(7) };
    let arrived = arrived(&mail).await;
    for (name, value) in [
        ("From", "Lubdub <lubdub@example.org>"),
        ("To", "ops@example.net"),
        ("Subject", "DOWN: backup 7"),
        ("Date", "Sun, 22 Nov 2026 10:00:07 +0000"),
        ("Message-ID", "<00000000-0000-0000-0000-000000000007@example.org>"),
        ("In-Reply-To", "<00000000-0000-0000-0000-000000000009@example.org>"),
        ("References", "<00000000-0000-0000-0000-000000000009@example.org>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("List-Unsubscribe", "<mailto:lubdub@example.org?subject=no%20more%2C%20please>"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(arrived.header(name), value, "{name}");
    }
    assert_eq!(arrived.kind, "multipart/alternative");
    assert_eq!(arrived.bodies["text/plain"].trim_end(), mail.text.trim_end());
    assert_eq!(arrived.bodies["text/html"].trim_end(), mail.html.unwrap().trim_end());
}

#[tokio::test]
async fn a_mail_without_html_is_plain_and_begins_no_thread() {
    let mail = Mail { html: None, ..mail(7) };
    let arrived = arrived(&mail).await;
    assert_eq!(arrived.kind, "text/plain");
    assert_eq!(arrived.bodies["text/plain"].trim_end(), mail.text.trim_end());
    for name in ["In-Reply-To", "References", "List-Unsubscribe"] {
        assert!(!arrived.has(name), "{name}");
    }
}

#[tokio::test]
async fn what_a_monitor_is_called_adds_no_header_and_ends_no_mail() {
    let known = arrived(&mail(7)).await;
    let known: Vec<&String> = known.headers.iter().map(|(name, _)| name).collect();
    let boundary = format!("--=_{}", Uuid::from_u128(7).simple());
    let text = format!(
        "first\n.\n\n..two dots\r\n.\r\nQUIT\n{boundary}\nContent-Type: text/html\n\n<b>no</b>\n{boundary}--\n\
         =3D= tail \u{1F480} Ü\n{}\nlast",
        "long ".repeat(1_000)
    );
    for subject in [
        "x\r\nBcc: everybody@example.com\r\n\r\nbody",
        "x\nBcc: everybody@example.com",
        "x\rBcc: everybody@example.com",
        "x\u{2028}Bcc: everybody@example.com\u{85}Cc: a@example.com\u{b}\u{c}\0\u{1b}[31m\u{7f}",
        "=?utf-8?q?x=0D=0ABcc:_everybody@example.com?=",
        "\u{1F480} Größe Ελλάδα \u{202e}gnp.exe",
        &"very-long-name".repeat(14),
        "",
    ] {
        let mail = Mail { subject: subject.to_owned(), text: text.clone(), ..mail(7) };
        let arrived = arrived(&mail).await;
        let headers: Vec<&String> = arrived.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(headers, known, "{subject:?}");
        let said: String = subject.chars().filter(|c| c.is_alphanumeric()).collect();
        let read: String = arrived.header("Subject").chars().filter(|c| c.is_alphanumeric()).collect();
        assert_eq!(read, said);
        let expected = text.replace("\r\n", "\n");
        assert_eq!(arrived.bodies["text/plain"].replace("\r\n", "\n").trim_end(), expected);
        assert_eq!(arrived.bodies["text/html"].trim_end(), "<p>No heartbeat for 66 s</p>");
    }
}

#[tokio::test]
async fn a_mail_is_the_same_at_each_try() {
    let sink = SmtpSink::start();
    let mailer = mailer(&sink, PATIENCE);
    for _ in 0..2 {
        mailer.send(&mail(7), "ops@example.net").await.expect("it takes it");
    }
    let mails = sink.wait_for(2);
    assert_eq!(mails[0].raw, mails[1].raw);
}

#[tokio::test]
async fn what_is_shown_is_what_is_sent() {
    let sink = SmtpSink::start();
    let mailer = mailer(&sink, PATIENCE);
    let to = ["a@example.net", "b@example.net"].map(str::to_owned);
    mailer.send(&mail(7), &to[0]).await.expect("it takes it");
    let sent = sink.wait_for(1)[0].raw.clone();
    let shown = mailer.shown(&mail(7), &to, 16_384);
    assert!(
        shown.starts_with("MAIL FROM:<lubdub@example.org>\r\nRCPT TO:<a@example.net>\r\n\r\n"),
        "{shown}"
    );
    assert!(shown.contains(sent.trim_end()), "{shown}");
    assert!(shown.ends_with("for b@example.net"), "{shown}");
    assert_eq!(mailer.shown(&mail(7), &to, 300).len(), 300);
}
