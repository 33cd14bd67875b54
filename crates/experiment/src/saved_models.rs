//! Saving the trained models of an experiment.

use std::path::Path;

use burn::tensor::Device;
use rekindle_encoders::Pooling;
use rekindle_infer::{
    BaseModel, LongTexts, Model, ModelCard, ModelSource, Predictor, PretrainedModel, SAVED_FILES, SavedModel,
};
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
            let files = self.save(approach, model, &folder.join(approach), pretrained)?;
            names.extend(files.into_iter().map(|name| format!("{approach}/{name}")));
        }
        Ok(names)
    }

    /// Saves the model of one approach to a folder, as [`save_models`](Self::save_models). Low-rank adapters are merged into the
    /// weights. `approach` is its name in results, or as it was given.
    ///
    /// # Errors
    /// Returns an error if no model of this approach is kept, or if a file cannot be written.
    pub fn save_pretrained(
        &self,
        approach: &str,
        folder: &Path,
        pretrained: &PretrainedModel,
    ) -> Result<(), ExperimentError> {
        let (name, model) = self.model(approach)?;
        self.save(name, model, folder, pretrained).map(drop)
    }

    /// Saves the low-rank adapters and the head of one approach to a folder, in peft's format, with configuration, tokenizer and
    /// model card. The base model is not in the folder: it is named there, as `pretrained` is named. peft and
    /// [`PretrainedModel::from_folder`] open the folder.
    ///
    /// # Errors
    /// Returns an error if no model of this approach is kept, if it has no adapters, if the base model is part of the program,
    /// or if a file cannot be written.
    pub fn save_adapter(
        &self,
        approach: &str,
        folder: &Path,
        pretrained: &PretrainedModel,
    ) -> Result<(), ExperimentError> {
        let (name, model) = self.model(approach)?;
        let refuse = |reason: &str| ExperimentError::NoModel { approach: approach.into(), reason: reason.into() };
        let adapter = model.adapter.as_ref().ok_or_else(|| refuse("it has no low-rank adapters"))?;
        if pretrained.source == ModelSource::Embedded {
            return Err(refuse("its base model is part of the program, and other programs cannot open that"));
        }
        let mut card = card(&self.results, self.record(name)?, model, pretrained);
        card.library_name = "peft";
        for (_, text) in card.sections.iter_mut().filter(|(heading, _)| *heading == USAGE_HEADING) {
            *text = usage_of_adapter(&pretrained.id, model.config.num_labels());
        }
        self.saved(pretrained, &card.to_string()).save_adapter(folder, &model.config, adapter, &pretrained.id)?;
        Ok(())
    }

    /// Returns a predictor with the model of one approach, without going through files. It shares the weights.
    ///
    /// # Errors
    /// Returns an error if no model of this approach is kept.
    pub fn predictor(
        &self,
        approach: &str,
        pretrained: &PretrainedModel,
        device: &Device,
    ) -> Result<Predictor, ExperimentError> {
        let TrainedModel { config, model, .. } = self.model(approach)?.1;
        let (tokenizer, max_length) = (pretrained.tokenizer.clone(), self.results.arguments.max_length);
        let predictor = Predictor::from_model(config.clone(), model.clone(), tokenizer, max_length, device);
        Ok(predictor.with_long_texts(self.long_texts()))
    }

    /// Returns the model of an approach, with its name in results.
    fn model(&self, approach: &str) -> Result<(&str, &TrainedModel), ExperimentError> {
        let is_it = |record: &&ApproachRecord| record.approach == approach || record.spec == approach;
        let name = self.results.approaches.iter().find(is_it).map_or(approach, |record| record.approach.as_str());
        let kept = self.models.iter().find(|(kept, _)| kept == name);
        kept.map(|(name, model)| (name.as_str(), model)).ok_or_else(|| {
            let names: Vec<&str> = self.models.iter().map(|(name, _)| name.as_str()).collect();
            let kept = if names.is_empty() { "none (`keep_models`)".into() } else { names.join(", ") };
            ExperimentError::NoModel { approach: approach.into(), reason: format!("kept models: {kept}") }
        })
    }

    fn record(&self, name: &str) -> Result<&ApproachRecord, ExperimentError> {
        self.results.approaches.iter().find(|record| record.approach == name).ok_or_else(|| ExperimentError::NoModel {
            approach: name.into(),
            reason: "it is not among the results".into(),
        })
    }

    fn long_texts(&self) -> LongTexts {
        self.results.arguments.long_texts.as_ref().and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    fn saved<'a>(&self, pretrained: &'a PretrainedModel, card: &'a str) -> SavedModel<'a> {
        let (max_length, long_texts) = (self.results.arguments.max_length, self.long_texts());
        SavedModel { tokenizer: &pretrained.tokenizer, max_length, long_texts, card }
    }

    /// Saves a model with adapters merged. Returns the names of the files.
    fn save(
        &self,
        approach: &str,
        model: &TrainedModel,
        folder: &Path,
        pretrained: &PretrainedModel,
    ) -> Result<Vec<String>, ExperimentError> {
        let card = card(&self.results, self.record(approach)?, model, pretrained).to_string();
        let saved = self.saved(pretrained, &card);
        Ok(match &model.model {
            Model::Sentence(sentence) => saved.save_sentence_classifier(folder, &model.config, sentence)?,
            Model::Sequence(sequence) => {
                saved.save_classifier(folder, &model.config, sequence)?;
                SAVED_FILES.map(String::from).to_vec()
            }
            _ => Vec::new(),
        })
    }
}

/// The model card of an approach.
fn card(results: &Results, record: &ApproachRecord, model: &TrainedModel, pretrained: &PretrainedModel) -> ModelCard {
    ModelCard {
        title: record.approach.clone(),
        library_name: match &model.model {
            Model::Sentence(_) => "sentence-transformers",
            _ => "transformers",
        },
        pipeline_tag: "text-classification",
        base: Some(BaseModel::from(pretrained)),
        sections: vec![
            ("Results", scores(results, record)),
            ("Training", training(results, record)),
            (USAGE_HEADING, usage(results, model)),
        ],
    }
}

fn scores(results: &Results, record: &ApproachRecord) -> String {
    let mut text = match results.design.folds {
        Some(folds) => format!(
            "Means over {folds} folds and {} repeats. This model was trained on all examples afterwards.\n\n",
            results.design.repeats
        ),
        None if record.search.as_ref().is_some_and(|search| !search.final_trials.is_empty()) => format!(
            "On {} test examples, after training on {}. This model was trained on all examples afterwards.\n\n",
            results.data.test, results.data.train
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
        ("approach", approach(results, record)),
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

/// The approach; of a search, with the candidate that it chose for this model.
fn approach(results: &Results, record: &ApproachRecord) -> String {
    let trials = record.search.iter().flat_map(|search| &search.final_trials);
    let run = record.runs.iter().filter(|run| run.seed == results.seed).max_by_key(|run| run.size);
    let of_runs = run.into_iter().flat_map(|run| &run.trials);
    match trials.chain(of_runs).find(|trial| trial.chosen) {
        Some(trial) => format!("`{}`, chosen by `{}`", trial.approach, record.spec),
        None => format!("`{}`", record.spec),
    }
}

fn usage(results: &Results, model: &TrainedModel) -> String {
    let has_pairs = results.predictions.examples.iter().any(|example| example.text_pair.is_some());
    let [command, sentence_python, python] = if has_pairs { USAGE_OF_PAIRS } else { USAGE };
    let mut text = command.to_string();
    let config = &model.config;
    text.push_str(match &model.model {
        Model::Sentence(_) => sentence_python,
        _ if config.classifier_pooling == Pooling::Cls || config.family.has_pooling() => python,
        _ => "transformers opens the folder, but its classifier reads the first token instead of the mean over all tokens, which this\n\
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

/// The usage of adapters that are not merged.
fn usage_of_adapter(base: &str, classes: usize) -> String {
    format!(
        r#"```sh
rekindle predict --model FOLDER 'a text'
```

```python
from peft import PeftModel
from transformers import AutoModelForSequenceClassification

base = AutoModelForSequenceClassification.from_pretrained("{base}", num_labels={classes})
model = PeftModel.from_pretrained(base, "FOLDER")
```
"#
    )
}

const USAGE_HEADING: &str = "Usage";

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
