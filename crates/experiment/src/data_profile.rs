//! Lengths, duplicates and leaks of the data of an experiment.

use std::collections::HashSet;

use rekindle_data::{Leaks, NearDuplicates, Profile, Row};
use rekindle_results::DataProfile;
use rekindle_tokenizer::{Tokenizer, TokenizerError};

use crate::sampling::{Sample, Sampling};
use crate::target_record::target_record;

/// Texts that are tokenized together, so that few encodings are in memory.
const CHUNK: usize = 4096;
/// Percentiles of the lengths between minimum and maximum.
const PERCENTILES: [u8; 4] = [50, 90, 95, 99];

/// Returns the profile of all examples. Texts longer than `max_length` tokens are counted as truncated.
pub(crate) fn data_profile(
    sampling: &Sampling,
    tokenizer: &Tokenizer,
    max_length: usize,
) -> Result<DataProfile, TokenizerError> {
    let all: Vec<usize> = (0..sampling.all.len()).collect();
    let mut profile = profile(sampling, &all);
    for texts in sampling.texts(&all).chunks(CHUNK) {
        tokenizer.pair_lengths_all(texts)?.into_iter().for_each(|tokens| profile.add_length(tokens));
    }
    let lengths = profile.lengths();
    let percentiles = PERCENTILES.into_iter().map(|percent| lengths.percentile(percent));
    let mut record = DataProfile::default();
    (record.empty, record.duplicates, record.conflicts) =
        (profile.empty(), profile.duplicates(), profile.contradictions());
    record.tokens = [lengths.min()].into_iter().chain(percentiles).chain([lengths.max()]).flatten().collect();
    record.truncated = lengths.longer_than(max_length);
    let (mut leaks, mut validation_leaks) = (Leaks::default(), Leaks::default());
    for sample in sampling.samples.iter().filter(|sample| sample.repeat == 1) {
        let train = self::profile(sampling, &sample.train);
        sample.test.iter().for_each(|&index| leaks.add(&train, &row(sampling, index)));
        sample.validation.iter().for_each(|&index| validation_leaks.add(&train, &row(sampling, index)));
    }
    if let Some(groups) = sampling.all.column_groups() {
        let mut sizes = vec![0; groups.iter().max().map_or(0, |last| last + 1)];
        groups.iter().for_each(|&group| sizes[group] += 1);
        (record.groups, record.largest_group) = (sizes.len() as u64, sizes.into_iter().max().unwrap_or(0));
        let trained: HashSet<usize> = sampling.samples[0].train.iter().map(|&row| groups[row]).collect();
        let leaks = |rows: &[usize]| rows.iter().filter(|&&row| trained.contains(&groups[row])).count() as u64;
        let Sample { test, validation, .. } = &sampling.samples[0];
        (record.group_leaks, record.validation_group_leaks) = (leaks(test), leaks(validation));
    }
    if let Some(NearDuplicates { groups, .. }) = sampling.all.near_duplicates() {
        let equal = sampling.all.text_groups();
        let different = |groups: &[usize]| groups.iter().max().map_or(0, |last| last + 1);
        record.near_duplicates = (different(&equal) - different(&groups)) as u64;
        for sample in sampling.samples.iter().filter(|sample| sample.repeat == 1) {
            let of_train = |groups: &[usize]| sample.train.iter().map(|&row| groups[row]).collect::<HashSet<_>>();
            let (near, same) = (of_train(&groups), of_train(&equal));
            let is_near = |row: &&usize| near.contains(&groups[**row]) && !same.contains(&equal[**row]);
            record.near_leaks += sample.test.iter().filter(is_near).count() as u64;
        }
    }
    if let [Sample { train, test, .. }] = &sampling.samples[..]
        && let Some(newest) = sampling.all.times_of(train.iter().copied()).and_then(|times| times.into_iter().max())
    {
        let times = sampling.all.times_of(test.iter().copied()).unwrap_or_default();
        record.not_newer = times.into_iter().filter(|time| *time <= newest).count() as u64;
    }
    record.validation_leaks = validation_leaks.rows();
    (record.leaks, record.leak_lines) = (leaks.rows(), leaks.examples().to_vec());
    Ok(record)
}

fn profile(sampling: &Sampling, examples: &[usize]) -> Profile {
    let mut profile = Profile::new(sampling.all.symmetric);
    examples.iter().for_each(|&index| profile.add(&row(sampling, index)));
    profile
}

/// Returns an example as the row of its file.
fn row(sampling: &Sampling, index: usize) -> Row {
    let example = &sampling.all.examples[index];
    let (text, text_pair) = (example.text.clone(), example.text_pair.clone());
    let label = target_record(&example.target).text(sampling.all.classes.names());
    Row {
        text,
        text_pair,
        label,
        line: example.line,
        group: example.group.clone(),
        time: example.time,
        ..Row::default()
    }
}
