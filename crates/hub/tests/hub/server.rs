//! A hub on the loopback interface that serves one repository as the public hub does.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

/// The commit that the server's `main` stands for.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file of the repository.
#[derive(Clone)]
pub struct Served {
    pub body: Vec<u8>,
    pub etag: String,
}

/// How the server misbehaves.
#[derive(Default)]
pub struct Quirks {
    /// Close the connection in the middle of this file, once.
    pub cut_once: Option<String>,
    /// Go silent in the middle of this file.
    pub stall: Option<String>,
    /// Answer everything with this status and `x-error-code`.
    pub refuse: Option<(u16, &'static str)>,
    /// Redirect this name to the repository's real one, as the hub does for the models without an organisation.
    pub alias: Option<String>,
    /// Serve these names under this commit instead of [`COMMIT`].
    pub other_commit: bool,
    /// Report this as the newest commit.
    pub newest: Option<&'static str>,
    /// Redirect all requests to this address.
    pub moved: Option<String>,
    /// Redirect requests for large files to this address.
    pub elsewhere: Option<String>,
    /// Send more bytes of this file than announced.
    pub longer: Option<String>,
    /// Ignore ranges of large files.
    pub no_ranges: bool,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

struct State {
    id: String,
    files: BTreeMap<String, Served>,
    quirks: Mutex<Quirks>,
    requests: Mutex<Vec<Asked>>,
    address: SocketAddr,
}

/// The running server; its threads end with the test's process.
pub struct Server(Arc<State>);

/// The name that the hub gives to a large file: its SHA-256.
pub fn sha256(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files of a repository: the weights are large files, the others small ones with a name of 40 digits.
pub fn files(list: &[(&str, &[u8])]) -> BTreeMap<String, Served> {
    list.iter()
        .map(|(name, body)| {
            let mut etag = sha256(body);
            if !name.ends_with(".safetensors") {
                etag.truncate(40);
            }
            let body = body.to_vec();
            ((*name).to_owned(), Served { body, etag })
        })
        .collect()
}

impl Server {
    pub fn start(id: &str, files: BTreeMap<String, Served>, quirks: Quirks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let state = Arc::new(State {
            id: id.to_owned(),
            files,
            quirks: Mutex::new(quirks),
            requests: Mutex::default(),
            address: listener.local_addr().expect("an address"),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || state.serve(stream));
            }
        });
        Self(state)
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<Asked> {
        self.0.requests.lock().expect("not poisoned").clone()
    }
}

impl State {
    /// Answers one request and closes the connection. A client that closes the connection is not a failure of the
    /// server.
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(read) if read > 0 && !line.trim().is_empty() => lines.push(line.trim().to_owned()),
                _ => break,
            }
        }
        let Some(path) = lines.first().and_then(|line| line.split(' ').nth(1)) else {
            return;
        };
        let header = |wanted: &str| {
            lines.iter().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
            })
        };
        let range = header("range");
        let asked = Asked { path: path.to_owned(), range: range.clone(), authorization: header("authorization") };
        self.requests.lock().expect("not poisoned").push(asked);
        let _ = self.answer(&mut stream, path, range.as_deref());
    }

    fn answer(&self, stream: &mut TcpStream, path: &str, range: Option<&str>) -> std::io::Result<()> {
        let mut quirks = self.quirks.lock().expect("not poisoned");
        if let Some((status, code)) = quirks.refuse {
            return reply(stream, status, &[("x-error-code", code)], b"");
        }
        if let Some(moved) = &quirks.moved {
            return reply(stream, 302, &[("location", moved)], b"");
        }
        if let Some(alias) = &quirks.alias {
            let moved = path.replacen(&format!("/{alias}/"), &format!("/{}/", self.id), 1);
            if moved != path {
                return reply(stream, 307, &[("location", &moved)], b"");
            }
        }
        if path == format!("/api/models/{}/revision/main", self.id) {
            let siblings: Vec<_> = self.files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
            let info = serde_json::json!({ "sha": quirks.newest.unwrap_or(COMMIT), "siblings": siblings });
            return reply(stream, 200, &[], info.to_string().as_bytes());
        }
        if let Some(file) = path.strip_prefix("/cdn/").and_then(|name| self.files.get_key_value(name)) {
            if quirks.no_ranges {
                return reply(stream, 200, &[], &file.1.body);
            }
            return body(stream, file, range, &[], &mut quirks);
        }
        let resolve = format!("/{}/resolve/{COMMIT}/", self.id);
        match path.strip_prefix(&resolve).and_then(|name| self.files.get_key_value(name)) {
            // Large files are on another host; only this answer contains their hash.
            Some((name, served)) if served.etag.len() == 64 => {
                let here = format!("http://{}", self.address);
                let location = format!("{}/cdn/{name}", quirks.elsewhere.as_ref().unwrap_or(&here));
                let headers = [
                    ("location", location.as_str()),
                    ("x-linked-etag", &format!("\"{}\"", served.etag)),
                    ("etag", "\"of-the-answer-itself\""),
                    ("x-repo-commit", COMMIT),
                ];
                reply(stream, 302, &headers, b"")
            }
            Some(file) => {
                let commit = if quirks.other_commit { "f00" } else { COMMIT };
                let etag = format!("\"{}\"", file.1.etag);
                body(stream, file, range, &[("etag", &etag), ("x-repo-commit", commit)], &mut quirks)
            }
            None => reply(stream, 404, &[("x-error-code", "EntryNotFound")], b""),
        }
    }
}

fn reply(stream: &mut TcpStream, status: u16, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<()> {
    head(stream, status, headers, body.len())?;
    stream.write_all(body)
}

fn head(stream: &mut TcpStream, status: u16, headers: &[(&str, &str)], length: usize) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {status} Test\r\nconnection: close\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{text}\r\n").as_bytes())
}

fn body(
    stream: &mut TcpStream,
    (name, served): (&String, &Served),
    range: Option<&str>,
    headers: &[(&str, &str)],
    quirks: &mut Quirks,
) -> std::io::Result<()> {
    let size = served.body.len();
    let (first, last) = range
        .and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        .map_or((0, size - 1), |(first, last)| (first.parse().expect("a number"), last.parse().unwrap_or(size - 1)));
    if first >= size {
        return reply(stream, 416, &[], b"");
    }
    let part = &served.body[first..=last];
    let content_range = format!("bytes {first}-{last}/{size}");
    let mut headers = headers.to_vec();
    headers.push(("content-range", &content_range));
    if part.len() > 1 && quirks.longer.as_ref() == Some(name) {
        return reply(stream, 206, &headers, &[part, b"and more"].concat());
    }
    head(stream, 206, &headers, part.len())?;
    let half = &part[..part.len() / 2];
    // The request for the size asks for one byte, and is answered as usual.
    if part.len() > 1 && quirks.cut_once.as_ref() == Some(name) {
        quirks.cut_once = None;
        return stream.write_all(half);
    }
    if part.len() > 1 && quirks.stall.as_ref() == Some(name) {
        stream.write_all(half)?;
        loop {
            thread::park();
        }
    }
    stream.write_all(part)
}
