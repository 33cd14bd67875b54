//! Damaged `results.json`: no panic, no hang, bounded memory, and errors that name the file and the line.

#[path = "../../data/tests/mutate/mod.rs"]
mod mutate;

use mutate::{Mutator, overwrite, survive, tried};
use rekindle_results::{Comparison, Results};
use serde_json::Value;

use crate::samples;

/// Reads damaged results instead of valid ones, and compares what could be read with the valid ones.
fn damaged(cases: u64, damage: impl Fn(&mut Mutator, &[u8], &Value) -> Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("results.json");
    let whole = [samples::toy(), samples::many_classes(3)].map(|mut results| {
        for record in &mut results.approaches {
            record.predictions.truncate(8);
            record.runs.truncate(1);
            record.runs.iter_mut().for_each(|run| run.steps.truncate(3));
            record.steps.truncate(3);
            record.diagnostics.roc.iter_mut().for_each(|curve| curve.points.truncate(4));
        }
        results
    });
    let text = whole.each_ref().map(|results| serde_json::to_vec_pretty(results).expect("JSON"));
    let values = text.each_ref().map(|text| serde_json::from_slice::<Value>(text).expect("JSON"));
    let cases = tried(cases);
    let outcome =
        survive("results.json", cases, &[&["results.json"], &["line ", "not the results of an experiment"]], |case| {
            let which = usize::from(case.is_multiple_of(5));
            overwrite(&path, damage(&mut Mutator::new(case), &text[which], &values[which]));
            let results = Results::read(folder.path()).map_err(|error| error.to_string())?;
            let comparison = Comparison::of(&[("whole".into(), whole[which].clone()), ("damaged".into(), results)]);
            assert!(!comparison.scores.is_empty());
            Ok(())
        });
    assert!(outcome.read > cases / 100 && outcome.refused > cases / 20, "damage of both kinds: {outcome:?}");
}

#[test]
fn a_file_with_damaged_bytes_is_read_or_refused_with_its_line() {
    damaged(3_000, |mutator, text, _| mutator.damage(text));
}

#[test]
fn a_file_with_damaged_values_is_read_or_refused_with_its_line() {
    damaged(5_000, |mutator, _, values| mutator.damage_json(values));
}
