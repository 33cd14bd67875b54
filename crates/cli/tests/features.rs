//! `rekindle features`: shards are whole, in order, the same whoever makes them, and made once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use burn::tensor::Device;
use rekindle::data::twelve_sentences;
use rekindle::embedded::EMBEDDED;
use rekindle::encoders::{Checkpoint, Mode, SequenceBatch};
use rekindle::infer::PretrainedModel;

use crate::common::{Place, text};

/// 23 texts of uneven lengths, a line each.
fn texts() -> Vec<String> {
    let sentences: Vec<String> = twelve_sentences().examples.into_iter().map(|example| example.text).collect();
    let pairs = sentences.windows(2).map(|pair| pair.join(" "));
    sentences.iter().cloned().chain(pairs).collect()
}

fn place() -> Place {
    let place = Place::new();
    place.write("texts.txt", texts().join("\n"));
    place
}

fn features(place: &Place, more: &[&str]) -> Output {
    let mut command = place.command("features");
    command.args(["--model", "embedded", "--input", "texts.txt", "--batch-size", "4", "--output", "out"]);
    command.args(more).output().expect("it ran")
}

/// The files of the output, by name.
fn shards(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(place.path("out")).expect("an output").map(|entry| entry.expect("an entry"));
    let file = |entry: fs::DirEntry| (entry.file_name().display().to_string(), fs::read(entry.path()).expect("read"));
    entries.map(file).collect()
}

fn rows(path: &Path) -> (Vec<usize>, Vec<f32>) {
    let shard = Checkpoint::from_file(path).expect("a shard");
    (shard.shape("features").expect("a tensor").to_vec(), shard.values("features").expect("read").expect("values"))
}

#[test]
fn a_folder_of_sentence_transformers_says_how_to_pool() {
    let place = place();
    place.model("model");
    let run = |more: &[&str]| {
        let _ = fs::remove_dir_all(place.path("out"));
        let mut command = place.command("features");
        command.args(["--model", "model", "--input", "texts.txt", "--output", "out"]);
        let output = command.args(more).output().expect("it ran");
        assert!(output.status.success(), "{}", text(&output.stderr));
        rows(&place.path("out/features-00000-of-00001.safetensors"))
    };
    let [cls, mean] = ["cls", "mean"].map(|pooling| run(&["--pooling", pooling]));
    assert_ne!(cls, mean);
    for (mode, expected) in [("cls", &cls), ("mean", &mean)] {
        let modules = r#"[{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#;
        place.write("model/modules.json", modules);
        let config = format!(
            r#"{{"pooling_mode_cls_token": {}, "pooling_mode_mean_tokens": {}}}"#,
            mode == "cls",
            mode == "mean"
        );
        place.write("model/1_Pooling/config.json", config);
        assert_eq!(&run(&[]), expected, "{mode}");
    }
}

#[test]
fn what_the_head_reads_of_each_text_in_order() {
    let place = place();
    for (pooling, more) in [("cls", &["--pooling", "cls"][..]), ("mean", &["--resume"])] {
        let _ = fs::remove_dir_all(place.path("out"));
        let output = features(&place, &[more, &["--shard-size", "10"]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let names: Vec<String> = shards(&place).into_keys().collect();
        let shard = |number: usize| format!("features-0000{number}-of-00003.safetensors");
        assert_eq!(names, [shard(0), shard(1), shard(2), "features.json".into()]);

        let pretrained = PretrainedModel::embedded(EMBEDDED).expect("the model");
        let device = Device::default().without_autodiff();
        let (config, model, _) = pretrained.load(&pretrained.config.labels(), 0, &device).expect("weights");
        let pooling = serde_json::from_str(&format!("\"{pooling}\"")).expect("a pooling");
        let model = model.trainable(|_| false).with_pooling(pooling);
        for (number, texts) in texts().chunks(10).enumerate() {
            let (shape, values) = rows(&place.path("out").join(shard(number)));
            assert_eq!(shape, [texts.len(), config.hidden_size]);
            for (text, row) in texts.iter().zip(values.chunks(config.hidden_size)) {
                // Alone: without padding and without neighbours.
                let ids = pretrained.tokenizer.encode_all(&[text], 64).expect("tokens");
                let (ids, mask) = (&ids[0], vec![1; ids[0].len()]);
                let batch = SequenceBatch::new(ids, &mask, &[0, ids.len()], &config, &device).expect("a batch");
                let alone = model.pool(&batch, Mode::Eval).into_data().iter::<f32>().collect::<Vec<_>>();
                let far = alone.iter().zip(row).map(|(alone, row)| (alone - row).abs()).fold(0.0, f32::max);
                assert!(far < 1e-5, "{text}: {far}");
            }
        }
    }
}

#[test]
fn what_is_there_is_not_made_again() {
    let place = place();
    let made = features(&place, &["--shard-size", "5"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let whole = shards(&place);
    assert!(!features(&place, &["--shard-size", "5"]).status.success(), "nothing is taken up unasked");

    // One shard is lost, one is damaged; a third is another one's, and would stay.
    let path = |number: usize| place.path(&format!("out/features-0000{number}-of-00005.safetensors"));
    fs::remove_file(path(1)).expect("removed");
    fs::write(path(3), b"half").expect("written");
    let [foreign, kept] = [fs::read(path(2)).expect("read"), fs::read(path(0)).expect("read")];
    fs::write(path(0), &foreign).expect("written");
    let resumed = features(&place, &["--shard-size", "5", "--resume"]);
    let said = text(&resumed.stdout);
    assert!(resumed.status.success() && said.contains("23 texts, 10 of them read now"), "{said}");
    assert!(fs::read(path(0)).expect("read") == foreign, "it was not touched");
    fs::write(path(0), kept).expect("written");
    assert!(shards(&place) == whole);

    for (options, name) in [(["6", "--max-length", "64"], "--shard-size"), (["5", "--max-length", "8"], "--max-length")]
    {
        let other = features(&place, &[&["--resume", "--shard-size"], &options[..]].concat());
        assert!(!other.status.success() && text(&other.stderr).contains(name), "{}", text(&other.stderr));
    }
    place.write("texts.txt", texts()[1..].join("\n"));
    let other = features(&place, &["--shard-size", "5", "--resume"]);
    assert!(!other.status.success() && text(&other.stderr).contains("rows"), "{}", text(&other.stderr));
    assert!(shards(&place) == whole, "what is there is left as it is");
}

#[test]
fn tables_and_what_is_wrong_with_them() {
    let place = place();
    let table: String = texts().iter().map(|text| format!("{text}\t1\n")).collect();
    place.write("table.tsv", format!("text\tlabel\n{table}"));
    let run = |arguments: &[&str]| {
        let mut command = place.command("features");
        command.args(["--model", "embedded", "--batch-size", "4"]).args(arguments).output().expect("it ran")
    };
    assert!(features(&place, &[]).status.success());
    assert!(run(&["--data", "table.tsv", "--output", "other"]).status.success());
    let shard = "features-00000-of-00001.safetensors";
    let read = |folder: &str| fs::read(place.path(folder).join(shard)).expect("a shard");
    assert!(read("out") == read("other"), "the same texts");

    place.write("empty.txt", "");
    let refused = |arguments: &[&str], words: &str| {
        let output = run(arguments);
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{arguments:?}: {said}");
        assert!(!place.path("none").exists(), "nothing is written");
    };
    refused(&["--input", "empty.txt", "--output", "none"], "no text");
    refused(&["--input", "absent.txt", "--output", "none"], "absent.txt");
    refused(&["--input", "texts.txt", "--data", "table.tsv", "--output", "none"], "cannot be used with");
    refused(&["--input", "texts.txt", "--max-length", "100000", "--output", "none"], "positions");
    refused(&["--output", "none"], "--data");
}
