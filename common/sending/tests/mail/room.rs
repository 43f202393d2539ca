//! A few connections, used again.

use std::time::Instant;

use futures_util::future::join_all;
use sending::mail::MailError;
use servers::SmtpSink;

use super::{PATIENCE, SHORT, mail, mailer};

#[tokio::test]
async fn many_mails_at_once_go_over_four_connections() {
    let sink = SmtpSink::start();
    let mailer = mailer(&sink, PATIENCE);
    let sends = (0..20).map(async |number| mailer.send(&mail(number), "data-slow@example.net").await);
    for outcome in join_all(sends).await {
        outcome.expect("it takes it");
    }
    assert_eq!(sink.wait_for(20).len(), 20);
    assert_eq!(sink.connections(), (4, 4));
}

#[tokio::test]
async fn one_after_another_they_go_over_one_connection_whatever_is_refused() {
    let sink = SmtpSink::start();
    let mailer = mailer(&sink, PATIENCE);
    for number in 0..5 {
        mailer.send(&mail(number), "ops@example.net").await.expect("it takes it");
        mailer.send(&mail(number), "rcpt-550@example.net").await.expect_err("it refuses");
        mailer.send(&mail(number), "data-450@example.net").await.expect_err("it refuses");
    }
    assert_eq!(sink.connections(), (1, 1));
    assert!(sink.wait_for(5).iter().all(|mail| mail.to == ["ops@example.net"]));
}

#[tokio::test]
async fn waiting_for_room_counts() {
    let sink = SmtpSink::start();
    let mailer = mailer(&sink, SHORT);
    let began = Instant::now();
    // If it did not, these would take five turns one after another.
    let stalled = (0..20).map(async |number| mailer.send(&mail(number), "data-stall@example.net").await);
    let stalled = join_all(stalled).await;
    assert!(stalled.iter().all(|outcome| matches!(outcome, Err(MailError::TimedOut(_)))), "{stalled:?}");
    assert!(began.elapsed() < 4 * SHORT, "{:?}", began.elapsed());
    mailer.send(&mail(6), "ops@example.net").await.expect("there is room again");
}

#[tokio::test]
async fn a_server_that_was_started_again_is_found_again() {
    let mut sink = SmtpSink::start();
    let mailer = mailer(&sink, PATIENCE);
    mailer.send(&mail(1), "ops@example.net").await.expect("it takes it");
    sink.restart();
    mailer.send(&mail(2), "ops@example.net").await.expect("it takes it");
}
