//! Hidden states and logits of a checkpoint against those that transformers computed: `cargo xtask parity` runs it.
//!
//! `parity MODEL REFERENCE.safetensors`, where `fixtures/parity/reference.py` made the reference. Prints a row of a
//! table for every CPU backend, and fails where a difference is larger than 1e-4.

use std::error::Error;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use rekindle::encoders::{EncoderConfig, Mode, SequenceBatch, SequenceClassifier, TokenSelection, TransformerEncoder};
use rekindle::infer::PretrainedModel;
use rekindle::tokenizer::{Batch, Padding};
use safetensors::SafeTensors;

const BOUND: f32 = 1e-4;
const MAX_LENGTH: usize = 64;

/// What transformers computed, each sentence on its own.
struct Reference {
    ids: Vec<Vec<u32>>,
    /// `[tokens, dim]`, flat.
    hidden: Vec<f32>,
    /// `[sentences, classes]`, flat; empty without a head.
    logits: Vec<f32>,
    texts: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [model, reference] = paths.as_slice() else { return Err("usage: parity MODEL REFERENCE.safetensors".into()) };
    let reference = Reference::read(reference)?;

    let pretrained = PretrainedModel::from_folder(model)?;
    let name = model.file_name().unwrap_or_default().display().to_string();
    let ids = pretrained.tokenizer.encode_all(&reference.texts, MAX_LENGTH)?;
    let same = ids.iter().zip(&reference.ids).filter(|(ours, theirs)| ours == theirs).count();

    #[allow(deprecated)] // ndarray
    let devices = [
        #[cfg(feature = "flex")]
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        ("ndarray", Device::ndarray()),
    ];
    let mut worst = 0f32;
    for (backend, device) in devices {
        let (model, _) = SequenceClassifier::from_checkpoint(&pretrained.config, &pretrained.checkpoint, 0, &device)?;
        let side = Side { config: &pretrained.config, model, device, reference: &reference };
        let gaps = [
            side.gap(1, None)?,
            side.gap(8, None)?,
            side.gap(8, Some(MAX_LENGTH))?,
            side.gap(reference.ids.len(), None)?,
        ];
        let cell = |(hidden, logits): &(f32, f32)| match reference.logits.is_empty() {
            true => format!("{hidden:.1e}"),
            false => format!("{hidden:.1e}, logits {logits:.1e}"),
        };
        let cells: Vec<String> = gaps.iter().map(cell).collect();
        println!("| {name} | {backend} | {same} of {} | {} |", ids.len(), cells.join(" | "));
        worst = gaps.iter().fold(worst, |worst, (hidden, logits)| worst.max(*hidden).max(*logits));
    }
    if worst > BOUND || same < ids.len() {
        return Err(format!("{name}: {worst:e} is more than {BOUND:e}, or ids differ").into());
    }
    Ok(())
}

struct Side<'a> {
    config: &'a EncoderConfig,
    model: SequenceClassifier,
    device: Device,
    reference: &'a Reference,
}

impl Side<'_> {
    /// The largest differences of hidden states and logits in batches of so many, packed or padded.
    fn gap(&self, batch_size: usize, padded: Option<usize>) -> Result<(f32, f32), Box<dyn Error>> {
        let (mut hidden_gap, mut logits_gap) = (0f32, 0f32);
        let (mut token, mut sentence) = (0, 0);
        let classes = self.config.num_labels();
        for rows in self.reference.ids.chunks(batch_size) {
            let batch = match padded {
                Some(length) => Batch::padded(rows, self.config.pad_token_id, Padding::MaxLength(length)),
                None => Batch::packed(rows),
            };
            let input = SequenceBatch::new(
                &batch.input_ids,
                &batch.attention_mask,
                &batch.cu_seqlens,
                self.config,
                &self.device,
            )?;
            let hidden = values(self.model.encoder().forward(&input, TokenSelection::All, Mode::Eval))?;
            let real =
                hidden.chunks(self.config.hidden_size).zip(&batch.attention_mask).filter(|(_, mask)| **mask == 1);
            for (ours, _) in real {
                let theirs = &self.reference.hidden[token * self.config.hidden_size..];
                hidden_gap = hidden_gap.max(largest(ours, theirs));
                token += 1;
            }
            if !self.reference.logits.is_empty() {
                let logits = values(self.model.forward(&input, Mode::Eval))?;
                logits_gap = logits_gap.max(largest(&logits, &self.reference.logits[sentence * classes..]));
            }
            sentence += rows.len();
        }
        Ok((hidden_gap, logits_gap))
    }
}

fn largest(ours: &[f32], theirs: &[f32]) -> f32 {
    ours.iter().zip(theirs).fold(0.0, |gap, (a, b)| gap.max((a - b).abs()))
}

fn values(tensor: Tensor<2>) -> Result<Vec<f32>, Box<dyn Error>> {
    tensor.into_data().try_to_vec().map_err(|error| format!("{error:?}").into())
}

impl Reference {
    fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let bytes = std::fs::read(path)?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes)?;
        let texts = metadata.metadata().as_ref().and_then(|map| map.get("texts")).ok_or("no texts")?;
        let tensors = SafeTensors::deserialize(&bytes)?;
        let words = |name: &str| -> Result<Vec<u32>, Box<dyn Error>> {
            let data = tensors.tensor(name)?.data();
            Ok(data.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
        };
        let floats = |name: &str| words(name).map(|words| words.into_iter().map(f32::from_bits).collect());
        let mut ids = words("ids")?.into_iter();
        let ids = words("lengths")?.iter().map(|&length| ids.by_ref().take(length as usize).collect()).collect();
        let logits = if tensors.names().contains(&"logits") { floats("logits")? } else { Vec::new() };
        Ok(Self { ids, hidden: floats("hidden")?, logits, texts: serde_json::from_str(texts)? })
    }
}
