//! Saving the trained models of an experiment.

use std::path::Path;

use rekindle_encoders::Pooling;
use rekindle_infer::{BaseModel, ModelCard, PretrainedModel, SAVED_FILES, SavedModel};
use rekindle_results::{ApproachRecord, Estimate, Results};

use crate::error::ExperimentError;
use crate::outcome::Outcome;
use crate::trained_model::TrainedModel;

impl Outcome {
    /// Saves each model that is kept to a folder in `folder`, named as its approach, as a checkpoint that transformers
    /// or, for a linear head on embeddings, sentence-transformers opens, with a model card. Returns the names of the files, relative to `folder`.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn save_models(&self, folder: &Path, pretrained: &PretrainedModel) -> Result<Vec<String>, ExperimentError> {
        let mut names = Vec::new();
        for (approach, model) in &self.models {
            let (TrainedModel::SequenceClassifier(config, _) | TrainedModel::SentenceClassifier(config, _)) = model;
            let Some(record) = self.results.approaches.iter().find(|record| record.approach == *approach) else {
                continue;
            };
            let card = card(&self.results, record, model, pretrained);
            let max_length = self.results.arguments.max_length;
            let arguments = &self.results.arguments;
            let long_texts = arguments.long_texts.as_ref().and_then(|text| text.parse().ok()).unwrap_or_default();
            let saved = SavedModel { tokenizer: &pretrained.tokenizer, max_length, long_texts, card: &card };
            let files = match model {
                TrainedModel::SequenceClassifier(_, model) => {
                    saved.save_classifier(&folder.join(approach), config, model)?;
                    SAVED_FILES.map(String::from).to_vec()
                }
                TrainedModel::SentenceClassifier(_, model) => {
                    saved.save_sentence_classifier(&folder.join(approach), config, model)?
                }
            };
            names.extend(files.into_iter().map(|name| format!("{approach}/{name}")));
        }
        Ok(names)
    }
}

/// The model card of an approach.
fn card(results: &Results, record: &ApproachRecord, model: &TrainedModel, pretrained: &PretrainedModel) -> ModelCard {
    ModelCard {
        title: record.approach.clone(),
        library_name: match model {
            TrainedModel::SequenceClassifier(..) => "transformers",
            TrainedModel::SentenceClassifier(..) => "sentence-transformers",
        },
        pipeline_tag: "text-classification",
        base: Some(BaseModel::from(pretrained)),
        sections: vec![
            ("Results", scores(results, record)),
            ("Training", training(results, record)),
            ("Usage", usage(results, model)),
        ],
    }
}

fn scores(results: &Results, record: &ApproachRecord) -> String {
    let mut text = match results.design.folds {
        Some(folds) => format!(
            "Means over {folds} folds and {} repeats. This model was trained on all examples afterwards.\n\n",
            results.design.repeats
        ),
        None => format!("On {} test examples, after training on {}.\n\n", results.data.test, results.data.train),
    };
    text.push_str("| metric | value | 95 % confidence interval |\n|---|---|---|\n");
    let scores = &record.scores;
    let ranking = results.design.metric.as_str();
    let mut metrics = results.metrics();
    metrics.sort_by_key(|metric| metric.name != ranking || ["accuracy", "f1", "loss"].contains(&ranking));
    for metric in metrics {
        let Some(Estimate { mean, interval, .. }) = scores.get(&metric.name) else { continue };
        let name = match results.data.classes.as_slice() {
            [_, positive] if metric.name == "f1" => format!("F1 of `{positive}`"),
            _ => metric.label,
        };
        let interval = interval.map_or("unknown".into(), |(low, high)| format!("{low:.4} to {high:.4}"));
        text.push_str(&format!("| {name} | {mean:.4} | {interval} |\n"));
    }
    text
}

fn training(results: &Results, record: &ApproachRecord) -> String {
    let (data, arguments) = (&results.data, &results.arguments);
    let files = if data.files.is_empty() { "twelve example sentences".into() } else { data.files.join(", ") };
    let rows = [
        ("approach", format!("`{}`", record.spec)),
        ("data", files),
        ("classes", data.classes.join(", ")),
        ("maximum length", format!("{} tokens", arguments.max_length)),
        ("long texts", arguments.long_texts.clone().unwrap_or("truncated".into())),
        ("epochs, batch size", format!("{}, {}", arguments.epochs, arguments.batch_size)),
        ("learning rate, weight decay", format!("{}, {}", record.learning_rate, record.weight_decay)),
        ("trainable parameters", format!("{} of {}", record.trainable, record.total)),
        ("seed", results.seed.to_string()),
    ];
    let cell = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
    let rows: String = rows.iter().map(|(name, value)| format!("| {name} | {} |\n", cell(value))).collect();
    format!("|  |  |\n|---|---|\n{rows}")
}

fn usage(results: &Results, model: &TrainedModel) -> String {
    let has_pairs = results.predictions.examples.iter().any(|example| example.text_pair.is_some());
    let [command, sentence_python, python] = if has_pairs { USAGE_OF_PAIRS } else { USAGE };
    let mut text = command.to_string();
    text.push_str(match model {
        TrainedModel::SentenceClassifier(..) => sentence_python,
        TrainedModel::SequenceClassifier(config, _) if config.classifier_pooling == Pooling::Cls || config.family.has_pooling() => {
            python
        }
        TrainedModel::SequenceClassifier(..) => "transformers opens the folder, but its classifier reads the first token instead of the mean over all tokens, which this\n\
              model was trained with (`classifier_pooling`): its predictions differ.\n\n",
    });
    let length = results.arguments.max_length;
    text.push_str(&match &results.arguments.long_texts {
        None => format!("Texts are truncated to {length} tokens, as in training (`model_max_length`)."),
        Some(long_texts) => format!(
            "Rekindle reads texts of more than {length} tokens as in training: `{long_texts}` (`long_texts` in \
             `tokenizer_config.json`). Other programs truncate them (`model_max_length`), so that their predictions differ."
        ),
    });
    text
}

/// The command line, sentence-transformers, and transformers.
const USAGE: [&str; 3] = [
    "```sh\nrekindle predict --model FOLDER 'a text'\n```\n\n",
    r#"```python
from sentence_transformers import SentenceTransformer

logits = SentenceTransformer("FOLDER").encode(["a text"])
```

"#,
    r#"```python
from transformers import pipeline

classifier = pipeline("text-classification", model="FOLDER")
classifier("a text", truncation=True)
```

"#,
];

/// The same for text pairs.
const USAGE_OF_PAIRS: [&str; 3] = [
    "```sh\nprintf 'a text\\tanother text\\n' | rekindle predict --model FOLDER --pairs\n```\n\n",
    r#"```python
from sentence_transformers import SentenceTransformer

logits = SentenceTransformer("FOLDER").encode([["a text", "another text"]])
```

"#,
    r#"```python
from transformers import pipeline

classifier = pipeline("text-classification", model="FOLDER")
classifier({"text": "a text", "text_pair": "another text"}, truncation=True)
```

"#,
];
