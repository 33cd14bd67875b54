//! Hidden states and logits against transformers, for small checkpoints of every kind.
//!
//! PyTorch computed the golden tables: `fixtures/distilbert/make.py`.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use rekindle_distilbert::{
    Checkpoint, DistilBertConfig, DistilBertForSequenceClassification, Embedding, Mode, Pooling, SequenceBatch,
    TokenSelection, TransformerEncoder,
};
use serde::Deserialize;

/// Both sides sum products of 16 to 64 terms near 1 in f32, in different orders, in up to three layers: about 3 × 64 rounding
/// errors of 6e-8. Backends only differ in the order, so they share one bound: a GPU adds in f32, too, and WGSL allows `exp` and
/// `sqrt` few more units in the last place.
const TOLERANCE: f32 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    ids: Vec<u32>,
    hidden: Vec<Vec<f32>>,
    logits: Option<Vec<f32>>,
}

struct Case {
    config: DistilBertConfig,
    model: DistilBertForSequenceClassification,
    golden: Golden,
    device: Device,
}

fn folder(name: &str) -> PathBuf {
    Path::new("../../fixtures/distilbert").join(name)
}

#[allow(deprecated)] // ndarray
fn devices() -> Vec<(&'static str, Device)> {
    vec![
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        ("ndarray", Device::ndarray()),
        #[cfg(feature = "wgpu")]
        ("wgpu", Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
    ]
}

fn each_case(mut check: impl FnMut(&str, &Case)) {
    let names = [
        "base",
        "heads3_relu",
        "sinusoidal",
        "labels4",
        "masked_lm",
        "no_prefix",
        "f16",
        "bf16",
        "gamma_beta",
        "sharded",
    ];
    for (backend, device) in devices() {
        for name in names {
            let folder = folder(name);
            let config = DistilBertConfig::from_folder(&folder).unwrap();
            let (model, _) = DistilBertForSequenceClassification::from_checkpoint(
                &config,
                &Checkpoint::open(&folder).unwrap(),
                0,
                &device,
            )
            .unwrap();
            let golden = serde_json::from_slice(&std::fs::read(folder.join("golden.json")).unwrap()).unwrap();
            check(&format!("{name} on {backend}"), &Case { config, model, golden, device: device.clone() });
        }
    }
}

impl Case {
    /// A packed batch, or one padded to `length`.
    fn batch(&self, rows: &[&[u32]], length: Option<usize>) -> SequenceBatch {
        let (mut ids, mut mask, mut cu_seqlens) = (Vec::new(), Vec::new(), vec![0]);
        for row in rows {
            ids.extend_from_slice(row);
            mask.extend(row.iter().map(|_| 1));
            let padding = length.map_or(0, |length| length - row.len());
            ids.extend(std::iter::repeat_n(self.config.pad_token_id, padding));
            mask.extend(std::iter::repeat_n(0, padding));
            cu_seqlens.push(ids.len());
        }
        SequenceBatch::new(&ids, &mask, &cu_seqlens, &self.config, &self.device).unwrap()
    }

    fn check_logits(&self, name: &str, batch: &SequenceBatch, rows: &[usize]) {
        let logits = values(self.model.forward(batch, Mode::Eval));
        for (row, logits) in rows.iter().zip(logits) {
            if let Some(expected) = &self.golden.rows[*row].logits {
                close(&format!("{name}, logits of row {row}"), &logits, expected);
            }
        }
    }
}

fn values(tensor: Tensor<2>) -> Vec<Vec<f32>> {
    let [_, width] = tensor.dims();
    tensor.into_data().try_to_vec::<f32>().unwrap().chunks(width).map(<[f32]>::to_vec).collect()
}

fn close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let difference = (found - expected).abs();
        assert!(
            difference <= TOLERANCE * expected.abs().max(1.0),
            "{what}: {found} is not {expected} ({difference:e})"
        );
    }
}

#[test]
fn hidden_states_and_logits_of_single_sequences() {
    each_case(|name, case| {
        for (index, row) in case.golden.rows.iter().enumerate() {
            let batch = case.batch(&[&row.ids], None);
            let hidden = values(case.model.distilbert.forward(&batch, TokenSelection::All, Mode::Eval));
            for (position, (found, expected)) in hidden.iter().zip(&row.hidden).enumerate() {
                close(&format!("{name}, row {index}, position {position}"), found, expected);
            }
            case.check_logits(name, &batch, &[index]);
        }
    });
}

#[test]
fn other_sequences_and_padding_change_nothing() {
    each_case(|name, case| {
        let all: Vec<usize> = (0..case.golden.rows.len()).collect();
        let reversed: Vec<usize> = all.iter().rev().copied().collect();
        for (rows, length) in [(&all, None), (&reversed, None), (&all, Some(32)), (&reversed, Some(40))] {
            let ids: Vec<&[u32]> = rows.iter().map(|&row| case.golden.rows[row].ids.as_slice()).collect();
            let batch = case.batch(&ids, length);
            case.check_logits(&format!("{name} padded to {length:?}"), &batch, rows);
            let first = values(case.model.distilbert.forward(&batch, TokenSelection::First, Mode::Eval));
            for (row, found) in rows.iter().zip(first) {
                close(&format!("{name} padded to {length:?}, row {row}"), &found, &case.golden.rows[*row].hidden[0]);
            }
        }
    });
}

#[test]
fn selected_rows_equal_those_of_all() {
    each_case(|name, case| {
        let ids: Vec<&[u32]> = case.golden.rows.iter().map(|row| row.ids.as_slice()).collect();
        for length in [None, Some(40)] {
            let batch = case.batch(&ids, length);
            let all = values(case.model.distilbert.forward(&batch, TokenSelection::All, Mode::Eval));
            // One token, some of the middle sequences only, some of all, and some of the last sequence only.
            let count = batch.tokens() as u32;
            for places in
                [vec![7], (20..60).step_by(3).collect(), (0..count).step_by(5).collect(), vec![count - 40, count - 1]]
            {
                let selected = batch.clone().selecting(&places).unwrap();
                let selected = values(case.model.distilbert.forward(&selected, TokenSelection::Selected, Mode::Eval));
                assert_eq!(selected.len(), places.len());
                for (place, found) in places.iter().zip(&selected) {
                    close(&format!("{name}, place {place}"), found, &all[*place as usize]);
                }
            }
        }
        for wrong in [&[][..], &[3, 3], &[2, 1], &[9, 100_000]] {
            assert!(case.batch(&ids, None).selecting(wrong).is_err(), "{wrong:?}");
        }
    });
}

#[test]
fn load_reports_name_the_tensors_that_transformers_names() {
    let load = |name: &str| {
        let folder = folder(name);
        let config = DistilBertConfig::from_folder(&folder).unwrap();
        DistilBertForSequenceClassification::from_checkpoint(
            &config,
            &Checkpoint::open(&folder).unwrap(),
            0,
            &Device::flex(),
        )
        .unwrap()
        .1
    };
    let head = ["pre_classifier.weight", "pre_classifier.bias", "classifier.weight", "classifier.bias"];
    let unexpected = [
        "vocab_layer_norm.bias",
        "vocab_layer_norm.weight",
        "vocab_projector.bias",
        "vocab_transform.bias",
        "vocab_transform.weight",
    ];
    assert_eq!(
        (load("masked_lm").unexpected, load("masked_lm").missing),
        (unexpected.map(String::from).to_vec(), head.map(String::from).to_vec())
    );
    assert_eq!((load("no_prefix").unexpected.len(), load("no_prefix").missing), (0, head.map(String::from).to_vec()));
    for whole in ["base", "gamma_beta", "sharded", "labels4"] {
        assert_eq!(load(whole), Default::default(), "{whole}");
    }
}

#[test]
fn a_head_of_another_size_is_reported_and_initialized() {
    let folder = folder("labels4");
    let config = DistilBertConfig::from_folder(&folder).unwrap().with_labels(["no", "yes"]);
    let (model, report) = DistilBertForSequenceClassification::from_checkpoint(
        &config,
        &Checkpoint::open(&folder).unwrap(),
        7,
        &Device::flex(),
    )
    .unwrap();
    let names: Vec<&str> = report.mismatched.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["classifier.weight", "classifier.bias"]);
    assert_eq!((report.mismatched[0].checkpoint[0], report.mismatched[0].model[0]), (4, 2));
    let bias = model.classifier.bias.expect("a bias").val();
    assert_eq!(bias.into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.0]);
}

#[derive(Deserialize)]
struct Embedded {
    ids: Vec<u32>,
    embeddings: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    pooling: Pooling,
    layers: usize,
    normalize: bool,
    embedding: Vec<f32>,
}

/// `fixtures/distilbert/make_embeddings.py`.
#[test]
fn embeddings_of_every_pooling() {
    each_case(|name, case| {
        if !name.starts_with("base ") {
            return;
        }
        let golden: Vec<Embedded> =
            serde_json::from_slice(&std::fs::read(folder("embeddings_golden.json")).unwrap()).unwrap();
        let ids: Vec<&[u32]> = golden.iter().map(|row| row.ids.as_slice()).collect();
        for (index, Expected { pooling, layers, normalize, .. }) in golden[0].embeddings.iter().enumerate() {
            let embedding = Embedding { pooling: *pooling, layers: *layers, normalize: *normalize };
            // Alone, packed, where the batch has halves, and padded.
            let embed = |batch| values(case.model.distilbert.embed(&batch, embedding, Mode::Eval));
            let alone: Vec<_> = ids.iter().flat_map(|row| embed(case.batch(&[row], None))).collect();
            for found in [alone, embed(case.batch(&ids, None)), embed(case.batch(&ids, Some(40)))] {
                for (row, (found, golden)) in found.iter().zip(&golden).enumerate() {
                    close(&format!("{name}, row {row}, {embedding:?}"), found, &golden.embeddings[index].embedding);
                }
            }
        }
    });
}
