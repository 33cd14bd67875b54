//! The space of a search: approaches with alternatives, and presets.

use rekindle_data::Task;

use crate::approach::Approach;
use crate::error::ExperimentError;

/// The separator of alternatives in the grammar.
const OR: char = '|';

/// A preset space of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// The linear probe: regularization and pooling.
    Probe,
    /// Contrastive fine-tuning: learning rate and epochs.
    Contrastive,
    /// Fine-tuning: the trained layers, learning rate, rank, epochs and pooling.
    FineTuning,
    /// All of them.
    All,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 4] = [Self::All, Self::Probe, Self::Contrastive, Self::FineTuning];

    /// Returns the name of the preset.
    pub fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Contrastive => "contrastive",
            Self::FineTuning => "fine-tuning",
            Self::All => "all",
        }
    }

    /// Returns the preset of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Returns the space, in the grammar of [`Approach::parse_space`], for a task and a number of layers. An encoder of two layers
    /// has no `last-2` beside `full`.
    pub fn space(self, task: Task, layers: usize) -> String {
        let probe = if task.has_classes() { "probe:C=0.1|1|10|100:pooling=mean|cls" } else { "probe:C=0.1|1|10|100" };
        let contrastive = "contrastive:lr=3e-5|1e-4:epochs=3|10";
        let last = (layers > 2).then_some("last-2:lr=1e-4|5e-4:head-lr=1e-3");
        let tuned = ["lora:r=8|16:lr=5e-4|1e-3|2e-3", "full:lr=2e-5|5e-5|1e-4:head-lr=1e-3:epochs=3|6"];
        let parts: Vec<&str> = match self {
            Self::Probe => vec![probe],
            Self::Contrastive => vec![contrastive],
            Self::FineTuning => last.into_iter().chain(tuned).collect(),
            Self::All => [probe, contrastive].into_iter().chain(last).chain(tuned).collect(),
        };
        parts.join(",")
    }
}

/// The candidate that needs the least time: one pass of the encoder and one regression.
const QUICK: &str = "probe:C=30:layers=last";

/// Returns the candidates of `rekindle fit` in the order of the expected gain per second: for many classes, whose regressions are
/// slow, first a probe with one of them; the probe that chooses C, pooling and layers; the last layers, all layers and adapters, with
/// their usual learning rates before others. Contrastive fine-tuning comes before them if labels are few, and otherwise after their
/// usual rates.
pub(crate) fn ordered(layers: usize, has_few_labels: bool, has_many_classes: bool) -> String {
    let quick = has_many_classes.then_some(QUICK);
    let usual = (layers > 2).then_some("last-2").into_iter().chain(["full", "lora"]);
    let usual: Vec<&str> = match has_few_labels {
        true => ["contrastive"].into_iter().chain(usual).collect(),
        false => usual.chain(["contrastive"]).collect(),
    };
    let further = [
        "full:pooling=mean:lr=1e-4:head-lr=1e-3",
        "full:epochs=6",
        "lora:r=16:lr=2e-3",
        "full:lr=2e-5:head-lr=1e-3:epochs=6",
        "full:lr=2e-4:head-lr=1e-3",
    ];
    quick.into_iter().chain(["probe"]).chain(usual).chain(further).collect::<Vec<_>>().join(",")
}

impl Approach {
    /// Parses the space of a search: a list as [`parse_list`](Self::parse_list) reads it, in which the value of an option, or
    /// the name of the approach, may have alternatives. `full:lr=1e-5|3e-5:pooling=mean|cls` are four approaches. The
    /// alternatives of the last option vary fastest.
    ///
    /// # Errors
    /// Returns an error if an approach is unknown, is given twice, or has an option without a value.
    pub fn parse_space(space: &str) -> Result<Vec<Self>, ExperimentError> {
        let specs: Vec<String> = space.split(',').flat_map(|spec| alternatives(spec.trim())).collect();
        Self::parse_list(&specs.join(","))
    }
}

/// Returns every combination of the alternatives of an approach.
fn alternatives(spec: &str) -> Vec<String> {
    spec.split(':').enumerate().fold(vec![String::new()], |specs, (place, part)| {
        let (key, values) = part.split_once('=').map_or(("", part), |(key, values)| (key, values));
        let mark = if place == 0 { "" } else { ":" };
        let key = if part.contains('=') { format!("{key}=") } else { String::new() };
        let parts: Vec<String> = values.split(OR).map(|value| format!("{mark}{key}{}", value.trim())).collect();
        specs.iter().flat_map(|spec| parts.iter().map(move |part| format!("{spec}{part}"))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_combined() {
        let specs = |space: &str| -> Vec<String> {
            Approach::parse_space(space).expect(space).iter().map(ToString::to_string).collect()
        };
        assert_eq!(specs("probe, last-1|last-2"), ["probe", "last-1", "last-2"]);
        let four = ["lora:r=8:lr=1e-3", "lora:r=8:lr=2e-3", "lora:r=16:lr=1e-3", "lora:r=16:lr=2e-3"];
        assert_eq!(specs("lora:r=8|16:lr=1e-3|2e-3"), four);
        assert_eq!(specs("lora:targets=q_lin+v_lin|q_lin"), ["lora:targets=q_lin+v_lin", "lora:targets=q_lin"]);
        let refused = |space: &str| Approach::parse_space(space).expect_err(space).to_string();
        assert!(refused("probe:C=1|1").contains("twice"), "{}", refused("probe:C=1|1"));
        assert!(refused("probe:C=1|").contains("expected a number above 0"), "{}", refused("probe:C=1|"));
        assert!(refused("probe|").contains("unknown approach"), "{}", refused("probe|"));
    }

    #[test]
    fn presets_fit_the_task() {
        for task in [Task::SingleLabel, Task::MultiLabel, Task::Regression, Task::Ordinal] {
            for layers in [1, 2, 6] {
                for preset in Preset::ALL {
                    let space = preset.space(task, layers);
                    let candidates = Approach::parse_space(&space).expect("valid");
                    let names: Vec<&str> = candidates.iter().map(|approach| approach.name.as_str()).collect();
                    assert!(task.has_classes() || !space.contains("pooling"));
                    assert!(layers > 2 || names.iter().all(|name| !name.contains("last_2")));
                }
                for (has_many_classes, first) in [(false, "probe"), (true, QUICK)] {
                    let space = ordered(layers, true, has_many_classes);
                    let candidates = Approach::parse_space(&space).expect("valid");
                    assert_eq!(candidates[0].spec, first);
                }
            }
        }
        assert_eq!(Preset::named("fine-tuning"), Some(Preset::FineTuning));
        assert_eq!(Preset::named("none"), None);
    }
}
