//! Targets as records of the results.

use rekindle_data::Target;
use rekindle_results::TargetRecord;

/// Returns the record of a target.
pub(crate) fn target_record(target: &Target) -> TargetRecord {
    match target {
        Target::Class(class) => TargetRecord::Class(*class),
        Target::Value(value) => TargetRecord::Value(*value),
        Target::Labels(labels) => {
            TargetRecord::Labels(labels.iter().enumerate().filter(|(_, has)| **has).map(|(label, _)| label).collect())
        }
    }
}
