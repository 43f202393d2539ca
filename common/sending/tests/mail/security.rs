//! Neither an eavesdropper nor a reader of the logs learns the password.

use std::path::Path;

use sending::mail::{AcceptedMail, MailError, MailSettings, Mailer};
use servers::{Authority, SinkOptions, SmtpSink};

use super::{FROM, PATIENCE, mail};

const USER: &str = "lub/dub@example.org";
const PASSWORD: &str = "p@ss:w/rd%20";

/// As they stand in a URL.
const LOGIN: &str = "lub%2Fdub%40example.org:p%40ss%3Aw%2Frd%2520";

async fn send(url: &str, ca: Option<&Path>) -> Result<AcceptedMail, MailError> {
    let settings = MailSettings::new(url, FROM, ca).expect("settings");
    let debug = format!("{settings:?}");
    assert!(!debug.contains("p@ss") && !debug.contains("lub/dub") && !debug.contains("p%40"), "{debug}");
    let outcome = Mailer::new(settings, PATIENCE).send(&mail(1), "ops@example.net").await;
    if let Err(error) = &outcome {
        let said = format!("{error} {error:?}");
        // What is base64 of the password alone, and of all that PLAIN says.
        for secret in [PASSWORD, "cEBzczp3L3JkJTIw", "AGx1Yi9kdWJAZXhhbXBsZS5vcmcAcEBzczp3L3JkJTIw"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    outcome
}

#[tokio::test]
async fn the_password_goes_over_tls_from_the_start_and_by_starttls() {
    let authority = Authority::new();
    for (implicit, scheme) in [(true, "smtps"), (false, "smtp")] {
        let options = SinkOptions {
            authority: Some(&authority),
            implicit,
            login: Some((USER, PASSWORD)),
            ..SinkOptions::default()
        };
        let sink = SmtpSink::with(options);
        for host in ["localhost", "127.0.0.1"] {
            let url = format!("{scheme}://{LOGIN}@{host}:{}", sink.port());
            send(&url, Some(&sink.ca())).await.expect("it takes it");
        }
        assert_eq!(sink.logins(), [true, true]);
        assert!(sink.wait_for(2).iter().all(|mail| mail.tls && mail.user.as_deref() == Some(USER)));
    }
}

#[tokio::test]
async fn without_a_password_starttls_is_used_if_it_is_offered() {
    let authority = Authority::new();
    let sink = SmtpSink::with(SinkOptions { authority: Some(&authority), ..SinkOptions::default() });
    send(&format!("smtp://localhost:{}", sink.port()), Some(&sink.ca())).await.expect("it takes it");
    assert!(sink.wait_for(1)[0].tls);
    let plain = SmtpSink::start();
    send(&format!("smtp://localhost:{}", plain.port()), None).await.expect("it takes it");
    assert!(!plain.wait_for(1)[0].tls);
}

#[tokio::test]
async fn there_is_no_password_without_tls_even_if_it_is_asked_for() {
    let sink = SmtpSink::with(SinkOptions { login: Some((USER, PASSWORD)), ..SinkOptions::default() });
    let error = send(&format!("smtp://{LOGIN}@localhost:{}", sink.port()), None).await.expect_err("no TLS");
    assert!(matches!(error, MailError::NoTls), "{error}");
    assert_eq!(sink.logins(), Vec::<bool>::new());
    assert_eq!(sink.mails().len(), 0);
}

#[tokio::test]
async fn a_server_without_a_certificate_gets_neither_password_nor_mail() {
    let (trusted, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().expect("a folder");
    trusted.certify(folder.path());
    let ca = folder.path().join("ca.pem");
    for (implicit, scheme) in [(true, "smtps"), (false, "smtp")] {
        let sink =
            SmtpSink::with(SinkOptions { authority: Some(&other), implicit, ..SinkOptions::default() });
        for ca in [Some(ca.as_path()), None] {
            let url = format!("{scheme}://{LOGIN}@localhost:{}", sink.port());
            let error = send(&url, ca).await.expect_err("it is not trusted");
            assert!(matches!(error, MailError::Tls(_)) && !error.is_permanent(), "{error:?}");
        }
        assert_eq!((sink.logins().len(), sink.mails().len()), (0, 0));
    }
}

#[tokio::test]
async fn tls_from_the_start_is_not_talked_down() {
    let sink = SmtpSink::start();
    let settings =
        MailSettings::new(&format!("smtps://localhost:{}", sink.port()), FROM, None).expect("settings");
    let mailer = Mailer::new(settings, PATIENCE);
    mailer.send(&mail(1), "ops@example.net").await.expect_err("it speaks no TLS");
    assert_eq!(sink.mails().len(), 0);
}

#[tokio::test]
async fn a_wrong_password_is_the_operators_to_mend_and_is_not_repeated() {
    let authority = Authority::new();
    for (echo, code) in [(false, 535), (true, 501)] {
        let login = Some((USER, "another"));
        let options = SinkOptions { authority: Some(&authority), implicit: true, login, echo };
        let sink = SmtpSink::with(options);
        let url = format!("smtps://{LOGIN}@localhost:{}", sink.port());
        let error = send(&url, Some(&sink.ca())).await.expect_err("it is not let in");
        assert_eq!(error.to_string().contains("nor ***"), echo, "{error}");
        assert_eq!((error.code(), error.is_permanent()), (Some(code), false), "{error}");
        assert!(error.to_string().starts_with("the mail server does not let Lubdub in: 5"), "{error}");
    }
}
