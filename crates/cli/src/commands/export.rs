//! `rekindle export`.

use std::path::{Path, PathBuf};

use clap::Args;
use rekindle::checkpoint::ProblemType;
use rekindle::data::{Classes, Dataset, Rows};
use rekindle::infer::{LongTexts, Model, Prediction, Predictor};
use rekindle::onnx::Export;
use rekindle::report::thousands;

use crate::exit::Failure;
use crate::files;
use crate::options::model::{self, ModelChoice};
use crate::options::{DataFileArgs, EngineArgs};
use crate::terminal::{Display, Verbosity, print};

/// The options of `rekindle export`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct ExportArgs {
    /// Trained model: a folder, for example of `experiment --save-models`, or a hub id.
    #[arg(long, value_name = "FOLDER|HUB_ID", help_heading = "Model")]
    pub model: ModelChoice,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Model")]
    pub offline: bool,
    #[command(flatten)]
    pub engine: EngineArgs,

    /// ONNX file to write.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub onnx: PathBuf,
    /// Store the linear layers of the encoder in int8; activations are quantized at run time.
    #[arg(long, help_heading = "Output")]
    pub int8: bool,
    /// Replace the file if it exists already.
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,

    /// Labelled texts on which --int8 is compared with f32.
    #[arg(long, value_name = "FILE", requires = "int8", help_heading = "Data")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub data_file: DataFileArgs,
}

/// Runs the command.
///
/// # Errors
/// Returns an error if the model or the data cannot be read, or the file exists or cannot be written.
pub fn run(args: &ExportArgs) -> Result<(), Failure> {
    if let (None, Some(option)) = (&args.data, args.data_file.given()) {
        return Err(Failure::usage(format!("{option}: needs --data")));
    }
    files::check_new_file(&args.onnx, args.overwrite)?;
    // Before the model is loaded.
    if let Some(path) = &args.data {
        Rows::open(path, &args.data_file.read_options())?;
    }
    let mut display = Display::new(Verbosity::Quiet);
    let devices = args.engine.device()?;
    let found = model::find(&args.model, args.offline, &mut |download| display.download(&download))?;
    found.warnings().iter().for_each(|warning| display.warn(warning));
    let classifier = Predictor::new(&found.model, &devices.first)?;
    let data = args.data.as_deref().map(|path| read(path, args, &classifier)).transpose()?;
    let export = Export {
        config: classifier.config(),
        max_length: classifier.max_length(),
        token_type_ids: classifier.has_segments(),
        int8: args.int8,
    };
    let exported = match classifier.model() {
        Model::Sequence(model) => export.sequence_classifier(model)?,
        Model::Sentence(model) => export.sentence_classifier(model)?,
        _ => return Err(Failure::input(format!("{}: a kind of model that ONNX files cannot have", found.model.id))),
    };
    exported.save(&args.onnx)?;
    if matches!(classifier.long_texts(), LongTexts::Windows { .. }) {
        display.warn(
            "the model pools the outputs of the windows of a long text; the ONNX file computes those of one window",
        );
    }
    let precision = if args.int8 { "int8" } else { "f32" };
    print(&format!("{}: {:.1} MB, {precision}", args.onnx.display(), exported.size() as f64 / 1e6));
    match data {
        Some(data) => compare(&classifier, &data),
        None => Ok(()),
    }
}

/// Reads the labelled texts, whose labels are classes of the model.
fn read(path: &Path, args: &ExportArgs, classifier: &Predictor) -> Result<Dataset, Failure> {
    let config = classifier.config();
    if config.problem.problem_type.is_some_and(|kind| kind != ProblemType::SingleLabelClassification) {
        return Err(Failure::usage("--data: only models that predict one class per text can be compared"));
    }
    let labels = config.labels();
    let classes = Classes::from_labels(labels.iter().map(String::as_str));
    Ok(Dataset { classes, ..Dataset::default() }.read_like(path, &args.data_file.read_options())?)
}

/// Prints what int8 changes. Each text is computed alone, because the range of activations is that of a batch.
fn compare(classifier: &Predictor, data: &Dataset) -> Result<(), Failure> {
    let int8 = classifier.simulate_int8();
    let (mut correct, mut changed, mut largest) = ([0, 0], 0, 0f32);
    for (example, label) in data.examples.iter().zip(data.labels()) {
        let pair = [(example.text.as_str(), example.text_pair.as_deref())];
        let predict = |classifier: &Predictor| -> Result<Option<Prediction>, Failure> {
            Ok(classifier.classify_pairs(&pair, classifier.max_length(), 1)?.pop())
        };
        let (Some(before), Some(after)) = (predict(classifier)?, predict(&int8)?) else { continue };
        let label = &data.classes.names()[label];
        for (correct, prediction) in correct.iter_mut().zip([&before, &after]) {
            *correct += usize::from(prediction.label == *label);
        }
        changed += usize::from(before.label != after.label);
        let differences = before.logits.iter().zip(&after.logits).map(|(before, after)| (before - after).abs());
        largest = differences.fold(largest, f32::max);
    }
    let [before, after] = correct.map(|correct| 100.0 * correct as f64 / data.len() as f64);
    print(&format!(
        "accuracy on {} examples: {before:.2} % in f32, {after:.2} % in int8 ({:+.2} points); {} predictions differ; \
         largest difference of a logit {largest:.3}",
        thousands(data.len()),
        after - before,
        thousands(changed),
    ));
    Ok(())
}

const EXAMPLES: &str = "\
Examples:
  rekindle export --model ./model --onnx model.onnx
  rekindle export --model ./model --onnx model-int8.onnx --int8 --data reviews.csv

In Python: onnxruntime.InferenceSession('model.onnx').run(['logits'], {'input_ids': ids, 'attention_mask': mask})";
