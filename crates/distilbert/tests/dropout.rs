//! Dropout: where it is active, at which rate and scale, and that evaluation has none.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use rekindle_distilbert::{
    Checkpoint, DistilBertConfig, DistilBertForSequenceClassification, Mode, SequenceBatch, TokenSelection,
    TransformerEncoder,
};
use serde::Deserialize;

const BASE: &str = "../../fixtures/distilbert/base";
const RATE: f64 = 0.3;
const SENTENCES: usize = 400;

/// The base checkpoint with these dropout rates for embeddings and feed-forward, attention, and head.
fn model(
    dropout: f64,
    attention: f64,
    head: f64,
    device: &Device,
) -> (DistilBertConfig, DistilBertForSequenceClassification) {
    let mut config = DistilBertConfig::from_folder(Path::new(BASE)).unwrap();
    (config.dropout, config.attention_dropout, config.seq_classif_dropout) = (dropout, attention, head);
    let (model, _) = DistilBertForSequenceClassification::from_checkpoint(
        &config,
        &Checkpoint::open(Path::new(BASE)).unwrap(),
        0,
        device,
    )
    .unwrap();
    (config, model)
}

fn batch(row: &[u32], times: usize, config: &DistilBertConfig, device: &Device) -> SequenceBatch {
    let cu_seqlens: Vec<usize> = (0..=times).map(|index| index * row.len()).collect();
    SequenceBatch::new(&row.repeat(times), &vec![1; row.len() * times], &cu_seqlens, config, device).unwrap()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap()
}

/// Each element is either dropped or scaled, and the share of dropped elements is the rate within five standard deviations.
fn is_dropped(train: Tensor<2>, eval: Tensor<2>) {
    let (train, eval) = (values(train), values(eval));
    let (mut dropped, mut count) = (0, 0);
    for (train, eval) in train.into_iter().zip(eval).filter(|(_, eval)| *eval != 0.0) {
        count += 1;
        if train == 0.0 {
            dropped += 1;
        } else {
            let scaled = f64::from(eval) / (1.0 - RATE);
            assert!((f64::from(train) - scaled).abs() <= 1e-6 * scaled.abs(), "{train} is not {scaled}");
        }
    }
    let share = f64::from(dropped) / f64::from(count);
    let deviation = (RATE * (1.0 - RATE) / f64::from(count)).sqrt();
    assert!((share - RATE).abs() < 5.0 * deviation, "{share} of {count} were dropped");
}

fn eye(size: usize, device: &Device) -> Param<Tensor<2>> {
    Param::from_tensor(Tensor::eye(size, device))
}

#[test]
fn each_place_drops_at_its_rate_and_no_other_place_drops() {
    let device = Device::flex();
    let row = [101, 7, 8, 9, 102];

    let (config, model_) = model(RATE, 0.0, 0.0, &device);
    let input = batch(&row, SENTENCES, &config, &device);
    let base = &model_.distilbert;
    let hidden = base.embeddings.forward(&input, Mode::Eval);
    is_dropped(base.embeddings.forward(&input, Mode::Train { seed: 1 }), hidden.clone());
    let layer = &base.transformer.layer[0];
    is_dropped(
        layer.ffn.forward(hidden.clone(), Mode::Train { seed: 1 }),
        layer.ffn.forward(hidden.clone(), Mode::Eval),
    );
    let attend = |mode| values(layer.attention.forward(hidden.clone(), &input, TokenSelection::All, mode));
    assert_eq!(attend(Mode::Train { seed: 1 }), attend(Mode::Eval), "nothing is dropped after out_lin");

    // A sequence of one token attends to itself only: its probability, 1 per head, is dropped or scaled.
    let (config, mut attentive) = model(0.0, RATE, 0.0, &device);
    let single = batch(&[101], SENTENCES * 10, &config, &device);
    let attention = &mut attentive.distilbert.transformer.layer[0].attention;
    attention.out_lin.weight = eye(config.dim, &device);
    attention.out_lin.bias = Some(Param::from_tensor(Tensor::zeros([config.dim], &device)));
    let first = Tensor::<2>::ones([SENTENCES * 10, config.dim], &device);
    let attend = |mode| {
        let width = config.dim / config.n_heads;
        // One element per head: all elements of a head are dropped or scaled together.
        let context = attention.forward(first.clone(), &single, TokenSelection::All, mode);
        context.reshape([-1, width as i32]).narrow(1, 0, 1)
    };
    is_dropped(attend(Mode::Train { seed: 1 }), attend(Mode::Eval));

    let (config, mut head) = model(0.0, 0.0, RATE, &device);
    head.pre_classifier.weight = eye(config.dim, &device);
    head.pre_classifier.bias = Some(Param::from_tensor(Tensor::zeros([config.dim], &device)));
    head.classifier.weight = eye(config.dim, &device);
    head.classifier.bias = Some(Param::from_tensor(Tensor::zeros([config.dim], &device)));
    let pooled = Tensor::<2>::ones([SENTENCES, config.dim], &device);
    is_dropped(head.classify(pooled.clone(), Mode::Train { seed: 1 }), head.classify(pooled, Mode::Eval));
}

#[test]
fn frozen_layers_can_be_deterministic() {
    let device = Device::flex();
    let (config, model) = model(RATE, RATE, RATE, &device);
    let input = batch(&[101, 7, 8, 9, 102], 8, &config, &device);
    let base = |tracked: &dyn Fn(&str) -> bool, mode| {
        values(model.trainable(tracked).distilbert.forward(&input, TokenSelection::All, mode))
    };
    let eval = base(&|_| false, Mode::Eval);
    let top = Mode::TrainTop { seed: 1 };
    assert_eq!(base(&|_| false, top), eval, "a frozen encoder drops nothing");
    assert_ne!(base(&|_| false, Mode::Train { seed: 1 }), eval);
    assert_ne!(base(&|name| name.contains("layer.2."), top), eval, "a trained layer drops");
    assert_eq!(base(&|_| true, top), base(&|_| true, Mode::Train { seed: 1 }), "nothing is frozen");
    let logits = |mode| values(model.forward(&input, mode));
    assert_ne!(logits(top), logits(Mode::Eval), "the head drops");
}

#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
    draws: usize,
    dropout: f64,
    attention_dropout: f64,
    seq_classif_dropout: f64,
    mean: Vec<f64>,
    std: Vec<f64>,
}

#[test]
fn logits_spread_as_in_the_reference() {
    let device = Device::flex();
    let json = std::fs::read(Path::new(BASE).join("../dropout_golden.json")).unwrap();
    let golden: Golden = serde_json::from_slice(&json).unwrap();
    let (config, model) = model(golden.dropout, golden.attention_dropout, golden.seq_classif_dropout, &device);
    let draws = 20_000;
    let logits = values(model.forward(&batch(&golden.ids, draws, &config, &device), Mode::Train { seed: 1 }));
    // Both sides are samples: the bound is five standard deviations of their difference.
    let weight = (1.0 / draws as f64 + 1.0 / golden.draws as f64).sqrt();
    for class in 0..2 {
        let sample: Vec<f64> = logits.iter().skip(class).step_by(2).map(|&logit| logit.into()).collect();
        let mean = sample.iter().sum::<f64>() / draws as f64;
        let std = (sample.iter().map(|logit| (logit - mean).powi(2)).sum::<f64>() / (draws - 1) as f64).sqrt();
        let (expected_mean, expected_std) = (golden.mean[class], golden.std[class]);
        assert!((mean - expected_mean).abs() < 5.0 * weight * expected_std, "mean {mean}, there {expected_mean}");
        // For a normal distribution, the deviation of a sample's deviation is that of its mean over √2; these tails are no heavier.
        assert!((std - expected_std).abs() < 5.0 * weight * expected_std, "deviation {std}, there {expected_std}");
    }
}
