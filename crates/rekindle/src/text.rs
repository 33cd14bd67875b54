//! Numbers and tables as text.

use rekindle_distilbert::LoadReport;
use rekindle_experiment::Results;

/// `66955010` as `66,955,010`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// The tensors that did not match, one a line, with what that means.
pub fn report_table(report: &LoadReport) -> Vec<String> {
    let mut rows: Vec<(String, &str, String)> = Vec::new();
    for name in &report.unexpected {
        rows.push((name.clone(), "unexpected", "in the checkpoint only; not used by this model".into()));
    }
    for name in &report.missing {
        rows.push((name.clone(), "missing", "not in the checkpoint; freshly initialised, to be trained".into()));
    }
    for tensor in &report.mismatched {
        let meaning =
            format!("shape {:?} in the checkpoint, {:?} here; freshly initialised", tensor.checkpoint, tensor.model);
        rows.push((tensor.name.clone(), "mismatched", meaning));
    }
    if rows.is_empty() {
        return vec!["load report: every tensor matched".into()];
    }
    let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let mut lines = vec!["load report".to_string()];
    lines.extend(rows.iter().map(|(name, status, meaning)| format!("  {name:width$}  {status:10}  {meaning}")));
    lines
}

/// The comparison, one approach a line.
pub fn summary_table(results: &Results) -> String {
    let width = results.approaches.iter().map(|record| record.approach.len()).max().unwrap_or(0).max("approach".len());
    let mut lines = vec![format!("{:width$}  accuracy        F1      loss", "approach")];
    lines.extend(results.approaches.iter().map(|record| {
        format!("{:width$}  {:8.4}  {:8.4}  {:8.6}", record.approach, record.accuracy, record.f1, record.loss)
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 999, 1000, 66_955_010].map(thousands), ["0", "999", "1,000", "66,955,010"]);
    }
}
