use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;

use super::*;

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused_when_it_is_looked_up() {
    let http = Http::new(Arc::default(), Duration::from_secs(10)).unwrap();
    // Straight to the client: the check of the URL would refuse this name already.
    let error = http.client.get("http://localhost:9/").send().await.unwrap_err();
    let Failure::Refused(refused) = why(error) else { panic!("it was refused by something else") };
    assert!(
        refused.to_string().contains("is a loopback address; to allow it, start Lubdub with"),
        "{refused}"
    );
}

/// Answers every connection that comes to it, and counts them.
fn listener(address: &str) -> (SocketAddr, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            *counted.lock().unwrap() += 1;
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (address, count)
}

/// A name server that answers one address the first time and another from then on gains nothing by it.
#[tokio::test]
async fn a_name_that_is_rebound_is_connected_to_where_it_was_checked() {
    let (allowed, visits) = listener("127.0.0.2:0");
    let (_forbidden, intrusions) = listener(&format!("127.0.0.1:{}", allowed.port()));
    let guard = Arc::new(AddressGuard::parse("127.0.0.2").unwrap());
    let answers = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&answers);
    let resolver = GuardedResolver::with_lookup(Arc::clone(&guard), move |_| {
        let mut answers = counted.lock().unwrap();
        *answers += 1;
        let host = if *answers == 1 { "127.0.0.2:0" } else { "127.0.0.1:0" };
        Ok(vec![host.parse().unwrap()])
    });
    let http = Http::with_resolver(guard, Arc::new(resolver), Duration::from_secs(10)).unwrap();
    let url: Url = format!("http://rebound.example:{}/", allowed.port()).parse().unwrap();
    let send = async || {
        let request = Request::new(reqwest::Method::POST, url.clone());
        http.exchange(request, 0, EventTime::EPOCH, http.deadline()).await
    };
    assert_eq!(send().await.map(|exchange| exchange.status.as_u16()).ok(), Some(200));
    for _ in 0..3 {
        let Err(Failure::Refused(refused)) = send().await else { panic!("it was not refused") };
        assert!(refused.to_string().starts_with("127.0.0.1 is a loopback address"), "{refused}");
    }
    assert_eq!(*answers.lock().unwrap(), 4, "one look-up for each connection");
    assert_eq!((*visits.lock().unwrap(), *intrusions.lock().unwrap()), (1, 0));
}

#[tokio::test]
async fn a_name_that_leads_back_to_this_process_is_refused_and_one_beside_it_is_not() {
    let (own, visits) = listener("127.0.0.1:0");
    let (beside, _) = listener("127.0.0.1:0");
    let everywhere = SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), own.port());
    let guard = Arc::new(AddressGuard::parse("127.0.0.0/8").unwrap().with_listener(everywhere));
    let resolver =
        GuardedResolver::with_lookup(Arc::clone(&guard), |_| Ok(vec!["127.0.0.1:0".parse().unwrap()]));
    let http = Http::with_resolver(guard, Arc::new(resolver), Duration::from_secs(10)).unwrap();
    let send = async |port: u16| {
        let url = format!("http://lubdub.example:{port}/api/push/x").parse().unwrap();
        let request = Request::new(reqwest::Method::POST, url);
        http.exchange(request, 0, EventTime::EPOCH, http.deadline()).await
    };
    let Err(Failure::Refused(refused)) = send(own.port()).await else { panic!("it was not refused") };
    assert!(refused.to_string().starts_with("it leads to this Lubdub itself"), "{refused}");
    assert_eq!(*visits.lock().unwrap(), 0);
    assert_eq!(send(beside.port()).await.map(|exchange| exchange.status.as_u16()).ok(), Some(200));
}

#[test]
fn what_was_sent_is_shown_without_its_secrets() {
    let mut request = Request::new(reqwest::Method::PUT, "https://example.com/secret".parse().unwrap());
    let mut secret = HeaderValue::from_static("hidden");
    secret.set_sensitive(true);
    request.headers_mut().insert("x-key", secret);
    request.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    *request.body_mut() = Some("two\nlines".into());
    let expected = format!(
        "PUT https://example.com/***\nuser-agent: {USER_AGENT}\nx-key: ***\ncontent-type: text/plain\n\ntwo\nlines"
    );
    assert_eq!(shown(&request, "https://example.com/***"), expected);
    *request.body_mut() = Some("é".repeat(20_000).into());
    let text = shown(&request, "");
    assert!(text.len() <= SHOWN_BYTES && text.ends_with("é…"), "{} bytes", text.len());
}

#[test]
fn a_user_and_a_password_in_a_url_are_sent_as_a_header() {
    let url = "https://ops:s3cret@example.com/x".parse().unwrap();
    let sent = without_credentials(Request::new(reqwest::Method::POST, url)).unwrap();
    assert_eq!(sent.url().as_str(), "https://example.com/x");
    assert_eq!(sent.headers()[AUTHORIZATION], "Basic b3BzOnMzY3JldA==");
    assert!(sent.headers()[AUTHORIZATION].is_sensitive());
}
