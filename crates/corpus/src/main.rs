//! `corpus`: writes a seeded corpus to the standard output, a document a line.

use std::error::Error;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use rekindle_corpus::Generator;

/// Write a synthetic English corpus, a document a line
#[derive(Parser)]
struct Options {
    /// How many documents
    #[arg(long)]
    lines: usize,
    /// Seed of the draws; the same seed gives the same bytes
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Keep the texts of this file out of the corpus: a text a line, up to the first tab
    #[arg(long, value_name = "FILE")]
    exclude: Vec<PathBuf>,
    /// Add a tab and the document's polarity: negative, neutral or positive
    #[arg(long)]
    labelled: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut generator = Generator::new(options.seed);
    for path in &options.exclude {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        generator = generator.excluding(text.lines().filter_map(|line| line.split('\t').next()));
    }
    match write(generator, options) {
        // Whoever read us has enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

fn write(generator: Generator, options: &Options) -> std::io::Result<()> {
    let mut output = BufWriter::new(std::io::stdout().lock());
    for document in generator.take(options.lines) {
        match options.labelled {
            true => writeln!(output, "{}\t{}", document.text, document.polarity)?,
            false => writeln!(output, "{}", document.text)?,
        }
    }
    output.flush()
}
