//! Exit codes by the kind of failure.

use std::process::{Command, Output, Stdio};

use crate::common::{Place, text};

/// Runs a command, and returns its exit code and its output.
fn ended(place: &Place, command: &str, options: &[&str]) -> (Option<i32>, String) {
    let output = place.plain(command).args(options).output().expect("it ran");
    (output.status.code(), text(&output.stderr))
}

#[test]
fn help_lists_the_exit_codes_and_each_kind_of_failure_has_its_own() {
    let place = Place::new();
    place.model("model");
    place.write("good.csv", "text,label\na,0\nb,1\nc,0\nd,1\n");
    place.write("bad.csv", "text,label\na,0\nb,\n");
    place.write("no_weights/config.json", std::fs::read("../rekindle/embedded/config.json").expect("read"));
    place.write("file", "");
    let embedded = ["--offline", "--model", "embedded"];
    let cases: [(i32, &str, &[&str]); 23] = [
        (0, "devices", &[]),
        (0, "models", &["--json"]),
        (0, "data", &["good.csv"]),
        (2, "experiment", &["--no-such-option"]),
        (2, "experiment", &["--approaches", "last-layr"]),
        (2, "experiment", &["--approaches", "last-9"]),
        (2, "experiment", &["--folds", "1"]),
        (2, "experiment", &["--sizes", "400"]),
        (2, "experiment", &["--test-size", "400"]),
        (2, "experiment", &["--max-length", "100000"]),
        (2, "experiment", &["--epochs", "0"]),
        (2, "experiment", &["--early-stopping-patience", "2"]),
        (2, "experiment", &["--max-length", "2"]),
        (3, "data", &["none.csv"]),
        (3, "data", &["bad.csv"]),
        (3, "experiment", &["--data", "bad.csv"]),
        (3, "predict", &["text"]),
        (3, "compare", &["nowhere"]),
        (3, "experiment", &["--model", "no_weights"]),
        (4, "experiment", &["--output", "file"]),
        (4, "experiment", &["--output", "file/below"]),
        (4, "vocab", &["--corpus", "good.csv", "--output", "file"]),
        (5, "experiment", &["--model", "org/unknown"]),
    ];
    for (code, command, options) in cases {
        let asks = !["devices", "models", "compare", "vocab"].contains(&command);
        let model = if options.contains(&"--model") { &embedded[..1] } else { &embedded[..] };
        let all = [if asks { model } else { &[] }, options].concat();
        let (ended, said) = ended(&place, command, &all);
        assert_eq!(ended, Some(code), "{command} {all:?}: {said}");
    }
    let help = place.plain("--help").output().expect("it ran");
    let help = text(&help.stdout);
    for code in [0, 1, 2, 3, 4, 5, 6, 130] {
        assert!(help.contains(&format!("\n  {code:3}  ")), "{code} in {help}");
    }
}

#[test]
fn a_diverged_training_has_its_own_exit_code() {
    let place = Place::new();
    let (code, said) = ended(
        &place,
        "experiment",
        &["--offline", "--model", "embedded", "--approaches", "full:lr=1e30", "--epochs", "3", "--output", "out"],
    );
    assert_eq!(code, Some(6), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_at_standard_output_is_a_failure_of_every_command() {
    let place = Place::new();
    for (command, arguments) in commands(&place) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("there on every Linux");
        let output = printing_to(&place, command, &arguments, full);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{command} {arguments:?}: {error}");
        assert!(error.contains("standard output: No space left"), "{command} {arguments:?}: {error}");
    }
    assert!(place.path("out/results.json").exists(), "the results are in files");
}

#[test]
fn a_reader_that_closes_standard_output_ends_a_command_without_an_error() {
    let place = Place::new();
    for (command, arguments) in commands(&place) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = printing_to(&place, command, &arguments, writer);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{command} {arguments:?}: {error}");
        assert!(!error.contains("error"), "{command} {arguments:?}: {error}");
    }
    assert!(place.path("out/results.json").exists(), "the experiment continues");
}

/// Standard error that cannot be written to ends no command.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_at_standard_error_is_no_panic() {
    let place = Place::new();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("there on every Linux");
    let mut program = std::process::Command::new(place.plain("data").get_program());
    program.current_dir(place.path("")).args(["data", "nowhere.csv", "--model", "embedded"]).stderr(full());
    assert_eq!(program.status().expect("it ran").code(), Some(3));
}

/// Every command that ends by itself, on a command line on which it succeeds. A trained model is made first.
fn commands(place: &Place) -> Vec<(&'static str, Vec<&'static str>)> {
    place.write("good.csv", "text,label\na,0\nb,1\nc,0\nd,1\n");
    place.write("corpus.txt", "so good\nso bad\n".repeat(20));
    place.results(&["--model", "embedded", "--approaches", "feature-extraction", "--save-models"]);
    let trained = "out/models/feature_extraction_freeze_all";
    let base = ["--corpus", "corpus.txt", "--model", "embedded", "--steps", "1", "--output", "base"];
    assert!(place.command("pretrain").args(base).output().expect("it ran").status.success());
    let commands = [
        ("--help", vec![]),
        ("--version", vec![]),
        ("data", vec!["--help"]),
        ("devices", vec![]),
        ("models", vec![]),
        ("models", vec!["--json"]),
        ("data", vec!["good.csv", "--model", "embedded"]),
        ("data", vec!["good.csv", "--model", "embedded", "--json"]),
        ("compare", vec!["out"]),
        ("compare", vec!["out", "--json"]),
        ("predict", vec!["--model", trained, "so good"]),
        ("predict", vec!["--model", trained, "--input", "corpus.txt"]),
        ("explain", vec!["--model", trained, "so good"]),
        ("explain", vec!["--model", trained, "--json", "so good"]),
        ("fill-mask", vec!["--model", "base", "so [MASK]"]),
        ("vocab", vec!["--corpus", "corpus.txt", "--output", "vocab"]),
        ("features", vec!["--input", "corpus.txt", "--model", "embedded", "--output", "features", "--resume"]),
        ("pretrain", vec!["--corpus", "corpus.txt", "--model", "embedded", "--steps", "1", "--output", "again"]),
        ("experiment", vec!["--model", "embedded", "--approaches", "feature-extraction", "--output", "another"]),
        ("experiment", vec!["--model", "embedded", "--approaches", "last-1", "--quiet", "--output", "quiet"]),
    ];
    commands.into()
}

/// Runs a command with this standard output.
fn printing_to(place: &Place, command: &str, arguments: &[&str], to: impl Into<Stdio>) -> Output {
    let mut program = Command::new(place.plain(command).get_program());
    program.current_dir(place.path("")).arg(command).args(arguments);
    program.stdout(to).stderr(Stdio::piped()).output().expect("it ran")
}

/// An address where nothing listens.
#[cfg(feature = "hub")]
fn nobody() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

#[cfg(feature = "hub")]
#[test]
fn an_unreachable_hub_has_its_own_exit_code_and_no_secret_is_printed() {
    let place = Place::new();
    let endpoint = format!("http://someone:open-sesame@{}", nobody());
    let run = |options: &[&str]| {
        let mut command = place.plain("experiment");
        command.env("HF_TOKEN", "hf_secret").env("HF_ENDPOINT", &endpoint).args(["--output", "out", "--verbose"]);
        let output = command.args(options).output().expect("it ran");
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = run(&["--model", "org/unknown"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("cannot reach"), "{said}");
    let (stood_in, warned) = run(&["--approaches", "feature-extraction"]);
    assert_eq!(stood_in, Some(0), "{warned}");
    assert!(warned.contains("cannot reach"), "{warned}");
    assert!(place.path("out/results.json").exists());
    for secret in ["hf_secret", "someone", "sesame"] {
        assert!(!said.contains(secret) && !warned.contains(secret), "{said}{warned}");
        for (path, content) in place.files() {
            let held = content.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
            assert!(!held, "{secret} in {}", path.display());
        }
    }
}

#[test]
fn no_option_takes_a_token_and_errors_do_not_repeat_it() {
    let place = Place::new();
    for command in
        ["data", "experiment", "compare", "predict", "explain", "vocab", "pretrain", "fill-mask", "models", "devices"]
    {
        let (code, said) = ended(&place, command, &["--token", "hf_secret"]);
        assert_eq!(code, Some(2), "{command}: {said}");
        assert!(!said.contains("hf_secret"), "{command}: {said}");
    }
}
