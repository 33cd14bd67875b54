//! A server with small models, and an HTTP client that can misbehave.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use burn::tensor::Device;
use rekindle_infer::{LongTexts, ModelCard, Predictor, PretrainedModel, SavedModel};
use rekindle_serve::{Handle, Limits, Model, Reload, Server, ServerOptions};
use serde_json::Value;
use tempfile::TempDir;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

/// A folder with the models `first` and `second`, and a server.
pub struct Running {
    pub folder: TempDir,
    pub address: SocketAddr,
    pub handle: Handle,
    pub events: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

/// A response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Writes a classifier with an untrained head.
pub fn write_model(folder: &Path, classes: &[&str], seed: u64) {
    let base = folder.with_extension("base");
    fs::create_dir_all(&base).expect("a folder");
    for (from, name) in [
        ("distilbert/base/config.json", "config.json"),
        ("distilbert/base/model.safetensors", "model.safetensors"),
        ("tokenizer/tokenizer.json", "tokenizer.json"),
    ] {
        fs::copy(Path::new(FIXTURES).join(from), base.join(name)).expect("a fixture");
    }
    let base = PretrainedModel::from_folder(&base).expect("a model");
    let classes: Vec<String> = classes.iter().map(|class| class.to_string()).collect();
    let (config, model, _) = base.load(&classes, seed, &Device::flex()).expect("loaded");
    let card = ModelCard {
        title: "model".into(),
        library_name: "transformers",
        pipeline_tag: "text-classification",
        base: None,
        sections: Vec::new(),
    };
    let saved = SavedModel {
        tokenizer: &base.tokenizer,
        max_length: 32,
        long_texts: LongTexts::Truncate,
        card: &card.to_string(),
    };
    saved.save_classifier(folder, &config, &model).expect("saved");
}

/// Opens the classifier in a folder.
pub fn open(folder: &Path) -> Result<Predictor, String> {
    let model = PretrainedModel::from_folder(folder).map_err(|error| error.to_string())?;
    Predictor::new(&model, &Device::flex()).map_err(|error| error.to_string())
}

/// Returns the model of this name in a folder.
pub fn model(folder: &Path, name: &str) -> Model {
    let path = folder.join(name);
    let classifier = open(&path).expect("a classifier");
    let reload: Reload = Box::new(move || open(&path));
    Model { name: name.into(), id: format!("./{name}"), classifier, reload: Some(reload), max_error: None }
}

impl Running {
    pub fn start(limits: Limits, token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write_model(&folder.path().join("first"), &["bad", "good", "mixed"], 7);
        write_model(&folder.path().join("second"), &["no", "yes"], 8);
        let models = ["first", "second"].map(|name| model(folder.path(), name));
        Self::serve(folder, models.into(), limits, token)
    }

    /// Serves models in a folder.
    pub fn serve(folder: TempDir, models: Vec<Model>, limits: Limits, token: Option<&str>) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let server = Server::bind(ServerOptions {
            listen: "127.0.0.1:0".parse().expect("an address"),
            models,
            limits,
            token: token.map(Into::into),
            on_event: Box::new({
                let events = Arc::clone(&events);
                move |event| events.lock().expect("no panic").push(event.to_string())
            }),
        })
        .expect("a server");
        let (address, handle) = (server.address(), server.handle());
        let thread = Some(std::thread::spawn(|| server.run()));
        Self { folder, address, handle, events, thread }
    }

    /// Stops the server, and waits until it has.
    pub fn stop(mut self) {
        self.handle.stop();
        self.thread.take().expect("a thread").join().expect("no panic");
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        stream
    }

    /// Sends a request with a JSON body.
    pub fn post(&self, path: &str, body: &str) -> Response {
        let mut stream = self.connect();
        stream.write_all(&request("POST", path, "Content-Type: application/json\r\n", body)).expect("sent");
        receive(&mut stream)
    }

    pub fn predict(&self, body: &str) -> Response {
        self.post("/predict", body)
    }

    pub fn get(&self, path: &str) -> Response {
        let mut stream = self.connect();
        stream.write_all(&request("GET", path, "", "")).expect("sent");
        receive(&mut stream)
    }

    /// Waits for an event that contains a text.
    pub fn wait_for(&self, text: &str) -> String {
        loop {
            let events = self.events.lock().expect("no panic").clone();
            if let Some(event) = events.into_iter().find(|event| event.contains(text)) {
                return event;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

/// Returns a request; `headers` are complete lines.
pub fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

/// Reads one response.
pub fn receive(stream: &mut TcpStream) -> Response {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).expect("a response"), 1, "closed: {}", String::from_utf8_lossy(&bytes));
        bytes.push(byte[0]);
    };
    let head = String::from_utf8(bytes[..head].to_vec()).expect("UTF-8").to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Response { status, head, body: String::from_utf8(body).expect("UTF-8") }
}
