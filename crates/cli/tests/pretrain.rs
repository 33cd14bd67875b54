//! `rekindle vocab`, `pretrain` and `fill-mask` as a user runs them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Place, text};

/// Sentences of a language with two words after each `the`.
fn corpus() -> String {
    let nouns = ["cat", "dog", "bird", "fish"];
    let verbs = ["sleeps", "eats", "sings", "swims"];
    let line = |index: usize| format!("The {} {} .\n", nouns[index % 4], verbs[index * index % 4]);
    (0..80).map(line).collect::<Vec<_>>().join("\n")
}

/// A place with a corpus and a vocabulary of it.
fn with_vocabulary() -> Place {
    let place = Place::new();
    place.write("corpus.txt", corpus());
    let output = place
        .plain("vocab")
        .args(["--corpus", "corpus.txt", "--size", "60", "--output", "vocab"])
        .output()
        .expect("ran");
    assert!(output.status.success(), "{}", text(&output.stderr));
    place
}

const SIZES: [&str; 14] = [
    "--corpus",
    "corpus.txt",
    "--layers",
    "1",
    "--dim",
    "16",
    "--heads",
    "2",
    "--max-length",
    "12",
    "--batch-size",
    "8",
    "--learning-rate",
    "1e-2",
];

#[test]
fn a_model_from_plain_text_fills_masks() {
    let place = with_vocabulary();
    let vocabulary = fs::read_to_string(place.path("vocab/vocab.txt")).expect("vocab.txt");
    assert!(vocabulary.starts_with("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n"), "{vocabulary}");
    assert!(vocabulary.lines().any(|entry| entry == "sleeps") && !vocabulary.contains('T'), "{vocabulary}");

    let run = |output: &str| {
        let options = ["--vocab", "vocab", "--epochs", "20", "--output", output];
        let ran = place.command("pretrain").args(SIZES).args(options).output().expect("it ran");
        assert!(ran.status.success(), "{}", text(&ran.stderr));
        (text(&ran.stdout), fs::read(place.path(output).join("model.safetensors")).expect("weights"))
    };
    let (said, weights) = run("model");
    for part in ["159 lines", "held out", "perplexity", "200 steps", "model in model"] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
    assert!(run("again").1 == weights, "the same seed gives the same model");
    for (command, output, more) in
        [("pretrain", "model", &["--vocab", "vocab", "--steps", "1"][..]), ("vocab", "vocab", &["--size", "60"])]
    {
        let before = place.files();
        let run = |options: &[&str]| {
            let mut command = place.plain(command);
            command
                .args(["--corpus", "corpus.txt", "--output", output])
                .args(more)
                .args(options)
                .output()
                .expect("it ran")
        };
        let refused = run(&[]);
        let error = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(4), "{error}");
        assert!(error.contains("tokenizer.json") && error.contains("--overwrite"), "{error}");
        assert!(place.files() == before, "nothing is replaced");
        if command == "vocab" {
            assert!(run(&["--overwrite"]).status.success());
            assert!(place.files() == before, "the same vocabulary");
        }
    }
    assert!(!place.path("model/checkpoint").exists());
    let config: Value =
        serde_json::from_slice(&fs::read(place.path("model/config.json")).expect("read")).expect("JSON");
    assert_eq!(config["architectures"], serde_json::json!(["DistilBertForMaskedLM"]));

    let texts = ["the [MASK] sleeps .", "[MASK] cat [MASK] ."];
    let ran = place.command("fill-mask").args(["--model", "model", "--top-k", "3"]).args(texts).output().expect("ran");
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let lines: Vec<Value> = text(&ran.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["text"], lines[0]["predictions"].as_array().map(Vec::len)), (&texts[0].into(), Some(3)));
    let best = &lines[0]["predictions"][0];
    let word = best["token_str"].as_str().expect("a word");
    assert!(["cat", "dog", "bird", "fish"].contains(&word), "a noun: {best}");
    assert_eq!(best["sequence"], format!("the {word} sleeps."));
    assert_eq!(lines[1]["predictions"].as_array().map(Vec::len), Some(2), "a list for each [MASK]");
    assert_eq!(lines[1]["predictions"][0][0]["token_str"], "the");

    // On from there: a checkpoint of which every tensor is known.
    let options =
        ["--model", "model", "--corpus", "corpus.txt", "--max-length", "12", "--steps", "2", "--output", "on"];
    let ran = place.command("pretrain").args(options).output().expect("it ran");
    assert!(text(&ran.stdout).contains("every tensor matched"), "{}{}", text(&ran.stdout), text(&ran.stderr));
}

/// Whether a folder holds a training checkpoint.
fn has_checkpoint(folder: &Path) -> bool {
    let names = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").file_name());
    let mut names = names.into_iter().map(|name| name.to_string_lossy().into_owned());
    names.any(|name| name.starts_with("step-") && name.ends_with(".safetensors"))
}

#[test]
fn a_run_that_was_killed_is_taken_up_and_gives_the_same_model() {
    let place = with_vocabulary();
    let options = |output| ["--vocab", "vocab", "--steps", "400", "--save-every", "10", "--output", output];
    let run = |output, more: &[&str]| {
        place.command("pretrain").args(SIZES).args(options(output)).args(more).output().expect("it ran")
    };
    let unbroken = run("unbroken", &["--resume"]);
    assert!(text(&unbroken.stdout).contains("resumed  nothing"), "{}", text(&unbroken.stderr));

    let mut command = Command::new(place.plain("pretrain").get_program());
    let command = command.args(["pretrain", "--offline"]).args(SIZES).args(options("model"));
    let mut child = command.current_dir(place.path("")).stdout(Stdio::null()).spawn().expect("it runs");
    while !has_checkpoint(&place.path("model/checkpoint")) {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before its first checkpoint");
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(!place.path("model/model.safetensors").exists(), "it was not done");

    fs::remove_file(place.path("model/checkpoint/lock")).expect("who is killed leaves its lock, which holds nobody");
    let before = place.files();
    let refused = run("model", &[]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("--resume"), "{}", text(&refused.stderr));
    let refused = run("model", &["--resume", "--seed", "7"]);
    assert!(text(&refused.stderr).contains("--seed was 42, is 7"), "{}", text(&refused.stderr));
    assert!(place.files() == before, "a refusal changes nothing");
    let resumed = run("model", &["--resume"]);
    assert!(text(&resumed.stdout).contains("resumes after step"), "{}", text(&resumed.stderr));
    let weights = |folder: &str| fs::read(place.path(folder).join("model.safetensors")).expect("weights");
    assert!(weights("model") == weights("unbroken"), "the same model, byte for byte");
    assert!(!place.path("model/checkpoint").exists());
}

#[test]
fn each_wrong_input_is_a_clear_error_and_writes_nothing() {
    let place = with_vocabulary();
    place.model("classifier");
    place.write("bytes.txt", b"good\n\xff\n");
    place.write("empty.txt", "\n\n");
    place.write("foreign.txt", "?? ??\n");
    place.write("file", "");
    let before = place.files();
    let new = ["--vocab", "vocab", "--layers", "1", "--dim", "16", "--heads", "2"];
    let cases: [(&str, &[&str], &[&str]); 19] = [
        ("vocab", &["--corpus", "none.txt", "--output", "out"], &["none.txt", "No such file"]),
        ("vocab", &["--corpus", "bytes.txt", "--output", "out"], &["bytes.txt", "line 2: is not UTF-8"]),
        ("vocab", &["--corpus", "empty.txt", "--output", "out"], &["no word"]),
        ("vocab", &["--corpus", "corpus.txt", "--size", "10", "--output", "out"], &["10 is too small"]),
        ("vocab", &["--corpus", "corpus.txt", "--output", "file"], &["file", "is a file"]),
        ("pretrain", &["--corpus", "corpus.txt"], &["--vocab", "--model"]),
        ("pretrain", &["--corpus", "none.txt", "--vocab", "vocab"], &["none.txt", "No such file"]),
        ("pretrain", &["--corpus", "bytes.txt", "--vocab", "vocab"], &["bytes.txt, line 2: is not UTF-8"]),
        ("pretrain", &["--corpus", "foreign.txt", "--vocab", "vocab"], &["foreign.txt", "no text"]),
        ("pretrain", &["--corpus", "corpus.txt", "--vocab", "none"], &["none", "tokenizer.json"]),
        ("pretrain", &["--corpus", "corpus.txt", "--vocab", "vocab", "--heads", "3"], &["n_heads", "3 heads"]),
        (
            "pretrain",
            &["--corpus", "corpus.txt", "--vocab", "vocab", "--max-length", "2"],
            &["--max-length", "at least 3"],
        ),
        ("pretrain", &["--corpus", "corpus.txt", "--model", "classifier", "--max-length", "600"], &["600", "128"]),
        (
            "pretrain",
            &["--corpus", "corpus.txt", "--vocab", "vocab", "--mlm-probability", "2"],
            &["--mlm-probability", "at most 1"],
        ),
        ("pretrain", &["--corpus", "corpus.txt", "--vocab", "vocab", "--steps", "0"], &["--steps", "at least 1"]),
        ("pretrain", &["--corpus", "corpus.txt", "--vocab", "vocab", "--output", "file"], &["file"]),
        ("fill-mask", &["--model", "classifier", "[MASK]"], &["no masked-language head", "vocab_transform"]),
        ("fill-mask", &["--model", "./none", "[MASK]"], &["none"]),
        ("fill-mask", &["--model", "classifier"], &["TEXT"]),
    ];
    for (name, options, expected) in cases {
        let mut command = if name == "vocab" { place.plain(name) } else { place.command(name) };
        if name == "pretrain" {
            let sizes = options.contains(&"--vocab") && !options.contains(&"--heads");
            command.args(if sizes { &new[2..] } else { &[] });
            command.args(if options.contains(&"--output") { &[][..] } else { &["--output", "out"] });
        }
        let output = command.args(options).output().expect("it ran");
        let error = text(&output.stderr);
        assert!(matches!(output.status.code(), Some(2..=5)), "{name} {options:?} ended by {}: {error}", output.status);
        for part in expected {
            assert!(error.contains(part), "{name} {options:?}: `{part}` in {error}");
        }
        assert!(!error.contains("panicked"), "{error}");
        assert!(place.files() == before, "{name} {options:?} changed files");
    }
}

#[test]
fn what_has_no_mask_or_does_not_fit_is_refused() {
    let place = with_vocabulary();
    let ran =
        place.command("pretrain").args(SIZES).args(["--vocab", "vocab", "--steps", "1", "--output", "model"]).output();
    assert!(ran.expect("it ran").status.success());
    let long = "[MASK] ".repeat(20);
    for (text_given, expected) in [("the cat", "no [MASK]"), (long.as_str(), "longer than the 12 tokens")] {
        let ran = place.command("fill-mask").args(["--model", "model", text_given]).output().expect("it ran");
        let error = text(&ran.stderr);
        assert!(ran.status.code() == Some(3) && error.contains(expected) && ran.stdout.is_empty(), "{error}");
    }
}

#[test]
fn a_corpus_in_utf_16_gives_the_same_vocabulary_and_model() {
    let place = with_vocabulary();
    let units = corpus().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    place.write("utf16.txt", [b"\xff\xfe".to_vec(), units].concat());
    let done = |command: &mut assert_cmd::Command| {
        let output = command.output().expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    done(place.plain("vocab").args(["--corpus", "utf16.txt", "--size", "60", "--output", "other"]));
    let read = |path: &str| fs::read(place.path(path)).expect("written");
    assert_eq!(read("other/vocab.txt"), read("vocab/vocab.txt"));
    for (corpus, model) in [("corpus.txt", "first"), ("utf16.txt", "second")] {
        let sizes = SIZES.map(|option| if option == "corpus.txt" { corpus } else { option });
        done(place.command("pretrain").args(sizes).args(["--vocab", "vocab", "--steps", "2", "--output", model]));
    }
    assert_eq!(read("first/model.safetensors"), read("second/model.safetensors"));
}

#[test]
fn a_pointer_of_git_lfs_is_no_corpus() {
    let place = Place::new();
    place.write("corpus.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n");
    let outputs = [
        place.plain("vocab").args(["--corpus", "corpus.txt", "--output", "out"]).output(),
        place.command("pretrain").args(["--model", "embedded", "--corpus", "corpus.txt", "--output", "out"]).output(),
    ];
    for output in outputs.map(|output| output.expect("it ran")) {
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(3) && error.contains("corpus.txt: is a Git LFS pointer"), "{error}");
        assert!(!place.path("out/vocab.txt").exists());
    }
}
