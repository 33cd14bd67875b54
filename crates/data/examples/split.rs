//! Splits labelled texts as scikit-learn's `train_test_split(stratify=labels)`:
//! `split FILE TEST_SIZE SEED TRAIN.csv TEST.csv`, where the test size is a fraction (0.25) or a number of rows (100).
//!
//! Reads all formats of [`Dataset::read`], and writes the columns `text` and `label` to two new files.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use rekindle_data::{Dataset, ReadOptions, TestSize};

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
    let [file, test_size, seed, train_file, test_file] = arguments.as_slice() else {
        return Err("usage: split FILE TEST_SIZE SEED TRAIN.csv TEST.csv".into());
    };
    let test_size: TestSize = test_size.parse()?;
    let seed: u32 = seed.parse().map_err(|error| format!("the seed `{seed}`: {error}"))?;
    let data = Dataset::read(Path::new(file), &ReadOptions::default())?;
    let (train, test) = data.train_test_split(test_size, seed, true)?;
    // Checked before the first file is written, so that either both are written or none.
    if train_file == test_file {
        return Err(format!("{train_file} cannot be both the training and the test file").into());
    }
    if let Some(there) = [train_file, test_file].into_iter().find(|path| Path::new(path).exists()) {
        return Err(format!("{there} already exists").into());
    }
    for (path, rows) in [(train_file, &train), (test_file, &test)] {
        write(path, rows).map_err(|error| format!("{path}: {error}"))?;
        let counts = rows.labels().iter().fold(vec![0; rows.classes.len()], |mut counts, &label| {
            counts[label] += 1;
            counts
        });
        let classes = rows.classes.names().iter().zip(counts).map(|(name, count)| format!("{count} of {name}"));
        println!("{path}: {} rows, {}", rows.len(), classes.collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

/// Writes a file that does not exist yet.
fn write(path: &str, rows: &Dataset) -> Result<(), Box<dyn Error>> {
    let mut writer = csv::Writer::from_writer(File::create_new(path)?);
    writer.write_record(["text", "label"])?;
    for example in &rows.examples {
        writer.write_record([&example.text, &rows.classes.names()[example.target.class().unwrap_or_default()]])?;
    }
    Ok(writer.flush()?)
}
