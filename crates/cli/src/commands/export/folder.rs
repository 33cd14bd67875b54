//! A classifier as a model folder.

use std::path::Path;

use rekindle::infer::{BaseModel, LinearPrecision, Model, ModelCard, Predictor, PretrainedModel, SAVED_FILES};

use super::ExportArgs;
use crate::exit::Failure;
use crate::files;
use crate::options::model::ModelChoice;
use crate::options::precision;
use crate::terminal::print;

/// The files that say what kind of model a folder has.
const KINDS: [&str; 2] = ["modules.json", "adapter_config.json"];

/// Checks that the folder can be written.
pub(super) fn check(folder: &Path, args: &ExportArgs) -> Result<(), Failure> {
    if args.int8 {
        precision::check(LinearPrecision::Int8, args.engine.backend)?;
    }
    files::check_new(folder, &[&SAVED_FILES[..], &KINDS].concat(), args.overwrite)?;
    let same = |model: &Path| Some(model.canonicalize().ok()? == folder.canonicalize().ok()?);
    match &args.model {
        ModelChoice::Folder(model) if same(model) == Some(true) => {
            Err(Failure::usage(format!("--output {}: is the model itself; name another folder", folder.display())))
        }
        _ => Ok(()),
    }
}

/// Writes the folder, and prints the size of the weights.
pub(super) fn write(folder: &Path, classifier: &Predictor, source: &PretrainedModel) -> Result<(), Failure> {
    let is_sentence = matches!(classifier.model(), Model::Sentence(_));
    if let Some(kind) =
        KINDS.iter().find(|kind| folder.join(kind).exists() && !(is_sentence && **kind == "modules.json"))
    {
        let reason = "belongs to another kind of model, as which the folder would be opened; name another folder";
        return Err(Failure::output(format!("{}: {kind} {reason}", folder.display())));
    }
    files::prepare(folder)?;
    let _lock = files::lock(folder)?;
    let names = classifier.save(folder, &card(folder, classifier, source)).map_err(Failure::output)?;
    let weights = names.iter().filter(|name| name.ends_with(".safetensors"));
    let size: u64 = weights.filter_map(|name| folder.join(name).metadata().ok()).map(|file| file.len()).sum();
    print(&format!("{}: {:.1} MB, {}", folder.display(), size as f64 / 1e6, classifier.precision()));
    Ok(())
}

/// The model card of the source, or a new one; with a section about int8.
fn card(folder: &Path, classifier: &Predictor, source: &PretrainedModel) -> String {
    let mut card = source.readme().unwrap_or_else(|| {
        let card = ModelCard {
            title: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            library_name: match classifier.model() {
                Model::Sentence(_) => "sentence-transformers",
                _ => "transformers",
            },
            pipeline_tag: "text-classification",
            base: Some(BaseModel::from(source)),
            sections: Vec::new(),
        };
        card.to_string()
    });
    if classifier.precision() == LinearPrecision::Int8 {
        card = format!("{}\n\n## Precision\n\n{INT8}\n", card.trim_end());
    }
    card
}

const INT8: &str = "The linear layers of the encoder have weights in int8, with a scale per output, and quantize their inputs per token \
                    (`quantization_config` in `config.json`). Scores on this card are those of the model in f32, from which Rekindle \
                    computed these weights. transformers opens the folder if the package `compressed-tensors` is installed.";
