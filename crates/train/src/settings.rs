//! What must be equal when a training resumes.

use rekindle_files::differences;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::arguments::TrainingArguments;

/// The key of the fingerprint of the data.
pub(crate) const DATA: &str = "data";

/// Returns the fields of `settings`, by name.
pub(crate) fn fields(settings: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// Describes the settings that differ from those that a checkpoint was written with.
pub(crate) fn difference(theirs: &Map<String, Value>, ours: &Map<String, Value>) -> Option<String> {
    let (theirs, ours) = (by_option(theirs.clone()), by_option(ours.clone()));
    let different = differences(&theirs, &ours);
    (!different.is_empty()).then(|| format!("was written with other settings: {}", different.join("; ")))
}

impl TrainingArguments {
    /// Returns the arguments under the names of the options of the command line that they come from, for messages.
    pub fn by_option(&self) -> Map<String, Value> {
        by_option(fields(self))
    }
}

/// Renames settings to the options of the command line that they come from.
fn by_option(settings: Map<String, Value>) -> Map<String, Value> {
    let renamed = |name: String| match name.as_str() {
        DATA => "the data (examples, labels, vocabulary or --max-length)".into(),
        "num_train_epochs" => "--epochs".into(),
        "max_steps" => "--steps".into(),
        "per_device_train_batch_size" => "--batch-size".into(),
        "learning_rate"
        | "lr_scheduler_type"
        | "warmup_steps"
        | "weight_decay"
        | "gradient_accumulation_steps"
        | "class_weights"
        | "metric_for_best_model"
        | "early_stopping_patience"
        | "seed"
        | "shuffle"
        | "frozen_dropout"
        | "mlm_probability" => format!("--{}", name.replace('_', "-")),
        _ => name,
    };
    // An object is compared, but not shown.
    let hidden = |name: &str, value: Value| if name == DATA { Value::from_iter([(name, value)]) } else { value };
    let shown = |(name, value): (String, Value)| (renamed(name.clone()), hidden(&name, value));
    settings.into_iter().map(shown).collect()
}

/// Returns the number of sequences, and the 64-bit FNV-1a hash of their ids.
pub(crate) fn fingerprint<'a>(rows: impl ExactSizeIterator<Item = &'a [u32]>) -> String {
    let (count, step) = (rows.len(), |hash: u64, id: &u32| (hash ^ u64::from(*id)).wrapping_mul(0x100_0000_01b3));
    let hash = rows.fold(0xcbf2_9ce4_8422_2325, |hash, row| row.iter().fold(hash, step));
    format!("{count} {hash:016x}")
}
