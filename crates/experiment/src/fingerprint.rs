//! Checksums of data: what tells whether two experiments saw the same examples.

use rekindle_data::Dataset;
use rekindle_infer::Sequence;
use rekindle_train::EncodedDataset;
use sha2::{Digest, Sha256};

use crate::sampling::Sampling;
use crate::target_record::target_record;

/// Returns the SHA-256 of texts, or both texts of pairs, and their labels, each preceded by its length.
pub(crate) fn examples_sha256(data: &Dataset) -> String {
    let mut hash = Sha256::new();
    for example in &data.examples {
        let label = target_record(&example.target).text(data.classes.names());
        for text in [Some(&example.text), example.text_pair.as_ref(), Some(&label)].into_iter().flatten() {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
    }
    hexadecimal(&hash.finalize())
}

/// Returns the SHA-256 of texts, or both texts of pairs, each preceded by its length.
pub(crate) fn texts_sha256(texts: &[(String, Option<String>)]) -> String {
    let mut hash = Sha256::new();
    for text in texts.iter().flat_map(|(text, text_pair)| [Some(text), text_pair.as_ref()]).flatten() {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hexadecimal(&hash.finalize())
}

/// Returns the SHA-256 of the token ids of examples, each list preceded by its length, and followed by the segments if the
/// examples have them.
pub(crate) fn tokens_sha256(examples: &EncodedDataset) -> String {
    let mut hash = Sha256::new();
    for Sequence { input_ids, token_type_ids } in examples.sequences() {
        hash.update((input_ids.len() as u64).to_le_bytes());
        input_ids.iter().chain(token_type_ids).for_each(|id| hash.update(id.to_le_bytes()));
    }
    hexadecimal(&hash.finalize())
}

/// Returns the SHA-256 of the rows of all samples, each list preceded by its length.
pub(crate) fn samples_sha256(sampling: &Sampling) -> String {
    let mut hash = Sha256::new();
    for rows in sampling.samples.iter().flat_map(|sample| [&sample.train, &sample.validation, &sample.test]) {
        hash.update((rows.len() as u64).to_le_bytes());
        rows.iter().for_each(|&row| hash.update((row as u64).to_le_bytes()));
    }
    hexadecimal(&hash.finalize())
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
