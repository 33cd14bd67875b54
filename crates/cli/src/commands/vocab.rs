//! `rekindle vocab`.

use rekindle_tokenizer::Tokenizer;

use crate::cli::VocabArgs;
use crate::files;
use crate::text::thousands;

/// Positions of a DistilBERT unless its configuration says otherwise.
const POSITIONS: usize = 512;

/// Runs the command.
///
/// # Errors
/// When the text cannot be read or gives no vocabulary, or the folder cannot be written.
pub fn run(args: &VocabArgs) -> Result<(), Box<dyn std::error::Error>> {
    let tokenizer = Tokenizer::learn(&args.corpus, args.size)?;
    files::prepare(&args.output)?;
    let vocabulary: String = tokenizer.vocabulary().iter().map(|entry| format!("{entry}\n")).collect();
    for (name, content) in [
        ("vocab.txt", vocabulary),
        ("tokenizer_config.json", Tokenizer::config_json(POSITIONS)),
        ("tokenizer.json", tokenizer.to_json()?),
    ] {
        files::write(&args.output.join(name), &content)?;
    }
    anstream::println!("{} entries in {}", thousands(tokenizer.vocab_size()), args.output.display());
    Ok(())
}
