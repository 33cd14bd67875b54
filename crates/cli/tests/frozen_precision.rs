//! `rekindle experiment --frozen-precision bf16` computes what it computes in f32 from weights that are rounded to bf16.

use std::fs;

use burn::tensor::bf16;
use rekindle::encoders::Family;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;

use crate::common::models::{families, place};
use crate::common::{Place, text, timeless};

const OPTIONS: [&str; 8] = ["--data", "data.csv", "--max-length", "16", "--epochs", "2", "--folds", "2"];

/// Rounds the linear layers of a model that are below `part` in the names of tensors, for example `layer.0.`.
fn round(place: &Place, part: &str) {
    let bytes = fs::read(place.path("model/model.safetensors")).expect("weights");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let rounded = tensors.iter().map(|(name, tensor)| {
        let is_linear = tensor.shape().len() == 2 && name.contains(part);
        assert!(!is_linear || tensor.dtype() == Dtype::F32, "{name}");
        let value = |bytes: &[u8]| bf16::from_f32(f32::from_le_bytes(bytes.try_into().expect("4 bytes"))).to_f32();
        let data: Vec<u8> = match is_linear {
            true => tensor.data().chunks(4).flat_map(|bytes| value(bytes).to_le_bytes()).collect(),
            false => tensor.data().into(),
        };
        (name.to_string(), tensor.dtype(), tensor.shape().to_vec(), data)
    });
    let rounded: Vec<_> = rounded.collect();
    let views = rounded.iter().map(|(name, dtype, shape, data)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).expect("a tensor of that size"))
    });
    let bytes = safetensors::serialize(views, None).expect("serialized");
    place.write("model/model.safetensors", bytes);
}

/// The approaches of an experiment, and the models that it saves.
fn results(place: &Place, approaches: &str, options: &[&str]) -> (Value, Vec<Vec<u8>>) {
    let options = [&OPTIONS[..], &["--model", "model", "--save-models", "--approaches", approaches], options].concat();
    let (results, _) = place.results(&options);
    let mut models: Vec<_> =
        fs::read_dir(place.path("out/models")).expect("models").map(|model| model.expect("one").path()).collect();
    models.sort();
    let weights = models.iter().map(|model| fs::read(model.join("model.safetensors")).expect("weights"));
    (timeless(results)["approaches"].take(), weights.collect())
}

#[test]
fn adapters_in_every_family_train_on_rounded_weights() {
    for family in families() {
        let place = place(family);
        let exact = results(&place, "lora,probe", &[]);
        let stored = results(&place, "lora,probe", &["--frozen-precision", "bf16"]);
        round(&place, "layer");
        let rounded = results(&place, "lora,probe", &[]);
        assert!(stored == rounded, "{family}");
        assert!(stored != exact, "{family}");
    }
}

#[test]
fn layers_that_an_approach_trains_stay_in_f32() {
    let place = place(Family::Bert);
    let stored = results(&place, "last-1,lora", &["--frozen-precision", "bf16"]);
    round(&place, "layer.0.");
    assert!(stored == results(&place, "last-1,lora", &[]));
    let command = |approaches: &str| {
        let mut command = place.command("experiment");
        command.args(&OPTIONS[..4]).args(["--model", "model", "--output", "other", "--frozen-precision", "bf16"]);
        let output = command.args(["--approaches", approaches]).output().expect("it ran");
        assert!(!output.status.success());
        text(&output.stderr)
    };
    for approaches in ["full,lora", "lora:pretrain=1", "last-2", "contrastive"] {
        let error = command(approaches);
        assert!(error.contains("--frozen-precision: every transformer layer is trained by an approach"), "{error}");
    }
    let error = command("tfidf,majority");
    assert!(error.contains("--frozen-precision: no approach has an encoder"), "{error}");
}
