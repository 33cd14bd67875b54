//! Clients that ask for too much, send slowly, or leave.

use std::io::{Read, Write};
use std::time::Duration;

use rekindle_serve::Limits;
use serde_json::json;

use crate::client::{Running, receive, request};

const JSON: &str = "Content-Type: application/json\r\n";

fn body(texts: usize) -> String {
    json!({ "inputs": vec!["a good movie with a rather long and winding plot"; texts] }).to_string()
}

#[test]
fn too_many_texts_wait_no_longer() {
    let limits = Limits { max_queue: 8, max_texts: 64, max_batch_tokens: 1, ..Limits::default() };
    let server = Running::start(limits, None);
    // More than the queue has places, but nothing waits.
    let (mut first, mut full) = (server.connect(), None);
    first.write_all(&request("POST", "/predict", JSON, &body(64))).expect("sent");
    for _ in 0..1000 {
        let response = server.predict(&body(8));
        if response.status == 429 {
            full = Some(response);
            break;
        }
    }
    let full = full.expect("the queue is full");
    assert_eq!(full.json()["error_type"], "overloaded");
    assert!(full.head.contains("retry-after: 1"), "{}", full.head);
    assert_eq!(receive(&mut first).status, 200, "what waits is answered");
    assert_eq!(server.predict(&body(8)).status, 200, "there is room again");
}

#[test]
fn a_client_with_an_answer_finds_its_place_free() {
    let server = Running::start(Limits { max_queue: 1, ..Limits::default() }, None);
    for _ in 0..300 {
        assert_eq!(server.predict(&body(1)).status, 200);
    }
}

#[test]
fn bodies_and_numbers_of_texts_are_bounded() {
    let server = Running::start(Limits { max_body: 1000, max_texts: 3, ..Limits::default() }, None);
    assert_eq!(server.predict(&body(3)).status, 200);
    let texts = server.predict(&json!({ "inputs": ["a", "a", "a", "a"] }).to_string());
    assert!(texts.status == 413 && texts.body.contains("4 texts"), "{texts:?}");
    for length in [2000, 100_000] {
        let large = server.predict(&json!({ "inputs": "a".repeat(length) }).to_string());
        assert!(large.status == 413 && large.body.contains("1000 bytes"), "{large:?}");
    }
    let mut stream = server.connect();
    stream
        .write_all(format!("POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{JSON}\r\n").as_bytes())
        .expect("sent");
    stream.write_all(format!("7d0\r\n{}\r\n0\r\n\r\n", "a".repeat(2000)).as_bytes()).expect("sent");
    assert_eq!(receive(&mut stream).status, 413);
}

#[test]
fn slow_clients_are_told_so() {
    let server = Running::start(Limits { timeout: Duration::from_millis(200), ..Limits::default() }, None);
    let mut body = server.connect();
    body.write_all(format!("POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n{JSON}\r\n{{").as_bytes())
        .expect("sent");
    let slow = receive(&mut body);
    assert_eq!((slow.status, slow.json()["error_type"].clone()), (408, json!("timeout")));
    let mut head = server.connect();
    head.write_all(b"POST /predict HTTP/1.1\r\nHo").expect("sent");
    let slow = receive(&mut head);
    assert_eq!((slow.status, slow.json()["error_type"].clone()), (408, json!("timeout")));
    let mut rest = Vec::new();
    assert_eq!(head.read_to_end(&mut rest).expect("closed"), 0);
    let mut idle = server.connect();
    assert_eq!(idle.read_to_end(&mut rest).expect("closed"), 0, "an idle connection is closed without a word");
}

#[test]
fn clients_that_leave_or_send_anything_disturb_nobody() {
    let server = Running::start(Limits::default(), None);
    for round in 0..20 {
        let mut stream = server.connect();
        let whole = request("POST", "/predict", JSON, &body(20));
        let sent = if round % 2 == 0 { &whole[..] } else { &whole[..whole.len() / 2] };
        stream.write_all(sent).expect("sent");
        drop(stream);
        let mut stream = server.connect();
        stream.write_all(b"\x16\x03\x01\x02\x00 nothing of HTTP\r\n\r\n").expect("sent");
        assert_eq!(receive(&mut stream).status, 400);
    }
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(&request("POST", "/predict", JSON, &body(2))).expect("sent");
        assert_eq!(receive(&mut stream).status, 200, "a connection is kept");
    }
    while !server.get("/metrics").body.contains("rekindle_queue_texts 0\n") {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn connections_beyond_the_limit_wait() {
    let server = Running::start(Limits { max_connections: 1, ..Limits::default() }, None);
    let first = server.connect();
    let mut second = server.connect();
    second.write_all(&request("GET", "/health", "", "")).expect("sent");
    second.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
    assert!(second.read(&mut [0]).is_err(), "it waits");
    drop(first);
    second.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    assert_eq!(receive(&mut second).status, 200);
}
