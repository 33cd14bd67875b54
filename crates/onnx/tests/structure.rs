//! What is in an exported file, read by the messages' numbers alone: nothing of this crate decodes it. What the file computes is
//! compared with ONNX Runtime by `fixtures/onnx/check.py`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};
use rekindle_encoders::{Checkpoint, EncoderConfig, Pooling, SequenceClassifier};
use rekindle_onnx::{Export, OPSET};

/// The fields of a message: their numbers, and their bytes or integers.
fn fields(mut message: &[u8]) -> Vec<(u32, Field<'_>)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let (number, kind) = decode_key(&mut message).unwrap();
        let field = match kind {
            WireType::Varint => Field::Integer(decode_varint(&mut message).unwrap()),
            WireType::LengthDelimited => {
                let length = decode_varint(&mut message).unwrap() as usize;
                let (bytes, rest) = message.split_at(length);
                message = rest;
                Field::Bytes(bytes)
            }
            _ => Field::Integer(u64::from(message.get_u32_le())),
        };
        fields.push((number, field));
    }
    fields
}

#[derive(Clone, Copy)]
enum Field<'a> {
    Bytes(&'a [u8]),
    Integer(u64),
}

/// The values of a field that is bytes.
fn all(message: &[u8], wanted: u32) -> Vec<&[u8]> {
    let bytes = |(number, field)| match field {
        Field::Bytes(bytes) if number == wanted => Some(bytes),
        _ => None,
    };
    fields(message).into_iter().filter_map(bytes).collect()
}

fn integers(message: &[u8], wanted: u32) -> Vec<u64> {
    let integer = |(number, field)| match field {
        Field::Integer(integer) if number == wanted => Some(integer),
        _ => None,
    };
    fields(message).into_iter().filter_map(integer).collect()
}

fn texts(message: &[u8], number: u32) -> Vec<String> {
    all(message, number).into_iter().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect()
}

/// An exported file, and its graph.
struct File(Vec<u8>);

impl File {
    fn graph(&self) -> &[u8] {
        all(&self.0, 7)[0]
    }

    /// The inputs or outputs: names, with the dimensions.
    fn values(&self, number: u32) -> Vec<(String, Vec<String>)> {
        let dims = |value: &[u8]| {
            let shape = all(all(all(value, 2)[0], 1)[0], 2)[0];
            let dim = |dim: &[u8]| match texts(dim, 2).pop() {
                Some(name) => name,
                None => integers(dim, 1)[0].to_string(),
            };
            all(shape, 1).into_iter().map(dim).collect()
        };
        all(self.graph(), number).into_iter().map(|value| (texts(value, 1).remove(0), dims(value))).collect()
    }

    /// The initializers: name, type and dimensions, and the number of bytes.
    fn initializers(&self) -> Vec<(String, u64, Vec<u64>, usize)> {
        let initializer = |tensor: &&[u8]| {
            let mut packed = all(tensor, 1).first().copied().unwrap_or_default();
            let mut dims = Vec::new();
            while !packed.is_empty() {
                dims.push(decode_varint(&mut packed).unwrap());
            }
            (texts(tensor, 8).remove(0), integers(tensor, 2)[0], dims, all(tensor, 9)[0].len())
        };
        all(self.graph(), 5).iter().map(initializer).collect()
    }

    fn operators(&self) -> Vec<String> {
        all(self.graph(), 1).into_iter().map(|node| texts(node, 4).remove(0)).collect()
    }

    fn metadata(&self, key: &str) -> Option<String> {
        let entries = all(&self.0, 14).into_iter().map(|entry| (texts(entry, 1).remove(0), texts(entry, 2).remove(0)));
        entries.into_iter().find_map(|(found, value)| (found == key).then_some(value))
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new("../../fixtures").join(name)
}

/// Exports a checkpoint of the fixtures.
fn export(name: &str, token_type_ids: bool, int8: bool, pooling: Option<Pooling>) -> File {
    let config = EncoderConfig::from_folder(&folder(name)).unwrap();
    let config = if let Some(pooling) = pooling { config.with_pooling(pooling) } else { config };
    let checkpoint = Checkpoint::open(&folder(name)).unwrap();
    let (model, _) = SequenceClassifier::from_checkpoint(&config, &checkpoint, 0, &Device::flex()).unwrap();
    let export = Export { config: &config, max_length: 20, token_type_ids, int8 };
    let exported = export.sequence_classifier(&model).unwrap();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("model.onnx");
    exported.save(&path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(bytes.len(), exported.size(), "{name}");
    File(bytes)
}

/// Every classifier of the fixtures.
fn classifiers() -> Vec<String> {
    let mut found = Vec::new();
    for family in std::fs::read_dir(folder("encoders")).unwrap().map(|entry| entry.unwrap().path()) {
        for model in std::fs::read_dir(&family).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            let config = std::fs::read_to_string(model.join("config.json")).unwrap_or_default();
            if config.contains("ForSequenceClassification") {
                let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
                found.push(format!("encoders/{}/{}", name(&family), name(&model)));
            }
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn inputs_and_output_have_the_names_and_shapes_of_optimum() {
    let dims = |names: [&str; 2]| names.map(String::from).to_vec();
    let input = |name: &str| (name.into(), dims(["batch_size", "sequence_length"]));
    let file = export("encoders/bert/labels3", true, false, None);
    assert_eq!(file.values(11), ["input_ids", "attention_mask", "token_type_ids"].map(input));
    assert_eq!(file.values(12), [("logits".into(), dims(["batch_size", "3"]))]);
    assert_eq!(export("distilbert/base", false, false, None).values(11), ["input_ids", "attention_mask"].map(input));
    assert_eq!(integers(all(&file.0, 8)[0], 2), [OPSET as u64]);
    assert_eq!(file.metadata("id2label").unwrap(), r#"{"0":"negative","1":"neutral","2":"positive"}"#);
    assert_eq!(file.metadata("max_length").unwrap(), "20");
    assert_eq!(file.metadata("model_type").unwrap(), "bert");
}

#[test]
fn every_node_reads_what_is_before_it() {
    for name in classifiers() {
        for (int8, pooling) in [(false, None), (true, None), (false, Some(Pooling::Mean))] {
            let file = export(&name, false, int8, pooling);
            let mut known: BTreeSet<String> = file.values(11).into_iter().map(|(name, _)| name).collect();
            for (tensor, kind, dims, bytes) in file.initializers() {
                let size = if kind == 3 {
                    1
                } else if kind == 7 {
                    8
                } else {
                    4
                };
                assert_eq!(dims.iter().product::<u64>() * size, bytes as u64, "{name}: {tensor}");
                assert!(known.insert(tensor.clone()), "{name}: {tensor} is there twice");
            }
            for node in all(file.graph(), 1) {
                for input in texts(node, 1) {
                    assert!(known.contains(&input), "{name}: {input}");
                }
                for output in texts(node, 2) {
                    assert!(known.insert(output.clone()), "{name}: {output} is computed twice");
                }
            }
            assert!(known.contains("logits"), "{name}");
        }
    }
}

#[test]
fn int8_has_the_linear_layers_of_the_encoder_and_a_scale_per_column() {
    let (f32, int8) =
        (export("encoders/bert/base", false, false, None), export("encoders/bert/base", false, true, None));
    assert!(!f32.operators().contains(&"MatMulInteger".into()));
    let count = int8.operators().iter().filter(|operator| *operator == "MatMulInteger").count();
    assert_eq!(count, 3 * 6, "three layers");
    let initializers = int8.initializers();
    let find = |name: &str| initializers.iter().find(|found| found.0 == name).cloned();
    let matrix = "bert.encoder.layer.0.intermediate.dense.weight";
    assert_eq!(find(matrix), None);
    let (_, kind, dims, _) = find(&format!("{matrix}_quantized")).unwrap();
    assert_eq!((kind, dims), (3, vec![32, 64]));
    let (_, kind, dims, _) = find(&format!("{matrix}_scale")).unwrap();
    assert_eq!((kind, dims), (1, vec![64]));
    assert_eq!(find("classifier.weight").unwrap().1, 1, "the head is in f32");
    assert_eq!(int8.metadata("precision").unwrap(), "int8");
}

#[test]
fn layers_of_albert_that_share_weights_share_them_in_the_file() {
    let file = export("encoders/albert/base", false, false, None);
    let names: Vec<String> = file.initializers().into_iter().map(|found| found.0).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with("ffn.weight")).count(), 1, "{names:?}");
    assert_eq!(file.operators().iter().filter(|operator| *operator == "Softmax").count(), 3);
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_that_names_it() {
    let config = EncoderConfig::from_folder(&folder("distilbert/base")).unwrap();
    let model = SequenceClassifier::new(&config, &Device::flex());
    let exported = Export { config: &config, max_length: 20, token_type_ids: false, int8: false };
    let error = exported.sequence_classifier(&model).unwrap().save(Path::new("no/such/folder/model.onnx"));
    assert!(error.unwrap_err().to_string().contains("no/such/folder/model.onnx"));
}
