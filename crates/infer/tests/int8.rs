//! Folders whose linear layers have weights in int8.
//!
//! The folders and the numbers are from `fixtures/int8/make.py`.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use rekindle_encoders::Family;
use rekindle_infer::{ErrorKind, FillMask, InferError, LinearPrecision, Predictor, PretrainedModel, logits};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::random;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

#[derive(Deserialize)]
struct Golden {
    input_ids: Vec<Vec<u32>>,
    logits: Vec<Vec<f32>>,
    float: Vec<Vec<f32>>,
}

/// A copy of a folder of the fixtures, with a tokenizer.
fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (from, to) in [
        (format!("int8/{name}/config.json"), "config.json"),
        (format!("int8/{name}/model.safetensors"), "model.safetensors"),
        ("tokenizer/tokenizer.json".into(), "tokenizer.json"),
    ] {
        fs::copy(Path::new(FIXTURES).join(from), folder.path().join(to)).expect("a fixture");
    }
    folder
}

/// Opens a folder and loads its weights.
fn classifier(folder: &Path) -> Result<Predictor, InferError> {
    Predictor::new(&PretrainedModel::from_folder(folder)?, &Device::flex())
}

fn largest(ours: &[f32], theirs: &[Vec<f32>]) -> f32 {
    ours.iter().zip(theirs.iter().flatten()).fold(0.0, |most, (ours, theirs)| most.max((ours - theirs).abs()))
}

#[test]
fn folders_of_compressed_tensors_give_the_logits_of_transformers() {
    let golden = fs::read(Path::new(FIXTURES).join("int8/golden.json")).expect("a fixture");
    let golden: BTreeMap<String, Golden> = serde_json::from_slice(&golden).expect("JSON");
    let device = Device::flex();
    for (name, Golden { input_ids, logits: theirs, float }) in golden {
        let folder = copy(&name);
        let model = PretrainedModel::from_folder(folder.path()).expect("a model");
        assert_eq!(model.precision(), LinearPrecision::Int8);
        let (config, classifier, report) = model.load(&model.config.labels(), 0, &device).expect("loaded");
        assert!(report.missing.is_empty() && report.unexpected.is_empty(), "{report:?}");
        let ours = logits(&classifier, &config, &input_ids, 1, &device, &mut |_| ControlFlow::Continue(()));
        let difference = largest(&ours.expect("logits"), &theirs);
        // The inputs of one folder are rounded as here, those of the other are not.
        let rounding = largest(&theirs.concat(), &float);
        let bound = if name == "distilbert" { 1e-5 } else { rounding / 2.0 };
        assert!(difference < bound && rounding > 0.01, "{name}: {difference}, {rounding}");
    }
}

#[test]
fn a_saved_folder_gives_the_same_predictions_in_every_family() {
    let texts = ["a fine film", "", "not bad at all, and then some more words about nothing"];
    for family in Family::ALL {
        let place = tempfile::tempdir().expect("a folder");
        let [source, saved, again] = ["f32", "int8", "again"].map(|name| place.path().join(name));
        fs::create_dir(&source).expect("a folder");
        let wanted = random(family, &source).with_precision(LinearPrecision::Int8).expect("int8");
        let wanted = wanted.predict(&texts).expect("predictions");

        let model = PretrainedModel::from_folder(&source).expect("a model");
        assert_eq!(model.precision(), LinearPrecision::F32);
        let model = model.with_precision(LinearPrecision::Int8).expect("int8");
        let loaded = Predictor::new(&model, &Device::flex()).expect("a classifier");
        assert_eq!(loaded.predict(&texts).expect("predictions"), wanted, "{family}: quantized while it is loaded");

        let files = loaded.save(&saved, "# A card\n").expect("saved");
        assert!(files.iter().all(|file| saved.join(file).is_file()), "{files:?}");
        let size = |folder: &Path| fs::metadata(folder.join("model.safetensors")).expect("a file").len();
        assert!(size(&saved) < size(&source), "{family}");
        let opened = classifier(&saved).expect("a classifier");
        assert_eq!((opened.precision(), opened.num_params()), (LinearPrecision::Int8, loaded.num_params()));
        assert_eq!(opened.predict(&texts).expect("predictions"), wanted, "{family}: from int8");
        opened.in_memory().expect("copied").save(&again, "# A card\n").expect("saved");
        for file in files {
            let [first, second] = [&saved, &again].map(|folder| fs::read(folder.join(&file)).expect("a file"));
            assert!(first == second, "{family}: {file} is the same");
        }
    }
}

#[test]
fn what_needs_f32_is_refused() {
    let folder = copy("distilbert");
    let model = PretrainedModel::from_folder(folder.path()).expect("a model");
    let in_f32 = model.clone().with_precision(LinearPrecision::F32).map(drop);
    let filled = FillMask::new(&model, &Device::flex()).map(drop);
    let adapted = model.clone().with_adapter(&Path::new(FIXTURES).join("peft/distilbert")).map(drop);
    for (refused, work) in [(in_f32, "prediction in f32"), (filled, "filling masks"), (adapted, "merging an adapter")] {
        let error = refused.expect_err(work);
        assert!(matches!(error, InferError::Int8 { .. }) && error.kind() == ErrorKind::Input);
        assert!(
            error.to_string().contains(&format!("its weights are in int8, and {work} needs them in f32")),
            "{error}"
        );
    }
    let error =
        classifier(folder.path()).expect("a classifier").explain("good", None, 4, 8).expect_err("no derivative");
    assert!(error.to_string().contains("int8"), "{error}");
}

/// What damages a file.
type Change<'a, T> = &'a dyn Fn(&mut T);

/// The tensors of a file, by their names.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// Changes a folder, and returns why it cannot be loaded.
fn refused(name: &str, config: impl Fn(&mut Value), tensors: impl Fn(&mut Tensors)) -> String {
    let folder = copy(name);
    let [config_path, weights] = ["config.json", "model.safetensors"].map(|name| folder.path().join(name));
    let mut fields: Value = serde_json::from_slice(&fs::read(&config_path).expect("a file")).expect("JSON");
    config(&mut fields);
    fs::write(config_path, fields.to_string()).expect("written");
    let bytes = fs::read(&weights).expect("a file");
    let read = SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut changed: Tensors = read
        .iter()
        .map(|(name, tensor)| (name.into(), (tensor.dtype(), tensor.shape().into(), tensor.data().into())))
        .collect();
    tensors(&mut changed);
    let view = |(dtype, shape, data)| TensorView::new(dtype, shape, data).expect("a tensor");
    let views = changed.iter().map(|(name, (dtype, shape, data))| (name, view((*dtype, shape.clone(), data))));
    fs::write(&weights, safetensors::serialize(views, None).expect("bytes")).expect("written");
    classifier(folder.path()).map(drop).expect_err("refused").to_string()
}

#[test]
fn damaged_weights_are_named() {
    const WEIGHT: &str = "distilbert.transformer.layer.1.ffn.lin1.weight";
    const SCALE: &str = "distilbert.transformer.layer.1.ffn.lin1.weight_scale";
    const POINT: &str = "distilbert.transformer.layer.1.ffn.lin1.weight_zero_point";
    fn scales(tensors: &mut Tensors) -> &mut (Dtype, Vec<usize>, Vec<u8>) {
        tensors.get_mut(SCALE).expect("scales")
    }
    let number =
        |value: f32| move |tensors: &mut Tensors| scales(tensors).2[20..24].copy_from_slice(&value.to_le_bytes());
    let cases: [(Change<'_, Tensors>, &str); 11] = [
        (
            &|tensors| drop(tensors.remove(SCALE)),
            "stored as I8, but `distilbert.transformer.layer.1.ffn.lin1.weight_scale` is missing",
        ),
        (&|tensors| drop(tensors.remove(WEIGHT)), "1 tensors of the encoder are missing"),
        (&|tensors| scales(tensors).1 = vec![1, 64], "shape [1, 64], expected [64, 1]: a scale per row"),
        (&|tensors| *scales(tensors) = (Dtype::F32, vec![1], vec![0; 4]), "shape [1], expected [64, 1]"),
        (&|tensors| scales(tensors).0 = Dtype::I32, "is stored as I32"),
        (&number(0.0), "the scale of row 5 is 0, expected a positive number"),
        (&number(-1.0), "the scale of row 5 is -1, expected a positive number"),
        (&number(f32::NAN), "contains a value that is not finite"),
        (
            &|tensors| tensors.get_mut(WEIGHT).expect("a weight").1 = vec![32, 64],
            "has shape [32, 64], the configuration asks for [64, 32]",
        ),
        (
            &|tensors| tensors.get_mut(WEIGHT).expect("a weight").1 = vec![2048],
            "has shape [2048], the configuration asks for [64, 32]",
        ),
        (
            &|tensors| drop(tensors.insert(POINT.into(), (Dtype::I8, vec![64, 1], vec![3; 64]))),
            "quantized asymmetrically",
        ),
    ];
    for (change, named) in cases {
        let error = refused("distilbert", |_| {}, change);
        assert!(error.contains(named) && error.contains("model.safetensors: "), "{named}: {error}");
        assert!(error.contains(WEIGHT), "{error}");
    }
    // Of a layer outside the encoder.
    let error = refused("bert", |_| {}, |tensors| drop(tensors.remove("classifier.weight_scale")));
    assert!(error.contains("`classifier.weight`: stored as I8, but `classifier.weight_scale` is missing"), "{error}");
}

#[test]
fn configurations_of_other_quantizations_are_named() {
    let quantization = |config: &mut Value| config["quantization_config"].take();
    let cases: [(Change<'_, Value>, &str); 4] = [
        (
            &|config| config["quantization_config"]["quant_method"] = "gptq".into(),
            "quant_method \"gptq\" is not supported",
        ),
        (
            &|config| config["quantization_config"] = json!({ "quant_method": "bitsandbytes", "load_in_8bit": true }),
            "quant_method \"bitsandbytes\" is not supported",
        ),
        (&|config| drop(quantization(config)), "is stored as I8, but config.json has no `quantization_config`"),
        (&|config| config["quantization_config"]["format"] = "float-quantized".into(), "int-quantized is"),
    ];
    for name in ["distilbert", "bert"] {
        for (change, named) in &cases {
            let error = refused(name, change, |_| {});
            assert!(error.contains(named), "{error}");
        }
    }
    let floats = |tensors: &mut Tensors| tensors.retain(|_, (dtype, ..)| *dtype != Dtype::I8);
    let error = refused("distilbert", |_| {}, floats);
    assert!(error.contains("has `quantization_config`, but no tensor of the weights is stored as I8"), "{error}");
}
