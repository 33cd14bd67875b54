//! Approaches on every model family against transformers and peft: twenty steps of each, and the numbers of parameters.
//!
//! The golden numbers are theirs: `fixtures/encoders/make.py` and `make_counts.py`.

use std::path::Path;

use burn::tensor::Device;
use rekindle_encoders::{EncoderConfig, Family, SequenceClassifier};
use rekindle_experiment::Approach;
use rekindle_train::EncodedDataset;
use serde::Deserialize;
use serde_json::Value;

use crate::reference::golden::{devices, fixture};
use crate::reference::{Case, train};

#[derive(Deserialize)]
struct Golden {
    training: Training,
}

#[derive(Deserialize)]
struct Training {
    rows: Vec<Vec<u32>>,
    segments: Option<Vec<Vec<u32>>>,
    labels: Vec<usize>,
    cases: Vec<Case>,
}

/// The counts of a family at the size of its usual checkpoint.
#[derive(Deserialize)]
struct Counts {
    family: String,
    config: Value,
    counts: Vec<Count>,
}

#[derive(Deserialize)]
struct Count {
    spec: String,
    trainable: usize,
    total: usize,
}

/// The families whose tables are in `fixtures/encoders`: DistilBERT has tables of its own.
fn families() -> impl Iterator<Item = Family> {
    Family::ALL.into_iter().filter(|&family| family != Family::DistilBert)
}

#[test]
fn twenty_steps_in_every_family_follow_the_reference() {
    for family in families() {
        let Training { rows, segments, labels, cases } =
            fixture::<Golden>(&format!("encoders/{family}/golden.json")).training;
        let data = EncodedDataset::new(rows, labels, 2).expect("data");
        let data = match segments {
            Some(segments) => data.with_token_types(segments).expect("segments"),
            None => data,
        };
        assert_eq!(cases.len(), 5, "{family}");
        for (backend, device) in devices() {
            // Only adapters, and what is below them, have operations of their own.
            for case in cases.iter().filter(|case| backend == "flex" || case.spec.starts_with("lora")) {
                train(
                    case,
                    &format!("encoders/{family}/base"),
                    &data,
                    &device,
                    &format!("{backend}, {family}, {}", case.spec),
                );
            }
        }
    }
}

#[test]
fn counts_at_the_size_of_the_usual_checkpoints() {
    let all: Vec<Counts> = fixture("encoders/counts.json");
    for family in families() {
        let Counts { config, counts, .. } = all.iter().find(|of| of.family == family.model_type()).expect("counts");
        let config = EncoderConfig::from_json(config.to_string().as_bytes(), Path::new("config.json")).expect("config");
        // Every plan shares the zeros.
        let model = SequenceClassifier::new(&config, &Device::flex()).trainable(|_| false);
        for Count { spec, trainable, total } in counts {
            let approach: Approach = spec.parse().expect("an approach");
            let plan = approach.fine_tuning().expect("a fine-tuning").plan(&config).expect("a plan");
            let prepared = plan.prepare(&model, 0).expect("prepared");
            assert_eq!(plan.count(&prepared), (*trainable, *total), "{family}, {spec}");
        }
    }
}
