//! Hosts with another version of Burn's protocol, simulated by a proxy that changes the handshake.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::common::{Place, text};
use crate::hosts::{Host, command, devices, interrupted};

/// The ways in which a host of version 3 answers a client of version 2.
#[derive(Clone, Copy)]
enum Answer {
    /// It opens a session and reports its version.
    Opens,
    /// It refuses with the message that is the same in all versions of Burn.
    Refuses,
}

/// A WebSocket frame with Burn's refusal: MessagePack, `[{"InitRefused": {"IncompatibleProtocol": [3]}}, 0]`.
fn refusal() -> Vec<u8> {
    let words = [b"\x92\x81\xabInitRefused".as_slice(), b"\x81\xb4IncompatibleProtocol\x91\x03\x00"].concat();
    [&[0x82, words.len() as u8], &words[..]].concat()
}

/// Changes the answer of a host to that of version 3.
fn alter(said: &mut Vec<u8>, answer: Answer) {
    let opened = b"\xa4Init\x94\x02";
    let Some(at) = said.windows(opened.len()).position(|window| window == opened) else { return };
    match answer {
        Answer::Opens => said[at + opened.len() - 1] = 3,
        // The frame begins after the answer to the HTTP request, or at the beginning of the bytes.
        Answer::Refuses => *said = refusal(),
    }
}

/// Forwards changed bytes until one side closes the connection.
fn pass(mut from: TcpStream, mut to: TcpStream, mut altered: impl FnMut(&mut Vec<u8>)) {
    let mut buffer = [0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut said = buffer[..read].to_vec();
        altered(&mut said);
        if to.write_all(&said).is_err() {
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}

/// Starts a proxy in front of a host, and returns its URL. While `honest` is set, it forwards unchanged; afterwards it
/// simulates another version, and cuts existing connections.
fn before(host: &Host, answer: Answer, honest: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    let address = host.url.trim_start_matches("ws://").to_owned();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, host) = (client.expect("a client"), TcpStream::connect(&address).expect("the host"));
            let (up, cut) =
                ((client.try_clone().expect("a socket"), host.try_clone().expect("a socket")), Arc::clone(&honest));
            let altered = !honest.load(Ordering::Relaxed);
            thread::spawn(move || pass(up.0, up.1, |_| {}));
            let closed = client.try_clone().expect("a socket");
            thread::spawn(move || {
                pass(host, client, |said| match (altered, cut.load(Ordering::Relaxed)) {
                    (true, _) => alter(said, answer),
                    (false, true) => {}
                    (false, false) => drop(closed.shutdown(Shutdown::Both)),
                });
            });
        }
    });
    url
}

#[test]
fn a_host_with_another_protocol_is_an_error_before_any_work() {
    let place = Place::new();
    let hosts = [Host::local(&place, "host", "flex"), Host::local(&place, "good", "flex")];
    for answer in [Answer::Opens, Answer::Refuses] {
        let url = before(&hosts[0], answer, Arc::default());
        let other = text(&devices(&place, None, &[&url]).stdout);
        for more in [vec![], vec!["--host", &hosts[1].url]] {
            let mut command = command(&place, None);
            command
                .args([
                    "experiment",
                    "--offline",
                    "--output",
                    "out",
                    "--overwrite",
                    "--backend",
                    "remote",
                    "--host",
                    &url,
                ])
                .args(more);
            let output = command.output().expect("it ran");
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(6), "{said}");
            let words = format!("{url}: the host uses version 3 of Burn's protocol, this machine version 2");
            assert!(said.contains(&words) && other.contains(&words), "{said}{other}");
            assert!(!place.path("out").exists() && !place.path("out.checkpoint").exists(), "nothing is written");
        }
    }
}

#[test]
fn a_host_that_returns_with_another_protocol_is_dropped() {
    let place = Place::new();
    let hosts = [Host::local(&place, "host", "flex"), Host::local(&place, "good", "flex")];
    let honest = Arc::new(AtomicBool::new(true));
    let url = before(&hosts[0], Answer::Opens, Arc::clone(&honest));
    let said = interrupted(&place, &hosts[1], &[&url, &hosts[1].url], &url, || honest.store(false, Ordering::Relaxed));
    assert!(said.contains(&format!("{url}: the host uses version 3 of Burn's protocol")), "{said}");
    assert!(said.contains("the connection is not retried"), "{said}");
}
