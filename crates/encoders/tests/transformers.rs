//! Hidden states and logits of all families against transformers, for small checkpoints of every kind.
//!
//! PyTorch computed the golden tables: `fixtures/encoders/make.py`.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use rekindle_encoders::{
    Checkpoint, Encoder, EncoderConfig, Family, MaskedLanguageModel, Mode, Precision, SequenceBatch,
    SequenceClassifier, TokenSelection, TransformerEncoder,
};
use serde::Deserialize;

/// Both sides sum products of 16 to 64 terms near 1 in f32, in different orders, in up to five layers. Backends only differ in
/// the order, so they share one bound.
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Row>,
    checkpoints: Vec<Table>,
}

#[derive(Deserialize)]
struct Row {
    ids: Vec<u32>,
    segments: Vec<u32>,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    segments: bool,
    at: Vec<Vec<usize>>,
    hidden: Vec<Vec<Vec<f32>>>,
    missing: Vec<String>,
    unexpected: Vec<String>,
    logits: Option<Vec<Vec<f32>>>,
    masked_lm: Option<Vec<Words>>,
}

#[derive(Deserialize)]
struct Words {
    row: usize,
    position: u32,
    logits: Vec<f32>,
}

/// A checkpoint of a family, opened on a device.
struct Case {
    name: String,
    config: EncoderConfig,
    checkpoint: Checkpoint,
    device: Device,
    rows: Vec<Row>,
    table: Table,
}

fn folder(family: Family) -> PathBuf {
    Path::new("../../fixtures/encoders").join(family.model_type())
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

fn each_case(check: impl Fn(&Case)) {
    // DistilBERT has tables of its own.
    for family in Family::ALL.into_iter().filter(|family| *family != Family::DistilBert) {
        let golden = || std::fs::read(folder(family).join("golden.json")).unwrap();
        let golden = || serde_json::from_slice::<Golden>(&golden()).unwrap();
        for index in 0..golden().checkpoints.len() {
            for (backend, device) in devices() {
                let Golden { rows, mut checkpoints } = golden();
                let table = checkpoints.swap_remove(index);
                let folder = folder(family).join(&table.name);
                let config = EncoderConfig::from_folder(&folder).unwrap();
                let checkpoint = Checkpoint::open(&folder).unwrap();
                let name = format!("{family} {} on {backend}", table.name);
                check(&Case { name, config, checkpoint, device, rows, table });
            }
        }
    }
}

impl Case {
    /// A packed batch of some rows, or one padded to `length`.
    fn batch(&self, rows: &[usize], length: Option<usize>) -> SequenceBatch {
        let (mut ids, mut mask, mut segments, mut cu_seqlens) = (Vec::new(), Vec::new(), Vec::new(), vec![0]);
        for row in rows.iter().map(|&row| &self.rows[row]) {
            let padding = length.map_or(0, |length| length - row.ids.len());
            ids.extend(row.ids.iter().copied().chain(std::iter::repeat_n(self.config.pad_token_id, padding)));
            mask.extend(row.ids.iter().map(|_| 1).chain(std::iter::repeat_n(0, padding)));
            segments.extend(row.segments.iter().copied().chain(std::iter::repeat_n(0, padding)));
            cu_seqlens.push(ids.len());
        }
        let batch = SequenceBatch::new(&ids, &mask, &cu_seqlens, &self.config, &self.device).unwrap();
        if self.table.segments { batch.with_token_types(&segments).unwrap() } else { batch }
    }

    fn check_hidden(&self, encoder: &Encoder, rows: &[usize], length: Option<usize>) {
        let hidden = values(encoder.forward(&self.batch(rows, length), TokenSelection::All, Mode::Eval));
        let mut start = 0;
        for &row in rows {
            for (&position, expected) in self.table.at[row].iter().zip(&self.table.hidden[row]) {
                close(&format!("{}, row {row} at {position}", self.name), &hidden[start + position], expected);
            }
            start += length.unwrap_or(self.rows[row].ids.len());
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
        assert!(difference <= TOLERANCE * expected.abs().max(1.0), "{what}: {found} and not {expected}");
    }
}

#[test]
fn hidden_states_are_those_of_transformers_alone_packed_and_padded() {
    each_case(|case| {
        let encoder = Encoder::from_checkpoint(&case.config, &case.checkpoint, &case.device).unwrap();
        let all: Vec<usize> = (0..case.rows.len()).collect();
        all.iter().for_each(|&row| case.check_hidden(&encoder, &[row], None));
        case.check_hidden(&encoder, &all, None);
        let longest = case.rows.iter().map(|row| row.ids.len()).max();
        case.check_hidden(&encoder, &all, longest);
    });
}

#[test]
fn logits_are_those_of_transformers_and_survive_saving() {
    each_case(|case| {
        let Some(expected) = &case.table.logits else { return };
        let (model, report) =
            SequenceClassifier::from_checkpoint(&case.config, &case.checkpoint, 0, &case.device).unwrap();
        assert!(report.missing.is_empty() && report.mismatched.is_empty(), "{}: {report:?}", case.name);
        assert!(SequenceClassifier::has_head(&case.config, &case.checkpoint), "{}", case.name);
        let saved = tempfile::tempdir().unwrap();
        model.save_safetensors(&saved.path().join("model.safetensors"), Precision::F32).unwrap();
        std::fs::write(saved.path().join("config.json"), case.config.to_json()).unwrap();
        let config = EncoderConfig::from_folder(saved.path()).unwrap();
        let checkpoint = Checkpoint::open(saved.path()).unwrap();
        let (again, report) = SequenceClassifier::from_checkpoint(&config, &checkpoint, 0, &case.device).unwrap();
        assert!(report.missing.is_empty() && report.unexpected.is_empty(), "{}: {report:?}", case.name);
        let all: Vec<usize> = (0..case.rows.len()).collect();
        for model in [model, again] {
            for (row, logits) in values(model.forward(&case.batch(&all, None), Mode::Eval)).iter().enumerate() {
                close(&format!("{}, logits of row {row}", case.name), logits, &expected[row]);
            }
        }
    });
}

#[test]
fn scaled_logits_are_in_the_output_layer_of_every_family() {
    each_case(|case| {
        let Some(expected) = &case.table.logits else { return };
        let open =
            |checkpoint| SequenceClassifier::from_checkpoint(&case.config, checkpoint, 0, &case.device).unwrap().0;
        let scale = |class: usize| (0.5 + class as f64, 0.25 - class as f64);
        let (weights, biases): (Vec<f64>, Vec<f64>) = (0..case.config.num_labels()).map(scale).unzip();
        let saved = tempfile::tempdir().unwrap();
        let path = saved.path().join("model.safetensors");
        open(&case.checkpoint).with_scaled_logits(&weights, &biases).save_safetensors(&path, Precision::F32).unwrap();
        let scaled = open(&Checkpoint::open(saved.path()).unwrap());
        let all: Vec<usize> = (0..case.rows.len()).collect();
        for (row, logits) in values(scaled.forward(&case.batch(&all, None), Mode::Eval)).iter().enumerate() {
            let expected = expected[row].iter().zip(weights.iter().zip(&biases));
            let expected: Vec<f32> =
                expected.map(|(logit, (weight, bias))| (f64::from(*logit) * weight + bias) as f32).collect();
            close(&format!("{}, scaled logits of row {row}", case.name), logits, &expected);
        }
    });
}

#[test]
fn words_are_those_of_transformers() {
    each_case(|case| {
        let Some(words) = &case.table.masked_lm else { return };
        let (model, report) =
            MaskedLanguageModel::from_checkpoint(&case.config, &case.checkpoint, 0, &case.device).unwrap();
        assert!(report.missing.is_empty(), "{}: {report:?}", case.name);
        for Words { row, position, logits } in words {
            let batch = case.batch(&[*row], None).selecting(&[*position]).unwrap();
            let found = values(model.forward(&batch, Mode::Eval));
            close(&format!("{}, words of row {row} at {position}", case.name), &found[0], logits);
        }
    });
}

#[test]
fn load_reports_name_the_tensors_that_transformers_names() {
    each_case(|case| {
        let (_, report) = SequenceClassifier::from_checkpoint(&case.config, &case.checkpoint, 0, &case.device).unwrap();
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let found = (sorted(report.missing), sorted(report.unexpected));
        assert_eq!(found, (case.table.missing.clone(), case.table.unexpected.clone()), "{}", case.name);
    });
}
