//! What is in a folder that is not a model, to say where the models are.

use std::fs;
use std::path::{Path, PathBuf};

/// How deep models are searched below a folder: `models/NAME`, or `snapshots/COMMIT` of a cache.
const DEPTH: usize = 2;
/// How many entries of a folder are looked at.
const MOST_ENTRIES: usize = 1000;
/// How many models a message names.
const NAMED: usize = 5;

/// Returns why a folder is not a model, if its content says so.
pub(crate) fn not_a_model(folder: &Path) -> Option<String> {
    let has = |name: &str| folder.join(name).is_file();
    if has("config.json") {
        return None;
    }
    let models = models_below(folder);
    if has("results.json") && models.is_empty() {
        return Some("the results of an experiment that saved no model; repeat it with --save-models".into());
    }
    if !models.is_empty() {
        let what =
            if has("results.json") { "the results of an experiment, not a model" } else { "no config.json here" };
        return Some(format!("{what}; the models below it are {}", listed(&models)));
    }
    let parent = folder.canonicalize().ok()?.parent()?.to_path_buf();
    let is_part = parent.join("config.json").is_file();
    is_part.then(|| format!("no config.json here; the model is the folder above, {}", parent.display()))
}

/// The folders with a configuration below `folder`, sorted.
fn models_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut level = vec![folder.to_path_buf()];
    for _ in 0..DEPTH {
        let entries = level.iter().filter_map(|folder| fs::read_dir(folder).ok());
        let paths = entries.flat_map(|entries| entries.take(MOST_ENTRIES).flatten().map(|entry| entry.path()));
        let folders: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
        let (models, others) = folders.into_iter().partition(|folder| folder.join("config.json").is_file());
        found.extend::<Vec<_>>(models);
        level = others;
    }
    found.sort();
    found
}

fn listed(models: &[PathBuf]) -> String {
    let names: Vec<String> = models.iter().take(NAMED).map(|path| path.display().to_string()).collect();
    let more = models.len().saturating_sub(NAMED);
    names.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}
