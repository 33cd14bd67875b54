//! The step that serves the model, and its requests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::job::Job;
use super::json::{Json, quoted};
use super::program::check;
use super::steps::MODEL;

/// The most texts of a request that the server takes by default.
const MOST: usize = 128;

/// Serves the fitted model, asks it, and stops it by SIGTERM.
pub fn serve(job: &mut Job) -> Result<String, String> {
    let mut server = job.program.start(&["serve", "--model", MODEL, "--listen", "127.0.0.1:0"])?;
    let address = server.wait_for("the address", |said| {
        Some(said.strip_prefix("listening on http://")?.split_once('\n')?.0.to_owned())
    })?;
    answer(&address, "GET", "/health", "", 200)?;
    let texts: Vec<String> = job.test.iter().take(MOST).map(|example| quoted(&example.text)).collect();
    let asked = format!("{{\"inputs\": [{}]}}", texts.join(", "));
    let answered = Json::parse(&answer(&address, "POST", "/predict", &asked, 200)?)?;
    check(answered.list().len() == texts.len(), || format!("{} answers", answered.list().len()))?;
    for (row, (answer, label)) in answered.list().iter().zip(&job.predicted).enumerate() {
        let served = answer.at("0.label").text();
        check(served == label, || format!("text {row}: `serve` answers `{served}`, `predict` `{label}`"))?;
    }
    answer(&address, "POST", "/predict", "{\"inputs\": 3}", 422)?;
    let metrics = answer(&address, "GET", "/metrics", "", 200)?;
    for (path, status) in [("/health", 200), ("/predict", 200), ("/predict", 422)] {
        let line = format!("rekindle_requests_total{{path=\"{path}\",status=\"{status}\"}} 1");
        check(metrics.lines().any(|other| other == line), || format!("no line `{line}` in /metrics:\n{metrics}"))?;
    }
    let Some(code) = server.terminate()? else {
        return Ok(format!("{} texts as `predict`; killed, because this system has no SIGTERM", texts.len()));
    };
    check(code == 0, || format!("it ended with exit code {code} after SIGTERM"))?;
    check(TcpStream::connect(&address).is_err(), || format!("{address} is still open"))?;
    Ok(format!("{} texts as `predict`, 422 for a number, 4 requests counted, SIGTERM ends it with 0", texts.len()))
}

/// Sends a request, and returns the body of the answer, which must have a status.
fn answer(address: &str, method: &str, path: &str, body: &str, status: u16) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        let kind = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all([&head, &kind, body].concat().as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| format!("{method} {path}: {error}"))?;
    let is_expected = answer.starts_with(&format!("HTTP/1.1 {status} "));
    check(is_expected, || format!("{method} {path}: not the status {status}:\n{answer}"))?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("{method} {path}: no body:\n{answer}"))?;
    Ok(body.to_owned())
}
