//! Training steps and evaluation at base size, on packed texts with the lengths of SST-2.
#![allow(missing_docs, clippy::expect_used)]

use std::ops::ControlFlow;
use std::time::Duration;

use burn::tensor::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use rekindle_encoders::{Checkpoint, EncoderConfig, LoraConfig, SequenceClassifier};
use rekindle_infer::logits;
use rekindle_train::{Classification, EncodedDataset, Trainer, TrainingArguments, TuningPlan};

/// Lengths of eight sentences of SST-2, 184 tokens in all.
const LENGTHS: [usize; 8] = [9, 31, 14, 24, 40, 11, 27, 28];

fn steps(criterion: &mut Criterion) {
    let device = Device::default();
    let config = EncoderConfig::default();
    let (model, _) = SequenceClassifier::from_checkpoint(&config, &Checkpoint::empty(), 0, &device).expect("a model");
    let sentences: Vec<Vec<u32>> = LENGTHS.iter().map(|&length| (1000..1000 + length as u32).collect()).collect();
    let data = EncodedDataset::new(sentences.clone(), vec![0, 1, 0, 1, 0, 1, 0, 1], 2).expect("data");
    let mut group = criterion.benchmark_group("8 sentences, 184 tokens");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for (name, plan) in [
        ("step and evaluation, head", TuningPlan::head()),
        ("step and evaluation, last layer", TuningPlan::last_layers(1, &config).expect("a layer")),
        ("step and evaluation, all", TuningPlan::full(&config)),
        ("step and evaluation, LoRA", TuningPlan::lora(LoraConfig::default())),
    ] {
        let model = plan.prepare(&model, 42).expect("a plan");
        let arguments = TrainingArguments::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let objective = Classification::new(&config, &data).evaluated_on(&data);
                let trainer = Trainer::new(objective, &plan, &arguments, &device);
                trainer.run(model.clone(), &mut |_| ControlFlow::Continue(())).expect(name)
            });
        });
    }
    group.bench_function("evaluation", |bencher| {
        bencher.iter(|| {
            logits(&model, &config, &sentences, 8, &device, &mut |_| ControlFlow::Continue(())).expect("logits")
        });
    });
}

criterion_group!(benches, steps);
criterion_main!(benches);
