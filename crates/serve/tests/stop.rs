//! Stopping and reloading under load.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rekindle_serve::Limits;

use crate::client::{Running, receive, request, write_model};

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn a_stop_answers_every_request_that_was_sent() {
    let server = Running::start(Limits::default(), None);
    let mut streams: Vec<_> = (0..16).map(|_| server.connect()).collect();
    for stream in &mut streams {
        let body = r#"{"inputs": ["a good movie", "a bad one", "good"]}"#;
        stream.write_all(&request("POST", "/predict", JSON, body)).expect("sent");
    }
    server.handle.stop();
    for stream in &mut streams {
        let response = receive(stream);
        assert_eq!(response.status, 200, "{response:?}");
    }
    let (address, events) = (server.address, server.events.clone());
    server.stop();
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens");
    assert!(events.lock().expect("no panic").iter().any(|event| event.starts_with("stopping")));
}

#[test]
fn a_replaced_model_is_served_without_losing_a_request() {
    let server = Running::start(Limits::default(), None);
    let folder = server.folder.path().join("first");
    let (stop, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut stream = server.connect();
                while stop.load(Ordering::Relaxed) == 0 {
                    stream.write_all(&request("POST", "/predict", JSON, r#"{"inputs": "a"}"#)).expect("sent");
                    assert_eq!(receive(&mut stream).status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        fs::write(folder.join("model.safetensors"), "damaged").expect("written");
        server.handle.reload();
        let event = server.wait_for("not reloaded");
        assert!(event.contains("model `first`") && event.contains("model.safetensors"), "{event}");
        let labels = || server.get("/info").json()["models"][0]["labels"].clone();
        assert_eq!(labels(), serde_json::json!(["bad", "good", "mixed"]));

        fs::remove_dir_all(&folder).expect("removed");
        write_model(&folder, &["worse", "better"], 9);
        server.handle.reload();
        server.wait_for("`first`: reloaded");
        assert_eq!(labels(), serde_json::json!(["worse", "better"]));
        let before = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) < before + 10 {
            thread::yield_now();
        }
        stop.store(1, Ordering::Relaxed);
    });
    server.stop();
}
