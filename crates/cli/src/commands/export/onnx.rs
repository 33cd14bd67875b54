//! A classifier as an ONNX file.

use std::path::Path;

use rekindle::infer::{LongTexts, Model, Predictor};
use rekindle::onnx::Export;

use crate::exit::Failure;
use crate::terminal::{Display, print};

/// Writes the file, and prints its size.
pub(super) fn write(file: &Path, classifier: &Predictor, int8: bool, display: &Display) -> Result<(), Failure> {
    let export = Export {
        config: classifier.config(),
        max_length: classifier.max_length(),
        token_type_ids: classifier.has_segments(),
        int8,
    };
    let exported = match classifier.model() {
        Model::Sequence(model) => export.sequence_classifier(model)?,
        Model::Sentence(model) => export.sentence_classifier(model)?,
        _ => return Err(Failure::input("a kind of model that ONNX files cannot have")),
    };
    exported.save(file)?;
    if matches!(classifier.long_texts(), LongTexts::Windows { .. }) {
        display.warn(
            "the model pools the outputs of the windows of a long text; the ONNX file computes those of one window",
        );
    }
    let precision = if int8 { "int8" } else { "f32" };
    print(&format!("{}: {:.1} MB, {precision}", file.display(), exported.size() as f64 / 1e6));
    Ok(())
}
