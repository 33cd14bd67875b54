//! Finds the texts nearest to a query: `nearest FOLDER TEXTS.txt QUERY [COUNT]`. The file has one text per line, and the folder a
//! checkpoint of DistilBERT or BERT with its tokenizer.
//!
//! The embedding of a text is the mean of its last hidden states; the distance is the angle between two embeddings.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use burn::tensor::Device;
use rekindle_distilbert::{
    Checkpoint, DistilBertConfig, DistilBertForSequenceClassification, Mode, Pooling, SequenceBatch,
};
use rekindle_tokenizer::{Batch, Tokenizer};

/// The number of texts in a batch.
const BATCH: usize = 32;
/// The most tokens of a text.
const MAX_LENGTH: usize = 128;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, file, query, count @ ..] = arguments.as_slice() else {
        return Err("usage: nearest FOLDER TEXTS.txt QUERY [COUNT]".into());
    };
    let count: usize = match count {
        [] => 5,
        [count] => count.parse().map_err(|error| format!("the count `{count}`: {error}"))?,
        _ => return Err("usage: nearest FOLDER TEXTS.txt QUERY [COUNT]".into()),
    };
    let embedder = Embedder::open(Path::new(folder))?;
    let content = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let sentences: Vec<&str> = content.lines().filter(|line| !line.trim().is_empty()).collect();

    let [query] = &embedder.embed(&[query])?[..] else { return Err("the query is not one text".into()) };
    let cosine = |other: &Vec<f32>| query.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
    let embedded = embedder.embed(&sentences)?;
    let mut near: Vec<(f32, &str)> = embedded.iter().map(cosine).zip(sentences).collect();
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (cosine, sentence) in near.into_iter().take(count) {
        println!("{cosine:.3}  {sentence}");
    }
    Ok(())
}

/// A model that embeds texts.
struct Embedder {
    config: DistilBertConfig,
    model: DistilBertForSequenceClassification,
    tokenizer: Tokenizer,
    device: Device,
}

impl Embedder {
    fn open(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let device = Device::default();
        let config = DistilBertConfig { classifier_pooling: Pooling::Mean, ..DistilBertConfig::from_folder(folder)? };
        // The head is not used.
        let (model, _) =
            DistilBertForSequenceClassification::from_checkpoint(&config, &Checkpoint::open(folder)?, 0, &device)?;
        Ok(Self { config, model, tokenizer: Tokenizer::from_folder(folder)?, device })
    }

    /// A vector of length 1 for each text.
    fn embed<T: AsRef<str>>(&self, sentences: &[T]) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
        let ids = self.tokenizer.encode_all(sentences, MAX_LENGTH.min(self.config.max_position_embeddings))?;
        let mut vectors = Vec::with_capacity(ids.len());
        for rows in ids.chunks(BATCH) {
            let Batch { input_ids, attention_mask, cu_seqlens } = Batch::packed(rows);
            let batch = SequenceBatch::new(&input_ids, &attention_mask, &cu_seqlens, &self.config, &self.device)?;
            let values: Vec<f32> = self.model.pool(&batch, Mode::Eval).try_into_data()?.iter().collect();
            vectors.extend(values.chunks(self.config.dim).map(|vector| {
                let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
                vector.iter().map(|value| value / length).collect()
            }));
        }
        Ok(vectors)
    }
}
