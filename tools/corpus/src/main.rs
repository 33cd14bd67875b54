//! `corpus`: writes a generated corpus to standard output, one document per line.

use std::error::Error;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use rekindle_corpus::Generator;

/// Write a synthetic English corpus, one document per line
#[derive(Parser)]
struct Options {
    /// Number of documents
    #[arg(long)]
    lines: usize,
    /// Random seed; the same seed gives the same bytes
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Exclude the texts of this file: one text per line, up to the first tab
    #[arg(long, value_name = "FILE")]
    exclude: Vec<PathBuf>,
    /// Append a tab and the polarity of the document: negative, neutral or positive
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
        // The reader closed the pipe.
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
