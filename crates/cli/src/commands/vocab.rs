//! `rekindle vocab`.

use std::iter;
use std::path::{Path, PathBuf};

use clap::Args;
use rekindle::data::{open_text, text_lines};
use rekindle::report::thousands;
use rekindle::tokenizer::Tokenizer;

use crate::exit::Failure;
use crate::files;
use crate::options::at_least;
use crate::options::data_file::warn_of_table;
use crate::terminal::{Display, Verbosity, print};

/// The options of `rekindle vocab`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct VocabArgs {
    /// Text files to learn from, also in gzip or zip, and in UTF-16 with a byte order mark.
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., help_heading = "Data")]
    pub corpus: Vec<PathBuf>,
    /// Maximum number of entries, including special tokens and single characters.
    #[arg(long, default_value_t = 8000, value_name = "ENTRIES", value_parser = at_least(1), help_heading = "Data")]
    pub size: usize,
    /// Keep upper case and accents: a cased vocabulary [default: texts are lower-cased and lose their accents].
    #[arg(long, help_heading = "Data")]
    pub cased: bool,
    /// Folder for tokenizer.json, tokenizer_config.json and vocab.txt.
    #[arg(long, short, value_name = "FOLDER", help_heading = "Output")]
    pub output: PathBuf,
    /// Replace these files if they are in the folder already.
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,
}

const FILES: [&str; 3] = ["vocab.txt", "tokenizer_config.json", "tokenizer.json"];

/// The default number of positions of a DistilBERT.
const POSITIONS: usize = 512;

/// Runs the command.
///
/// # Errors
/// Returns an error if the text cannot be read or gives no vocabulary, or the folder cannot be written, or
/// has files that would be replaced.
pub fn run(args: &VocabArgs) -> Result<(), Failure> {
    files::check_new(&args.output, &FILES, args.overwrite)?;
    let display = Display::new(Verbosity::Normal);
    args.corpus.iter().for_each(|path| warn_of_table(path, &display));
    let tokenizer = Tokenizer::learn(args.corpus.iter().flat_map(|path| lines(path)), args.size, !args.cased)?;
    files::prepare(&args.output)?;
    let vocabulary: String = tokenizer.vocabulary().iter().map(|entry| format!("{entry}\n")).collect();
    for (name, content) in
        FILES.into_iter().zip([vocabulary, tokenizer.config_json(POSITIONS, false), tokenizer.to_json()?])
    {
        files::write(&args.output.join(name), &content)?;
    }
    print(&format!("{} entries in {}", thousands(tokenizer.vocab_size()), args.output.display()));
    Ok(())
}

/// Returns the lines of a file, or why it cannot be opened.
fn lines(path: &Path) -> Box<dyn Iterator<Item = Result<String, Failure>> + Send + '_> {
    match open_text(path) {
        Ok(text) => Box::new(text_lines(text, path).map(|line| Ok(line?))),
        Err(error) => Box::new(iter::once(Err(error.into()))),
    }
}

const EXAMPLES: &str = "\
Examples:
  rekindle vocab --corpus reviews.txt --size 8000 --output vocab
  rekindle vocab --corpus reviews.txt sentences.txt --cased --output vocab";
