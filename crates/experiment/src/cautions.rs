//! Cautions: what makes the scores of all approaches doubtful, one sentence each.

use rekindle_infer::LongTexts;
use rekindle_results::DataProfile;

use crate::run_context::RunContext;

/// Validation examples below which the best epoch is mostly chance.
const FEW: usize = 20;

/// Returns that examples were dropped, that most texts are truncated, that most tokens are unknown, and that few examples choose the best epoch, if so.
pub(crate) fn cautions(context: &RunContext<'_>, profile: Option<&DataProfile>) -> Vec<String> {
    let texts = context.examples.len();
    let truncated = profile.map_or(0, |profile| profile.truncated as usize);
    let max_length = context.settings.max_length;
    let [unknown, tokens] = unknown(context);
    let validation = context.sampling.samples[0].validation.len();
    let dropped = context.sampling.dropped.len();
    let cautions = [
        (dropped > 0).then(|| {
            let examples = if dropped == 1 { "example is" } else { "examples are" };
            format!("{dropped} training {examples} listed as label errors and left out; test examples are not.")
        }),
        (2 * truncated > texts && context.settings.long_texts == LongTexts::Truncate).then(|| {
            format!(
                "{truncated} of {texts} texts ({}) are longer than the maximum length of {max_length} tokens and truncated.",
                percent(truncated, texts)
            )
        }),
        (2 * unknown > tokens).then(|| {
            format!(
                "{unknown} of {tokens} tokens ({}) are unknown to the vocabulary of the model, which was made for other texts.",
                percent(unknown, tokens)
            )
        }),
        (1..FEW).contains(&validation).then(|| {
            let examples = if validation == 1 { "example chooses" } else { "examples choose" };
            format!("Only {validation} validation {examples} the best epoch, which is then mostly chance.")
        }),
    ];
    cautions.into_iter().flatten().collect()
}

/// Returns the numbers of unknown and of all tokens, without other special tokens.
fn unknown(context: &RunContext<'_>) -> [usize; 2] {
    let tokenizer = &context.pretrained.tokenizer;
    let (unknown, special) = (tokenizer.unk_id(), tokenizer.special_ids());
    let mut counts = [0; 2];
    for &id in context.examples.sentences().into_iter().flatten() {
        counts[0] += usize::from(Some(id) == unknown);
        counts[1] += usize::from(Some(id) == unknown || !special.contains(&id));
    }
    counts
}

fn percent(part: usize, all: usize) -> String {
    format!("{:.0} %", 100.0 * part as f64 / all as f64)
}
