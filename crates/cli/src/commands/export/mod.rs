//! `rekindle export`.

mod folder;
mod onnx;

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use rekindle::checkpoint::ProblemType;
use rekindle::data::{Classes, Dataset, Rows};
use rekindle::infer::{LinearPrecision, Prediction, Predictor};
use rekindle::report::thousands;

use crate::exit::Failure;
use crate::files;
use crate::options::model::{self, ModelChoice};
use crate::options::{DataFileArgs, EngineArgs};
use crate::terminal::text::other_case;
use crate::terminal::{Display, Verbosity, print};

/// The options of `rekindle export`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES, group = ArgGroup::new("target").required(true).args(["onnx", "output"]))]
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
    pub onnx: Option<PathBuf>,
    /// Model folder to write, which the other commands and transformers open.
    #[arg(long, short, value_name = "FOLDER", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Store the linear layers of the encoder in int8; activations are quantized at run time.
    #[arg(long, help_heading = "Output")]
    pub int8: bool,
    /// Replace the file, or the model in the folder, if it exists already.
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
/// Returns an error if the model or the data cannot be read, or the output exists or cannot be written.
pub fn run(args: &ExportArgs) -> Result<(), Failure> {
    if let (None, Some(option)) = (&args.data, args.data_file.given()) {
        return Err(Failure::usage(format!("{option}: needs --data")));
    }
    args.onnx.as_deref().map_or(Ok(()), |file| files::check_new_file(file, args.overwrite))?;
    args.output.as_deref().map_or(Ok(()), |output| folder::check(output, args))?;
    // Before the model is loaded.
    if let Some(path) = &args.data {
        Rows::open(path, &args.data_file.read_options())?;
    }
    let mut display = Display::new(Verbosity::Quiet);
    let devices = args.engine.device()?;
    let found = model::find(&args.model, args.offline, &mut |download| display.download(&download))?;
    found.warnings().iter().for_each(|warning| display.warn(warning));
    found.model.check_f32("an export")?;
    let classifier = || Ok::<_, Failure>(Predictor::new(&found.model, &devices.first)?);
    if let Some(file) = &args.onnx {
        let classifier = classifier()?;
        let data = data(args, &classifier)?;
        onnx::write(file, &classifier, args.int8, &display)?;
        // Each text is computed alone, because the range of activations is that of a batch.
        data.map_or(Ok(()), |data| compare(&classifier, &classifier.simulate_int8(), &data))?;
    }
    if let Some(folder) = &args.output {
        let precision = if args.int8 { LinearPrecision::Int8 } else { LinearPrecision::F32 };
        let exported = Predictor::new(&found.model.clone().with_precision(precision)?, &devices.first)?;
        let data = data(args, &exported)?;
        folder::write(folder, &exported, &found.model)?;
        data.map_or(Ok(()), |data| compare(&classifier()?, &exported, &data))?;
    }
    Ok(())
}

/// Reads the labelled texts of the options, whose labels are classes of the model.
fn data(args: &ExportArgs, classifier: &Predictor) -> Result<Option<Dataset>, Failure> {
    args.data.as_deref().map(|path| read(path, args, classifier)).transpose()
}

fn read(path: &Path, args: &ExportArgs, classifier: &Predictor) -> Result<Dataset, Failure> {
    let config = classifier.config();
    if config.problem.problem_type.is_some_and(|kind| kind != ProblemType::SingleLabelClassification) {
        return Err(Failure::usage("--data: only models that predict one class per text can be compared"));
    }
    let labels = config.labels();
    let classes = Classes::from_labels(labels.iter().map(String::as_str));
    Ok(Dataset { classes, ..Dataset::default() }.read_like_in_any_case(path, &args.data_file.read_options())?)
}

/// Prints what int8 changes, computing each text alone.
fn compare(classifier: &Predictor, int8: &Predictor, data: &Dataset) -> Result<(), Failure> {
    if let Some(matched) = other_case(data) {
        print(&format!("labels {matched}"));
    }
    let (mut correct, mut changed, mut largest) = ([0, 0], 0, 0f32);
    for (example, label) in data.examples.iter().zip(data.labels()) {
        let pair = [(example.text.as_str(), example.text_pair.as_deref())];
        let predict = |classifier: &Predictor| -> Result<Option<Prediction>, Failure> {
            Ok(classifier.classify_pairs(&pair, classifier.max_length(), 1)?.pop())
        };
        let (Some(before), Some(after)) = (predict(classifier)?, predict(int8)?) else { continue };
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
  rekindle export --model ./model --output ./model-int8 --int8

In Python: onnxruntime.InferenceSession('model.onnx').run(['logits'], {'input_ids': ids, 'attention_mask': mask})";
