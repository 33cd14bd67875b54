//! Prints the token ids of texts, one text per line: `ids FOLDER MAX_LENGTH < texts`.

use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::path::Path;

use rekindle_tokenizer::Tokenizer;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, max_length] = arguments.as_slice() else { return Err("usage: ids FOLDER MAX_LENGTH < texts".into()) };
    let tokenizer = Tokenizer::from_folder(Path::new(folder))?;
    let texts: Vec<String> = stdin().lines().collect::<Result<_, _>>()?;
    let mut out = stdout().lock();
    for row in tokenizer.encode_all(&texts, max_length.parse()?)? {
        let ids: Vec<String> = row.iter().map(u32::to_string).collect();
        writeln!(out, "{}", ids.join(" "))?;
    }
    Ok(())
}
