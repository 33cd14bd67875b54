//! How a trained model reads texts.

use clap::Args;
use rekindle::infer::LongTexts;

use super::{MIN_LENGTH, at_least};

/// The options of commands that classify texts with trained models.
#[derive(Args, Debug)]
#[group(id = "texts")]
pub struct TextArgs {
    /// Maximum number of tokens per text; longer texts are truncated [default: as the model was
    /// trained; its number of positions if its files do not say].
    #[arg(long, value_name = "TOKENS", value_parser = at_least(MIN_LENGTH), help_heading = "Texts")]
    pub max_length: Option<usize>,
    /// What is read of a text of more than --max-length tokens: its first tokens, its first and last ones, or all of them in
    /// windows, whose outputs are pooled [default: as the model was trained; truncate if its
    /// files do not say].
    #[arg(long, value_name = "truncate|head-tail|windows[:stride=N][:pool=mean|max]", value_parser = str::parse::<LongTexts>, help_heading = "Texts")]
    pub long_texts: Option<LongTexts>,
    /// Number of texts per batch; batches of short texts have more.
    #[arg(long, default_value_t = 8, value_name = "TEXTS", value_parser = at_least(1), help_heading = "Texts")]
    pub batch_size: usize,
}
