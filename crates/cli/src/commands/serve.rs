//! `rekindle serve`.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use burn::tensor::Device;
use clap::Args;
use rekindle::infer::Predictor;
use rekindle_serve::{Event, Handle, Limits, Model, Reload, Server, ServerOptions};

use crate::exit::{Failure, Kind};
use crate::options::backend::{Backend, of_this_machine};
use crate::options::model::{self, ModelChoice};
use crate::options::{MIN_LENGTH, PrecisionArgs, at_least, probability, token};
use crate::terminal::{Display, Verbosity, print_error};

/// The options of `rekindle serve`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct ServeArgs {
    /// Trained model: a folder, for example of `experiment --save-models`, or a hub id. Given several times,
    /// each with a name, all are served; the first is the default.
    #[arg(long, value_name = "[NAME=]FOLDER|HUB_ID", required = true, help_heading = "Model")]
    pub model: Vec<NamedModel>,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,
    /// Maximum number of tokens per text; longer texts are truncated [default: as the model was
    /// trained; its number of positions if its files do not say].
    #[arg(long, value_name = "TOKENS", value_parser = at_least(MIN_LENGTH), help_heading = "Model")]
    pub max_length: Option<usize>,
    /// Predict nothing if the score is lower than the one from which at most this fraction of the predictions is wrong, with a
    /// probability of 95 %: the label is `null`. Needs models of `experiment --calibrate`; a request may choose another fraction.
    #[arg(long, value_name = "FRACTION", value_parser = probability, help_heading = "Decision")]
    pub max_error: Option<f32>,
    /// Backend that computes.
    #[arg(long, default_value_t = Backend::default(), value_name = "NAME", value_parser = of_this_machine(), help_heading = "Engine")]
    pub backend: Backend,
    #[command(flatten)]
    pub precision: PrecisionArgs,

    /// Address to listen on. With port 0, a free port is chosen and printed.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", help_heading = "Server")]
    pub listen: SocketAddr,
    /// File with the token that requests must present, `Authorization: Bearer TOKEN` [default: the environment
    /// variable REKINDLE_TOKEN]. Optional if --listen is a loopback address.
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub token_file: Option<PathBuf>,
    /// Print a line per request to standard error.
    #[arg(long, help_heading = "Server")]
    pub log_requests: bool,

    #[command(flatten)]
    pub limits: LimitArgs,
}

/// What a client may ask for.
#[derive(Args, Debug)]
pub struct LimitArgs {
    /// Maximum number of tokens per batch.
    #[arg(long, default_value_t = Limits::default().max_batch_tokens, value_name = "TOKENS",
          value_parser = at_least(1), help_heading = "Limits")]
    pub max_batch_tokens: usize,
    /// Maximum number of texts that wait; a request beyond it is answered with 429.
    #[arg(long, default_value_t = Limits::default().max_queue, value_name = "TEXTS",
          value_parser = at_least(1), help_heading = "Limits")]
    pub max_queue: usize,
    /// Maximum number of texts per request.
    #[arg(long, default_value_t = Limits::default().max_texts, value_name = "TEXTS",
          value_parser = at_least(1), help_heading = "Limits")]
    pub max_texts: usize,
    /// Maximum number of characters per text.
    #[arg(long, default_value_t = Limits::default().max_chars, value_name = "CHARS",
          value_parser = at_least(1), help_heading = "Limits")]
    pub max_chars: usize,
    /// Maximum number of bytes of a request's body.
    #[arg(long, default_value_t = Limits::default().max_body, value_name = "BYTES",
          value_parser = at_least(1), help_heading = "Limits")]
    pub max_body: usize,
    /// Maximum number of connections; others wait.
    #[arg(long, default_value_t = Limits::default().max_connections, value_name = "NUMBER",
          value_parser = at_least(1), help_heading = "Limits")]
    pub max_connections: usize,
    /// How long a client may take to send a request or to read a response; idle connections are closed
    /// after the same time.
    #[arg(long, default_value_t = Limits::default().timeout.as_secs(), value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub timeout: u64,
}

/// A model with the name that requests use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedModel {
    name: String,
    choice: ModelChoice,
}

impl FromStr for NamedModel {
    type Err = String;

    /// Reads `NAME=MODEL`, or a model whose name is the last part of its path or its id. An existing path is that path.
    fn from_str(text: &str) -> Result<Self, String> {
        let choice = |text: &str| -> ModelChoice { text.parse().unwrap_or_else(|never: Infallible| match never {}) };
        match text.split_once('=').filter(|_| !Path::new(text).exists()) {
            Some(("", _)) => Err("the name in front of `=` is empty".into()),
            Some((_, "")) => Err("the model behind `=` is empty".into()),
            Some((name, model)) => Ok(Self { name: name.into(), choice: choice(model) }),
            None => {
                let path = Path::new(text);
                let path = path.canonicalize().unwrap_or(path.into());
                let name = path.file_name().unwrap_or(path.as_os_str()).display().to_string();
                Ok(Self { name, choice: choice(text) })
            }
        }
    }
}

/// Serves until a signal stops it.
///
/// # Errors
/// Returns an error if a model cannot be loaded, the address cannot be listened on, or it is open to others without a token.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let token = token::find(args.token_file.as_deref())?;
    if token.is_none() && !args.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "{}: anyone who reaches this address could use the models; give a token with --token-file or REKINDLE_TOKEN",
            args.listen
        )));
    }
    args.precision.check(args.backend)?;
    let device = args.backend.device()?;
    let mut display = Display::new(Verbosity::Quiet);
    let mut models = Vec::new();
    for model in &args.model {
        models.push(load(model, args, &device, &mut display)?);
    }
    let log_requests = args.log_requests;
    let on_event = move |event: Event| {
        if log_requests || !matches!(event, Event::Request { .. }) {
            print_error(&event.to_string());
        }
    };
    let server = Server::bind(ServerOptions {
        listen: args.listen,
        models,
        limits: args.limits(),
        token: token.map(|token| token.secret().into()),
        on_event: Box::new(on_event),
    })?;
    on_signals(server.handle())?;
    let mut out = anstream::stdout();
    writeln!(out, "listening on http://{}", server.address())?;
    out.flush()?;
    server.run();
    Ok(())
}

impl ServeArgs {
    fn limits(&self) -> Limits {
        let LimitArgs { max_batch_tokens, max_queue, max_texts, max_chars, max_body, max_connections, timeout } =
            self.limits;
        let timeout = Duration::from_secs(timeout);
        let max_length = self.max_length;
        Limits { max_length, max_batch_tokens, max_queue, max_texts, max_chars, max_body, max_connections, timeout }
    }
}

/// Loads a model, and describes how to load it again.
fn load(model: &NamedModel, args: &ServeArgs, device: &Device, display: &mut Display) -> Result<Model, Failure> {
    let (offline, precision, backend) = (args.offline, args.precision, args.backend);
    let found = model::find(&model.choice, offline, &mut |download| display.download(&download))?;
    found.warnings().iter().for_each(|warning| display.warn(warning));
    let id = found.model.id.clone();
    let classifier = Predictor::new(&precision.apply(found.model, backend)?, device)?;
    let (choice, device) = (model.choice.clone(), device.clone());
    let reload: Reload = Box::new(move || {
        let found = model::find(&choice, offline, &mut |_| {});
        let model = found.and_then(|found| precision.apply(found.model, backend)).map_err(|error| error.to_string())?;
        Predictor::new(&model, &device).map_err(|error| error.to_string())
    });
    let max_error = args.max_error.map(f64::from);
    if let Some(error) = max_error {
        classifier.abstain_below(error).map_err(|error| Failure::usage(format!("{id}: --{error}")))?;
    }
    Ok(Model { name: model.name.clone(), id, classifier, reload: Some(reload), max_error })
}

/// Ctrl-C and SIGTERM stop the server, and a second one ends the program at once; SIGHUP reloads the models.
#[cfg(unix)]
fn on_signals(handle: Handle) -> Result<(), Failure> {
    use rekindle_raw::signals::{Signal, on_termination};

    on_termination(move |signal| if signal == Signal::HangUp { handle.reload() } else { stop(&handle) })
        .map_err(Failure::other)
}

/// Ctrl-C stops the server, and a second one ends the program at once.
#[cfg(not(unix))]
fn on_signals(handle: Handle) -> Result<(), Failure> {
    ctrlc::set_handler(move || stop(&handle)).map_err(Failure::other)
}

fn stop(handle: &Handle) {
    if handle.is_stopping() {
        std::process::exit(Kind::Interrupted as i32);
    }
    handle.stop();
}

const EXAMPLES: &str = "\
Examples:
  rekindle serve \\
      --model artifacts_transfer_learning/models/fine_tune_last_layer
  rekindle serve --model topics=./topics --model mood=./mood \\
      --listen 127.0.0.1:0
  rekindle serve --model ./model --listen 192.168.1.5:8080 \\
      --token-file token
  curl http://127.0.0.1:8080/predict --json '{\"inputs\": \"a joy to use\"}'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_the_given_name_or_that_of_its_folder() {
        let named = |text: &str| text.parse::<NamedModel>();
        let hub = |id: &str| ModelChoice::Hub(id.into());
        assert_eq!(named("mood=org/name"), Ok(NamedModel { name: "mood".into(), choice: hub("org/name") }));
        assert_eq!(named("org/name"), Ok(NamedModel { name: "name".into(), choice: hub("org/name") }));
        let src = NamedModel { name: "src".into(), choice: ModelChoice::Folder("./src/".into()) };
        assert_eq!(named("./src/"), Ok(src));
        assert!(named("=./src").is_err() && named("a=").is_err());
    }
}
