//! Temporary refusals are told apart from permanent ones.

use std::net::TcpListener;
use std::time::Instant;

use sending::mail::{MailError, Mailer};
use servers::SmtpSink;

use super::{PATIENCE, SHORT, mail, mailer, settings};

#[tokio::test]
async fn permanent_and_transient_refusals_are_told_apart_at_each_step() {
    let sink = SmtpSink::start();
    let mailer = mailer(&sink, PATIENCE);
    for (to, code, permanent) in [
        ("rcpt-550@example.net", 550, true),
        ("rcpt-451@example.net", 451, false),
        ("data-554@example.net", 554, true),
        ("data-452@example.net", 452, false),
        ("rcpt-421@example.net", 421, false),
    ] {
        let error = mailer.send(&mail(1), to).await.expect_err("it is refused");
        assert_eq!((error.code(), error.is_permanent()), (Some(code), permanent), "{error}");
        assert_eq!(error.to_string(), format!("{code} 5.1.1 scripted for {to}"));
    }
    // A refused mail is not in the way of the next one.
    mailer.send(&mail(2), "ops@example.net").await.expect("it takes it");
    assert_eq!(sink.wait_for(1).len(), 1);
}

#[tokio::test]
async fn a_refusal_that_passes_is_accepted_the_next_time() {
    let sink = SmtpSink::start();
    let mailer = mailer(&sink, PATIENCE);
    let error = mailer.send(&mail(1), "data-451-1@example.net").await.expect_err("the first time");
    assert!(!error.is_permanent());
    mailer.send(&mail(1), "data-451-1@example.net").await.expect("the second time");
}

#[tokio::test]
async fn a_server_that_stalls_is_given_up_in_time_and_its_connection_is_not_used_again() {
    let sink = SmtpSink::start();
    let mailer = mailer(&sink, SHORT);
    for to in ["rcpt-stall@example.net", "data-stall@example.net"] {
        mailer.send(&mail(1), "ops@example.net").await.expect("it takes it");
        let began = Instant::now();
        let error = mailer.send(&mail(2), to).await.expect_err("it stalls");
        assert!(matches!(error, MailError::TimedOut(_)) && !error.is_permanent(), "{error}");
        assert!(began.elapsed() < PATIENCE / 2);
    }
    mailer.send(&mail(3), "ops@example.net").await.expect("it takes it");
    let mails = sink.wait_for(3);
    let over: Vec<u64> = mails.iter().map(|mail| mail.connection).collect();
    assert_eq!(over, [1, 2, 3]);
}

#[tokio::test]
async fn a_connection_that_breaks_may_have_brought_the_mail() {
    let sink = SmtpSink::start();
    let mailer = mailer(&sink, PATIENCE);
    for to in ["rcpt-drop@example.net", "data-drop@example.net", "data-lost-1@example.net"] {
        let error = mailer.send(&mail(1), to).await.expect_err("it hangs up");
        assert!(matches!(error, MailError::Broken(_)) && !error.is_permanent(), "{error}");
        assert_eq!(error.code(), None);
    }
    mailer.send(&mail(1), "data-lost-1@example.net").await.expect("it takes it");
    let mails = sink.wait_for(2);
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
}

#[tokio::test]
async fn a_server_that_is_not_there_or_speaks_no_smtp_may_be_back() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("smtp://{}", listener.local_addr().expect("it is bound"));
    // The server accepts the connection and sends nothing.
    let error =
        Mailer::new(settings(&url), SHORT).send(&mail(1), "ops@example.net").await.expect_err("silence");
    assert!(matches!(error, MailError::TimedOut(_)), "{error}");
    let speaker = std::thread::spawn(move || {
        for answer in ["554 5.7.1 go away\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", ""] {
            let (mut stream, _) = listener.accept().expect("a client connects");
            // From the silence before.
            if std::io::Write::write_all(&mut stream, answer.as_bytes()).is_err() {
                continue;
            }
        }
    });
    let mailer = Mailer::new(settings(&url), PATIENCE);
    let mut errors = Vec::new();
    while !speaker.is_finished() {
        errors.push(mailer.send(&mail(1), "ops@example.net").await.expect_err("it is no mail server"));
    }
    assert!(errors.iter().all(|error| !error.is_permanent()), "{errors:?}");
    speaker.join().expect("it speaks");
    let error = mailer.send(&mail(1), "ops@example.net").await.expect_err("no server listens");
    assert!(matches!(error, MailError::Connect(_)), "{error}");
    assert!(
        error.to_string().starts_with("failed to connect to the mail server: Connection refused"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_no_address_is_not_sent() {
    let sink = SmtpSink::start();
    let mailer = mailer(&sink, PATIENCE);
    for to in ["ops", "Ops <ops@example.net>", "ops@example.net>\r\nRCPT TO:<x@example.net", ""] {
        let error = mailer.send(&mail(1), to).await.expect_err("it is no address");
        assert!(matches!(error, MailError::Address) && error.is_permanent(), "{error}");
    }
    assert_eq!(sink.connections(), (0, 0));
}
