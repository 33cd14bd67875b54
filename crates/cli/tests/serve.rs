//! Runs `rekindle serve`, and sends it signals.

use crate::common::{Place, text};

/// Returns a folder with a trained model in `model`.
fn trained() -> Place {
    let place = Place::new();
    place.results(&["--model", "embedded", "--save-models", "--approaches", "feature-extraction"]);
    std::fs::rename(place.path("out/models/feature_extraction_freeze_all"), place.path("model")).expect("moved");
    place
}

#[test]
fn an_address_that_others_reach_needs_a_token() {
    let place = trained();
    place.write("empty", "\n");
    let cases: [(&[&str], i32, &str); 4] = [
        (&["--model", "model", "--listen", "0.0.0.0:0"], 2, "--token-file"),
        (&["--model", "model", "--token-file", "empty"], 3, "empty"),
        (&["--model", "model", "--model", "model"], 2, "two models have the name `model`"),
        (&["--model", "model", "--max-length", "129", "--listen", "127.0.0.1:0"], 2, "128 positions"),
    ];
    for (options, code, part) in cases {
        let output = place.command("serve").args(options).output().expect("it ran");
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(code) && error.contains(part), "{options:?}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn signals_reload_and_stop() {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpStream;
    use std::process::{Command, Stdio};

    let place = trained();
    let mut server = Command::new(assert_cmd::cargo::cargo_bin!("rekindle"))
        .args(["serve", "--offline", "--model", "good=model", "--listen", "127.0.0.1:0"])
        .current_dir(place.path(""))
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(server.stdout.take().expect("output")).lines();
    let mut events = BufReader::new(server.stderr.take().expect("errors")).lines();
    let first = lines.next().expect("a line").expect("read");
    let address = first.strip_prefix("listening on http://").expect("an address").to_owned();
    let pid = server.id().to_string();
    let signal = |name: &str| {
        let sent = Command::new("kill").env("LC_ALL", "C").args([name, &pid]).status().expect("it ran");
        assert!(sent.success(), "{name}");
    };
    let ask = || {
        let mut stream = TcpStream::connect(&address).expect("a connection");
        let body = r#"{"inputs": ["a joy to use"], "model": "good"}"#;
        let head = "POST /predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("sent");
        stream
    };
    let answer = |mut stream: TcpStream| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#"[[{"label":""#), "{answer}");
    };
    answer(ask());
    // A signal that the parent process ignores, as under `nohup`, stays ignored.
    let is_ignored =
        Command::new("sh").args(["-c", "kill -HUP $$; exit 7"]).status().expect("it ran").code() == Some(7);
    if is_ignored {
        println!("skipped: SIGHUP is ignored here");
    } else {
        signal("-HUP");
        assert_eq!(events.next().expect("an event").expect("read"), "model `good`: reloaded");
        place.write("model/model.safetensors", "damaged");
        signal("-HUP");
        let event = events.next().expect("an event").expect("read");
        assert!(event.starts_with("model `good`: not reloaded") && event.contains("model.safetensors"), "{event}");
    }
    let asked = ask();
    signal("-TERM");
    answer(asked);
    assert!(server.wait().expect("it ended").success());
}
