//! Runs the commands in the documentation and in `--help`, and compares their output with the documented output.
//!
//! A block of `sh` is a list of commands. If the next block under the same heading is `text`, it is the output of the
//! last command. Words must be equal; times may differ, and other numbers within a tolerance, because processors round
//! differently. With REKINDLE_UPDATE_DOCS=1, outdated output in the documentation is replaced instead. Every page of the cookbook
//! starts in a folder with its samples, and its commands run as they are written.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use common::{Place, text};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Documents with commands.
const DOCUMENTS: [&str; 27] = [
    "README.md",
    "crates/baseline/README.md",
    "crates/cli/README.md",
    "crates/data/README.md",
    "crates/distilbert/README.md",
    "crates/experiment/README.md",
    "crates/infer/README.md",
    "crates/metrics/README.md",
    "crates/tokenizer/README.md",
    "crates/train/README.md",
    "docs/backends.md",
    "docs/calibration.md",
    "docs/contributing.md",
    "docs/corpus.md",
    "docs/data.md",
    "docs/export.md",
    "docs/few-labels.md",
    "docs/guide.md",
    "docs/label-errors.md",
    "docs/labelling.md",
    "docs/models.md",
    "docs/reliability.md",
    "docs/results.md",
    "docs/serving.md",
    "docs/tasks.md",
    "docs/tuning.md",
    "docs/usage.md",
];

/// Beginnings of commands that are not run here, because they build or install something, need a GPU, Python or another
/// machine, or take an hour.
const NOT_RUN: [&str; 19] = [
    "cargo clippy",
    "cargo fmt",
    "cargo install",
    "cargo run -p rekindle-cli --no-default-features",
    "cargo test",
    "cargo xtask api",
    "cargo xtask bench --gpu",
    "cargo xtask check",
    "cargo xtask ci",
    "cargo xtask dist",
    "cargo xtask experiment --backend",
    "cargo xtask golden",
    "cargo xtask rehearse",
    "curl",
    "pip install",
    "python make",
    "rekindle experiment --model ./minilm",
    "rekindle host",
    "rekindle serve",
];

/// The maximum difference of a number.
const TOLERANCE: f64 = 2e-3;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns a folder with the files that the documents use.
fn place() -> Place {
    let place = Place::new();
    let opinions = fs::read_to_string(root().join("fixtures/transfer/sentences.tsv")).expect("sentences");
    let rows: Vec<(&str, &str)> = opinions.lines().filter_map(|line| line.split_once('\t')).collect();
    let texts = |rows: &[(&str, &str)]| rows.iter().map(|(text, _)| format!("{text}\n")).collect::<String>();
    place.write("fixtures/transfer/sentences.tsv", &opinions);
    place.write("sentences.tsv", format!("text\tlabel\n{opinions}"));
    place.write("sentences.txt", texts(&rows));

    // As few as the documents' sizes and folds permit: these results are not compared.
    let (few, quoted) = (&rows[..60], |text: &str| format!("\"{}\"", text.replace('"', "\"\"")));
    let csv = few.iter().map(|(text, label)| format!("{},{label}\n", quoted(text))).collect::<String>();
    place.write("reviews.csv", format!("text,label\n{csv}"));
    place.write("reviews.txt", texts(few));
    let csv = rows[60..90].iter().map(|(text, _)| format!("{}\n", quoted(text))).collect::<String>();
    place.write("unlabelled.csv", format!("text\n{csv}"));
    let pairs: Vec<_> = few.iter().zip(few.iter().skip(1)).collect();
    let pair = |((text, label), (next, of_next)): &(&(&str, &str), &(&str, &str))| {
        format!("{}\t1\t2\t{text}\t{next}\n", u8::from(label == of_next))
    };
    let header = "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";
    place.write("mrpc/train.txt", header.to_string() + &pairs.iter().map(pair).collect::<String>());
    place
        .write("pairs.tsv", pairs.iter().map(|((text, _), (next, _))| format!("{text}\t{next}\n")).collect::<String>());
    let json = |(text, label): &(&str, &str)| serde_json::json!({ "body": text, "queue": label }).to_string() + "\n";
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(few.iter().map(json).collect::<String>().as_bytes()).expect("packed");
    place.write("tickets.jsonl.gz", packed.finish().expect("packed"));
    let cells = |row: usize| format!("{},{},{}", row % 2, usize::from(row.is_multiple_of(3)), usize::from(row > 40));
    let numbered = |cells: &dyn Fn(usize) -> String| -> String {
        few.iter().enumerate().map(|(row, (text, _))| format!("{},{}\n", quoted(text), cells(row))).collect()
    };
    place.write("comments.csv", format!("text,toxic,insult,threat\n{}", numbered(&cells)));
    place.write("ratings.csv", format!("text,score\n{}", numbered(&|row| format!("{}.5", row % 9))));
    place.write("stars.csv", format!("text,stars\n{}", numbered(&|row| (row % 5 + 1).to_string())));
    place.write("tickets.csv", format!("text,label\n{}", numbered(&|row| ["low", "medium", "high"][row % 3].into())));
    place.write("notes.csv", format!("text,label,patient\n{}", numbered(&|row| format!("{},{}", row % 2, row / 3))));
    let day = |row: usize| format!("{},2024-{:02}-{:02}", row % 2, 1 + row / 28, 1 + row % 28);
    place.write("mails.csv", format!("text,label,sent\n{}", numbered(&day)));
    let several = |(row, (text, label)): (usize, &(&str, &str))| {
        let labels = if row.is_multiple_of(4) { vec![*label, "other"] } else { vec![*label] };
        serde_json::json!({ "text": text, "labels": labels }).to_string() + "\n"
    };
    place.write("emotions.jsonl", few.iter().enumerate().map(several).collect::<String>());
    let parquet = root().join("fixtures/data/parquet/beside.parquet");
    place.write("reviews.parquet", fs::read(parquet).expect("a Parquet file"));

    let data = rekindle::data::Dataset::read(&place.path("sentences.tsv"), &Default::default()).expect("sentences");
    let size = rekindle::data::TestSize::Fraction(0.25);
    let (train, test) = data.train_test_split(size, 42, true).expect("a split");
    let lines = |data: &rekindle::data::Dataset| -> String {
        data.examples
            .iter()
            .map(|example| format!("{}\t{}\n", example.text, example.target.class().expect("a class")))
            .collect()
    };
    place.write("train.tsv", lines(&train));
    let label_first = |(text, label): &(&str, &str)| format!("{label}\t{text}\n");
    place.write("labels_first.tsv", few.iter().map(label_first).collect::<String>());
    place.write("test.tsv", lines(&test));
    place.write("dev.tsv", lines(&test));
    place.write("predictions.csv", PREDICTIONS);

    place.model("my-distilbert");
    place.cached("distilbert-base-uncased");
    let experiment = |options: &[&str]| {
        let output = place.run(&[&["--model", "embedded"], options].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    for (seed, name) in [("1", "another_run"), ("2", "other_seed"), ("3", "one"), ("4", "two")] {
        experiment(&["--seed", seed, "--output", name]);
    }
    experiment(&["--data", "reviews.csv", "--save-models", "--output", "trained"]);
    fs::rename(place.path("trained/models/fine_tune_last_layer"), place.path("model")).expect("a model");
    place
}

/// Predictions of a classifier for twelve texts.
const PREDICTIONS: &str = "label,prediction,probability\ngood,good,0.95\ngood,good,0.9\ngood,good,0.8\ngood,good,0.7\n\
    good,bad,0.45\ngood,bad,0.3\nbad,good,0.6\nbad,bad,0.4\nbad,bad,0.35\nbad,bad,0.2\nbad,bad,0.15\nbad,bad,0.1\n";

/// A fenced block, and the number of the heading above it.
struct Block {
    language: String,
    section: usize,
    content: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut inside, mut section) = (false, 0);
    for line in document.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(language), false) => {
                blocks.push(Block { language: language.into(), section, content: String::new() });
                inside = true;
            }
            (Some(_), true) => inside = false,
            (None, true) => {
                let block = blocks.last_mut().expect("an open block");
                block.content.push_str(line);
                block.content.push('\n');
            }
            (None, false) => section += usize::from(line.starts_with('#')),
        }
    }
    blocks
}

/// Runs a command line as a shell does, and returns its output; `None` if it is not run. If the output is not compared, an
/// experiment trains for one epoch, and a search has seconds.
fn run(place: &Place, line: &str, is_compared: bool) -> Option<String> {
    if NOT_RUN.iter().any(|start| line.starts_with(start)) {
        return None;
    }
    // The part of a pipeline after the first program is not run. Redirection to a file is supported.
    let words = shlex::split(line).unwrap_or_else(|| panic!("`{line}` is not a command"));
    let words: Vec<&str> = words.iter().map(String::as_str).take_while(|word| *word != "|").collect();
    let (words, into) = match words.iter().position(|word| *word == ">") {
        Some(at) => (&words[..at], words.get(at + 1)),
        None => (&words[..], None),
    };
    let named = words.contains(&"distilbert-base-uncased");
    let split = words.iter().position(|word| *word == "--").unwrap_or(words.len());
    let behind = words.get(split + 1..).unwrap_or_default();
    let (program, mut arguments): (String, Vec<&str>) = match words {
        ["rekindle", arguments @ ..] => ("rekindle".into(), arguments.to_vec()),
        ["cargo", "xtask", "experiment", arguments @ ..] => ("rekindle".into(), [&["experiment"], arguments].concat()),
        ["cargo", "run", "-p", "rekindle-corpus", "--", ..] => ("corpus".into(), behind.to_vec()),
        ["cargo", "run", ..] if words[split - 2] == "--example" => {
            (format!("examples/{}", words[split - 1]), behind.to_vec())
        }
        _ => panic!("`{line}` can neither be run by this test nor is it in NOT_RUN"),
    };
    // A reader runs one of the experiments of a page, or names a folder for each.
    let writes = arguments
        .first()
        .is_some_and(|command| ["experiment", "export", "fit", "pretrain", "tune", "vocab"].contains(command));
    if writes && is_compared {
        // The documented output is that of a first run.
        let _ = fs::remove_dir_all(place.path("artifacts_transfer_learning"));
        let _ = fs::remove_file(place.path("artifacts_transfer_learning.zip"));
    }
    if writes && !["--overwrite", "--help"].iter().any(|option| arguments.contains(option)) {
        arguments.push("--overwrite");
    }
    let trains = arguments.first() == Some(&"experiment") && !arguments.contains(&"--help");
    let fits_heads = |list: &str| list.split(',').all(|one| ["probe", "tfidf", "majority"].contains(&one));
    let has_epochs = !arguments.windows(2).any(|pair| pair[0] == "--approaches" && fits_heads(pair[1]));
    if trains && has_epochs && !is_compared && !arguments.contains(&"--epochs") {
        arguments.extend(["--epochs", "1"]);
    }
    // A budget of minutes is one of seconds here.
    let minutes = |argument: &&mut &str| ["10m", "20m"].contains(*argument);
    arguments.iter_mut().filter(minutes).for_each(|argument| *argument = "3s");
    arguments.iter().for_each(|path| restore_model(place, path));
    let mut command = place.program(&program).or_else(|| {
        println!("skipped: {program} is not built; `cargo test --workspace` builds it");
        None
    })?;
    // Without a hub id, the embedded model is used: the hub is not reachable, and the cache is empty.
    if !named {
        command.env("HF_HOME", place.path("empty"));
    }
    let output = command.env("HF_HUB_OFFLINE", "1").args(arguments).output().expect("it ran");
    assert!(output.status.success(), "`{line}`: {}{}", text(&output.stdout), text(&output.stderr));
    if let Some(file) = into {
        place.write(file, &output.stdout);
    }
    Some(text(&output.stdout))
}

/// Copies a model to the path of one that an experiment saved, if a later experiment of the same page has replaced it.
fn restore_model(place: &Place, path: &str) {
    let folder = place.path(path);
    if !path.starts_with("artifacts_transfer_learning/models/") || folder.exists() {
        return;
    }
    fs::create_dir_all(&folder).expect("a folder");
    for entry in fs::read_dir(place.path("model")).expect("a model").flatten() {
        fs::copy(entry.path(), folder.join(entry.file_name())).expect("copied");
    }
}

/// Returns whether the output is the documented output.
fn same(printed: &str, documented: &str) -> bool {
    let lines = |text: &str| text.lines().map(str::trim_end).map(String::from).collect::<Vec<_>>();
    let (printed, documented) = (lines(printed), lines(documented));
    let alike = |(a, b): (&String, &String)| {
        let (a, b): (Vec<&str>, Vec<&str>) = (a.split_whitespace().collect(), b.split_whitespace().collect());
        let word = |index: usize| {
            let seconds = a.get(index + 1).is_some_and(|unit| unit.trim_end_matches(',') == "s");
            let close = |(a, b): (f64, f64)| seconds || (a - b).abs() <= TOLERANCE;
            let (left, right) = (pieces(a[index]), pieces(b[index]));
            let alike = |(a, b): (&&str, &&str)| a == b || number(a).zip(number(b)).is_some_and(close);
            number(a[index]).zip(number(b[index])).is_some_and(close)
                || left.len() == right.len() && left.iter().zip(&right).all(alike)
        };
        a.len() == b.len() && (0..a.len()).all(word)
    };
    printed.len() == documented.len() && printed.iter().zip(&documented).all(alike)
}

/// Divides a word, for example of JSON, into numbers and what is between them.
fn pieces(word: &str) -> Vec<&str> {
    let is_digit = |character: char| character.is_ascii_digit() || character == '.';
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|character| is_digit(character) != is_digit(first)).unwrap_or(rest.len());
        pieces.push(&rest[..end]);
        rest = &rest[end..];
    }
    pieces
}

fn number(word: &str) -> Option<f64> {
    word.trim_matches(['[', ']', ',', '(', ')']).parse().ok()
}

/// Returns the commands of a block, with continued lines joined, without comments and blank lines.
fn commands_of(block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(String::from).collect()
}

#[test]
fn commands_in_the_documentation_work() {
    let (mut unseen, mut stale, mut compared) = (markdown(), Vec::new(), 0);
    let place = place();
    for document in DOCUMENTS {
        let content = fs::read_to_string(root().join(document)).expect("a document");
        unseen.retain(|path| *path != Path::new(document));
        compared += check(document, &content, &mut stale, &mut |line, is_compared| run(&place, line, is_compared));
    }
    assert!(stale.is_empty(), "{}", stale.join("\n"));
    assert!(compared >= 7, "only {compared} outputs were compared");
    let with_commands = |path: &PathBuf| {
        let content = fs::read_to_string(root().join(path)).expect("a document");
        // Pages with tables that xtask writes name their command.
        blocks(&content).iter().any(|block| block.language == "sh" && !block.content.contains(" PYTHON "))
    };
    unseen.retain(with_commands);
    assert!(unseen.is_empty(), "{unseen:?} have commands that this test does not run");
}

/// Runs the commands of a document, compares their outputs, and adds those that are outdated to `stale`. Returns how many were
/// compared.
fn check(
    document: &str,
    content: &str,
    stale: &mut Vec<String>,
    run: &mut dyn FnMut(&str, bool) -> Option<String>,
) -> usize {
    let (mut last, mut compared) = (None, 0);
    let blocks = blocks(content);
    for (index, block) in blocks.iter().enumerate() {
        let is_output = |next: &Block| next.language == "text" && next.section == block.section;
        let is_compared = blocks.get(index + 1).is_some_and(is_output);
        match (block.language.as_str(), last.take()) {
            ("sh", _) => {
                let commands = commands_of(&block.content);
                let mut printed: Vec<String> = commands.iter().filter_map(|line| run(line, is_compared)).collect();
                last = printed.pop().map(|printed| (block.section, printed));
            }
            ("text", Some((section, printed))) if section == block.section => {
                compared += 1;
                if !same(&printed, &block.content) {
                    if std::env::var_os("REKINDLE_UPDATE_DOCS").is_some() {
                        replace(document, &block.content, &printed);
                        continue;
                    }
                    stale.push(format!("{document} is outdated; the output is:\n{printed}"));
                }
            }
            _ => {}
        }
    }
    compared
}

/// Replaces the content of a block of text in a document.
fn replace(document: &str, old: &str, new: &str) {
    let path = root().join(document);
    let content = fs::read_to_string(&path).expect("a document");
    let block = |content: &str| format!("```text\n{}\n```", content.trim_end());
    fs::write(&path, content.replacen(&block(old), &block(new), 1)).expect("a document");
}

#[test]
fn commands_in_the_cookbook_work() {
    let pages = fs::read_dir(root().join("docs/cookbook")).expect("the cookbook").flatten();
    let pages: Vec<PathBuf> = pages.map(|entry| entry.path()).collect();
    // Pages do not depend on each other.
    let stale: Vec<String> = thread::scope(|scope| {
        let halves = pages.chunks(pages.len().div_ceil(2));
        let threads: Vec<_> = halves
            .map(|half| scope.spawn(move || half.iter().flat_map(|page| check_page(page)).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

/// Runs the commands of a page of the cookbook, and returns outputs that are outdated.
fn check_page(page: &Path) -> Vec<String> {
    let (name, content) = (page.display().to_string(), fs::read_to_string(page).expect("a page"));
    let (place, mut server, mut stale, mut skipped) = (samples(), None, Vec::new(), 0);
    let compared = check(&name, &content, &mut stale, &mut |line, _| {
        let printed = run_in_shell(&place, &mut server, line);
        skipped += usize::from(printed.is_none() && line.starts_with("cargo run"));
        printed
    });
    let outputs = blocks(&content).iter().filter(|block| block.language == "text").count();
    assert_eq!(compared + skipped, outputs, "{name}: outputs that were compared, or whose program is not built");
    for program in blocks(&content).iter().filter(|block| block.language == "rust") {
        let example = content.split("--example ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let file = format!("crates/rekindle/examples/{}.rs", example.expect("the example of the program"));
        let source = fs::read_to_string(root().join(&file)).expect("an example");
        assert!(source.ends_with(&program.content), "{name}: the program is not that of {file}");
    }
    let closing = "## Before you trust the result";
    assert!(content.contains(closing) || name.ends_with("README.md"), "{name} lacks `{closing}`");
    stale
}

/// Returns a folder with the samples of the cookbook.
fn samples() -> Place {
    let place = Place::new();
    for file in fs::read_dir(root().join("fixtures/cookbook")).expect("samples").flatten() {
        place.write(&file.file_name().display().to_string(), fs::read(file.path()).expect("a sample"));
    }
    place
}

/// Runs a command line of the cookbook: also a server in the background, the requests to it, and `head`.
fn run_in_shell(place: &Place, server: &mut Option<Server>, line: &str) -> Option<String> {
    let words = shlex::split(line).unwrap_or_else(|| panic!("`{line}` is not a command"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["rekindle", "serve", ref options @ .., "&"] => {
            *server = Some(Server::start(place, options));
            None
        }
        ["curl", url] => Some(server.as_ref().expect("a server").answer(url, None)),
        ["curl", url, "--json", body] => Some(server.as_ref().expect("a server").answer(url, Some(body))),
        ["head", "-n", count, file] => {
            let content = fs::read_to_string(place.path(file)).expect("a file");
            let count: usize = count.parse().expect("a number of lines");
            Some(content.lines().take(count).map(|line| format!("{line}\n")).collect())
        }
        _ => {
            let is_run = NOT_RUN.iter().all(|start| !line.starts_with(start));
            assert!(is_run, "`{line}` cannot be run by this test; the cookbook shows it in a block without a language");
            run(place, line, true)
        }
    }
}

/// `rekindle serve` on a free port; it ends with this value.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(place: &Place, options: &[&str]) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rekindle"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(options).current_dir(place.path("")).env_clear();
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a server");
        let mut first = String::new();
        BufReader::new(process.stdout.take().expect("output")).read_line(&mut first).expect("a line");
        let address = first.trim().strip_prefix("listening on http://").expect("an address").into();
        Self { process, address }
    }

    /// Returns the body of the answer to a request of curl, whose address is that of the default port.
    fn answer(&self, url: &str, json: Option<&str>) -> String {
        let path = url.strip_prefix("http://127.0.0.1:8080").expect("the default address");
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let (method, body) = (if json.is_some() { "POST" } else { "GET" }, json.unwrap_or_default());
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n");
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{url}: {answer}");
        body.into()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// Returns the paths of all documents of the repository.
fn markdown() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::new(), "docs".into()];
    folders.extend(
        fs::read_dir(root().join("crates"))
            .expect("crates")
            .flatten()
            .map(|entry| Path::new("crates").join(entry.file_name())),
    );
    let in_folder = |folder: PathBuf| {
        let entries = fs::read_dir(root().join(&folder)).into_iter().flatten().flatten();
        let names = entries.map(move |entry| folder.join(entry.file_name()));
        names.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect::<Vec<_>>()
    };
    folders.into_iter().flat_map(in_folder).collect()
}

#[test]
fn examples_in_the_help_work() {
    let place = place();
    let help = |arguments: &[&str]| {
        let output = place.program("rekindle").expect("the binary").args(arguments).output().expect("it ran");
        assert!(output.status.success(), "{arguments:?}");
        text(&output.stdout)
    };
    let mut commands = vec![vec!["--help"]];
    let main = help(&["--help"]);
    let listed = main.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    commands.extend(names.filter_map(|line| line.split_whitespace().next()).map(|name| vec![name, "--help"]));
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands.iter().filter(|command| command[0] != "help") {
        let help = help(command);
        let examples = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        let examples: Vec<&str> = examples.take_while(|line| !line.is_empty()).collect();
        assert!(!examples.is_empty(), "`rekindle {}` has no example", command.join(" "));
        commands_of(&examples.join("\n")).iter().for_each(|line| drop(run(&place, line, false)));
    }
}

#[test]
fn mistyped_options_are_errors_with_a_suggestion() {
    let place = Place::new();
    let said = |arguments: &[&str]| {
        let output = place.program("rekindle").expect("the binary").args(arguments).output().expect("it ran");
        assert!(!output.status.success());
        text(&output.stderr)
    };
    assert!(said(&["experiment", "--epoch", "3"]).contains("'--epochs'"));
    assert!(said(&["experimnt"]).contains("'experiment'"));
    assert!(said(&["experiment", "--frozen-dropout", "of"]).contains("'off'"));
}
