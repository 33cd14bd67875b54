//! Prints token statistics of a text file with one text per line: `statistics FOLDER FILE MAX_LENGTH`, where the folder
//! contains `tokenizer.json` or `vocab.txt`.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use rekindle_tokenizer::Tokenizer;

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
    let [folder, file, max_length] = arguments.as_slice() else {
        return Err("usage: statistics FOLDER FILE MAX_LENGTH".into());
    };
    let max_length: usize =
        max_length.parse().map_err(|error| format!("invalid maximum length `{max_length}`: {error}"))?;
    let tokenizer = Tokenizer::from_folder(Path::new(folder))?;
    let content = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let texts: Vec<&str> = content.lines().filter(|line| !line.trim().is_empty()).collect();

    let mut lengths = tokenizer.lengths_all(&texts)?;
    lengths.sort_unstable();
    let Some((&longest, last)) = lengths.last().zip(lengths.len().checked_sub(1)) else {
        return Err(format!("{file}: no texts").into());
    };
    let pieces = tokenizer.pieces_all(&texts)?.concat();
    let words: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    let unknown = tokenizer.id("[UNK]").map_or(0, |id| pieces.iter().filter(|&&piece| piece == id).count());
    let cut = lengths.iter().filter(|&&length| length > max_length).count();

    println!("texts       {}", texts.len());
    println!("vocabulary  {} entries", tokenizer.vocab_size());
    println!("tokens      {} to {longest}, median {}, including special tokens", lengths[0], lengths[last / 2]);
    println!("pieces      {}, {:.2} per word", pieces.len(), pieces.len() as f64 / words as f64);
    println!("unknown     {unknown} pieces");
    println!("too long    {cut} texts have more than {max_length} tokens");
    Ok(())
}
