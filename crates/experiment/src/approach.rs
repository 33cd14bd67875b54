//! Approaches, and the grammar of the command line for them.

use std::any::Any;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use burn::module::Module;
use rekindle_results::RunRecord;
use rekindle_train::TrainError;

use crate::baselines::Baseline;
use crate::contrastive::ContrastiveFineTuning;
use crate::defaults::Defaults;
use crate::error::ExperimentError;
use crate::fine_tuning::FineTuning;
use crate::probe::Probe;
use crate::progress::Observer;
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::trained_model::TrainedModel;

/// An approach: a way to learn to classify from labelled examples.
///
/// It is parsed from the grammar of the command line: `NAME[:OPTION=VALUE]…`, for example `full:layer-decay=0.9`.
#[derive(Clone, Debug)]
pub struct Approach {
    /// The name in results and reports.
    pub name: String,
    /// The approach in the grammar of the command line, for example `lora:r=16:lr=1e-3`.
    pub spec: String,
    pub(crate) learner: Arc<dyn Learner>,
}

/// Parses the name of an approach. Returns the name in results and the learner with its default options.
type NameParser = fn(&str) -> Option<(String, Box<dyn Learner>)>;

/// The parsers, one per kind of approach.
const KINDS: [NameParser; 4] =
    [FineTuning::parse_name, Probe::parse_name, ContrastiveFineTuning::parse_name, Baseline::parse_name];

/// The names in the grammar, for error messages.
const NAMES: &str =
    "feature-extraction, last-layer, last-N, full, gradual, lora, bitfit, probe, contrastive, majority and tfidf";

/// How an approach learns, with its options.
pub(crate) trait Learner: Any + fmt::Debug + Send + Sync {
    /// Sets what the options of the grammar do not name: the values of `defaults`, or one learning rate for all parameters.
    fn use_defaults(&mut self, defaults: Defaults, learning_rate: Option<f64>) {
        let _ = (defaults, learning_rate);
    }

    /// Sets an option of the grammar.
    fn set(&mut self, key: &str, value: &str) -> Result<(), String>;

    /// Returns an error if the options contradict each other.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }

    /// Returns the highest learning rate and the weight decay, for the record: 0 without gradient descent.
    fn rates(&self) -> [f64; 2] {
        [0.0; 2]
    }

    /// Returns whether runs differ by seed. Others are run with the first seed only.
    fn is_seeded(&self) -> bool {
        true
    }

    /// Returns whether there is a model to save.
    fn has_model(&self) -> bool {
        true
    }

    /// Returns the numbers of trainable and of all parameters; 0 without a model.
    fn parameters(&self, context: &RunContext<'_>) -> Result<[usize; 2], TrainError>;

    /// Returns the number of parameters of the model to save, whose adapters are merged.
    fn saved_parameters(&self, context: &RunContext<'_>) -> usize {
        context.model.num_params()
    }

    /// Returns an estimate of the cost of a run, in forward and backward passes over examples.
    fn cost(&self, context: &RunContext<'_>, spec: &RunSpec) -> f64;

    /// Learns from the training examples of a run.
    fn fit(
        &self,
        context: &mut RunContext<'_>,
        spec: &RunSpec,
        observer: &mut Observer<'_>,
    ) -> Result<Fitted, ExperimentError>;
}

/// What a learner has learned.
pub(crate) struct Fitted {
    pub(crate) predictor: Box<dyn Predictor>,
    /// Steps, epochs and times; scores are added by the test.
    pub(crate) record: RunRecord,
}

/// A classifier of the examples of an experiment.
pub(crate) trait Predictor {
    /// Returns the logits of examples, row-major `[examples, classes]`: their softmax is the probability of each class.
    fn logits(
        &self,
        context: &RunContext<'_>,
        rows: &[usize],
        observer: &mut Observer<'_>,
    ) -> Result<Vec<f32>, ExperimentError>;

    /// Returns the model to save, if there is one.
    fn into_model(self: Box<Self>) -> Option<TrainedModel>;
}

impl Approach {
    /// Returns `feature-extraction` with the settings of the notebook: the encoder frozen, learning rate 2e-3, no weight decay.
    /// The notebook's `feature_extraction_freeze_all`.
    pub fn feature_extraction() -> Self {
        Self::fine_tuning_named("feature-extraction")
    }

    /// Returns `last-layer` with the settings of the notebook: the last transformer layer and the head trainable, learning rate
    /// 2e-5, weight decay 0.01. The notebook's `fine_tune_last_layer`.
    pub fn last_layer() -> Self {
        Self::fine_tuning_named("last-layer")
    }

    /// Returns the two approaches of the notebook, in its order.
    pub fn notebook() -> Vec<Self> {
        vec![Self::feature_extraction(), Self::last_layer()]
    }

    /// Returns the approaches that are compared on a user's data by default: those of the notebook, and the linear probe,
    /// which needs one pass of the encoder.
    pub fn usual() -> Vec<Self> {
        let probe = Self { name: "probe".into(), spec: "probe".into(), learner: Arc::new(Probe::default()) };
        Self::notebook().into_iter().chain([probe]).collect()
    }

    /// Returns the baselines: the majority class, and TF-IDF with logistic regression.
    pub fn baselines() -> Vec<Self> {
        let of = |(spec, name, baseline)| Self {
            name: String::from(name),
            spec: String::from(spec),
            learner: Arc::new(baseline) as Arc<dyn Learner>,
        };
        Baseline::all().map(of).into()
    }

    fn fine_tuning_named(spec: &str) -> Self {
        let (name, learner) = FineTuning::named(spec).unwrap_or_else(|| (spec.into(), FineTuning::default()));
        Self { name, spec: spec.into(), learner: Arc::new(learner) }
    }

    /// Returns the settings of the fine-tuning, if the approach is one.
    pub fn fine_tuning(&self) -> Option<&FineTuning> {
        let learner: &dyn Any = &*self.learner;
        learner.downcast_ref()
    }

    /// Parses a list, for example `feature-extraction,last-2,lora:r=16`, with the values of the notebook where it names none;
    /// [`with_defaults`](Self::with_defaults) has those for other data.
    ///
    /// # Errors
    /// Returns an error if the list is empty, or if an approach is unknown or given twice.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, ExperimentError> {
        let mut approaches: Vec<Self> = Vec::new();
        for spec in list.split(',').map(str::trim) {
            let approach: Self = spec.parse()?;
            if approaches.iter().any(|earlier| earlier.name == approach.name) {
                return Err(ExperimentError::RepeatedApproach { name: spec.into() });
            }
            approaches.push(approach);
        }
        Ok(approaches)
    }

    /// Returns the approach with the values of `defaults`, or with one learning rate for all parameters, where its spec names
    /// none.
    ///
    /// # Errors
    /// Returns an error if the spec is not valid.
    pub fn with_defaults(&self, defaults: Defaults, learning_rate: Option<f64>) -> Result<Self, ExperimentError> {
        Self::parse(&self.spec, defaults, learning_rate)
    }

    /// Returns whether the approach trains by gradient descent, so that a learning rate has an effect.
    pub fn has_learning_rate(&self) -> bool {
        self.learner.rates()[0] > 0.0
    }

    /// Returns the name in sentences.
    pub(crate) fn label(&self) -> String {
        match self.spec.as_str() {
            "majority" => "majority".into(),
            "tfidf" => "TF-IDF".into(),
            spec => format!("`{spec}`"),
        }
    }

    /// Adds the approach to the error of a training.
    pub(crate) fn failed(&self, source: TrainError) -> ExperimentError {
        ExperimentError::Train { approach: self.name.clone(), source }
    }
}

impl FromStr for Approach {
    type Err = ExperimentError;

    /// Parses `NAME[:OPTION=VALUE]…`, for example `full:layer-decay=0.9` or `lora:r=16:targets=q_lin+v_lin:lr=1e-3`, with
    /// [`Defaults::Notebook`].
    fn from_str(spec: &str) -> Result<Self, ExperimentError> {
        Self::parse(spec, Defaults::Notebook, None)
    }
}

impl Approach {
    fn parse(spec: &str, defaults: Defaults, learning_rate: Option<f64>) -> Result<Self, ExperimentError> {
        let refuse = |reason: String| ExperimentError::Approach { spec: spec.into(), reason };
        let mut parts = spec.split(':');
        // Python spells names with underscores.
        let given = parts.next().unwrap_or_default().replace('_', "-");
        let known = KINDS.iter().find_map(|parse| parse(&given));
        let (mut name, mut learner) = known.ok_or_else(|| refuse(format!("unknown approach; expected {NAMES}")))?;
        learner.use_defaults(defaults, learning_rate);
        let mut seen = Vec::new();
        for part in parts {
            let (key, value) =
                part.split_once('=').ok_or_else(|| refuse(format!("`{part}`: expected OPTION=VALUE")))?;
            let key = key.replace('_', "-");
            if seen.contains(&key) {
                return Err(refuse(format!("`{key}` is given twice")));
            }
            seen.push(key.clone());
            learner.set(&key, value).map_err(|reason| refuse(format!("`{part}`: {reason}")))?;
            // The name is also the name of a folder.
            let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_");
            let joint = if value.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "_" };
            name.push_str(&format!("_{}{joint}{}", plain(&key), plain(value)));
        }
        learner.validate().map_err(refuse)?;
        let spec = [&given[..]].into_iter().chain(spec.split(':').skip(1)).collect::<Vec<_>>().join(":");
        Ok(Self { name, spec, learner: Arc::from(learner) })
    }
}

impl fmt::Display for Approach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spec)
    }
}

/// Returns the error for an option that a learner does not have.
pub(crate) fn unknown_option(key: &str, expected: &str) -> String {
    format!("unknown option `{key}`; expected {expected}")
}

/// Parses a finite number of at least 0.
pub(crate) fn number(value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "expected a number of at least 0".into())
}

/// Parses a finite number above 0.
pub(crate) fn positive(value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected a number above 0".into())
}

/// Parses a whole number of at least 1.
pub(crate) fn count(value: &str) -> Result<usize, String> {
    value.parse().ok().filter(|&count| count > 0).ok_or_else(|| "expected a whole number of at least 1".into())
}

#[cfg(test)]
mod tests {
    use rekindle_distilbert::{DistilBertConfig, LoraConfig};

    use super::*;
    use crate::fine_tuning::Method;

    #[test]
    fn names_and_options_are_parsed() {
        let list =
            "feature-extraction,last-2,full:layer-decay=0.9,lora:r=16:targets=q_lin+lin1,full:pooling=mean:lr=1e-3";
        let approaches = Approach::parse_list(list).expect("valid");
        let names: Vec<&str> = approaches.iter().map(|approach| approach.name.as_str()).collect();
        let expected = [
            "feature_extraction_freeze_all",
            "fine_tune_last_2_layers",
            "fine_tune_all_layer_decay0.9",
            "lora_r16_targets_q_lin_lin1",
            "fine_tune_all_pooling_mean_lr1e_3",
        ];
        assert_eq!(names, expected);
        let settings: Vec<&FineTuning> = approaches.iter().filter_map(Approach::fine_tuning).collect();
        assert_eq!((settings[2].layer_decay, settings[4].learning_rate), (0.9, 1e-3));
        let lora = LoraConfig { r: 16, lora_alpha: 8.0, target_modules: vec!["q_lin".into(), "lin1".into()] };
        assert_eq!(settings[3].method, Method::Lora(lora));
    }

    #[test]
    fn a_rate_that_the_user_names_replaces_the_default_of_all_parameters() {
        let parsed = |spec: &str, defaults, rate| {
            let approach = spec.parse::<Approach>().expect(spec).with_defaults(defaults, rate).expect(spec);
            approach.fine_tuning().expect("a fine-tuning").clone()
        };
        let rates = |spec: &str, rate| {
            let settings = parsed(spec, Defaults::OwnData, rate);
            (settings.learning_rate, settings.head_learning_rate)
        };
        let defaults = Defaults::OwnData.rates(&Method::LastLayers(2));
        assert_eq!(rates("last-2", None), (defaults.learning_rate, defaults.head_learning_rate));
        assert_eq!(rates("last-2:lr=5e-4", None), (5e-4, None));
        assert_eq!(rates("last-2:head-lr=1e-2:lr=5e-4", None), (5e-4, Some(1e-2)));
        assert_eq!(rates("last-2", Some(1e-4)), (1e-4, None));
        assert_eq!(rates("last-2:lr=5e-4", Some(1e-4)), (5e-4, None));
        assert_eq!(rates("last-2:head-lr=1e-2", Some(1e-4)), (1e-4, Some(1e-2)));
        for (spec, expected) in ["feature-extraction", "last-layer"].into_iter().zip(Approach::notebook()) {
            assert_eq!(Some(&parsed(spec, Defaults::Notebook, None)), expected.fine_tuning());
        }
        assert_eq!(parsed("last-layer", Defaults::Notebook, None).learning_rate, 2e-5);
        let plan = parsed("last-2:lr=1e-4:head-lr=1e-3", Defaults::OwnData, None).plan(&DistilBertConfig::default());
        let rates: Vec<f64> = plan.expect("a plan").groups.iter().map(|group| group.rate).collect();
        assert_eq!(rates, [1.0, 0.1, 0.1]);
    }

    #[test]
    fn underscores_are_read_as_hyphens() {
        let parse = |list: &str| Approach::parse_list(list).expect("valid");
        let names = |list: &str| parse(list).into_iter().map(|one| (one.name, one.spec)).collect::<Vec<_>>();
        let underscores = names("feature_extraction,last_layer,last_2:lr=1");
        assert_eq!(underscores, names("feature-extraction,last-layer,last-2:lr=1"));
        assert_eq!(names("full:layer_decay=0.9")[0].0, names("full:layer-decay=0.9")[0].0);
        assert!(Approach::parse_list("last_layer,last-layer").is_err());
    }

    #[test]
    fn errors_name_the_wrong_part() {
        for (list, part) in [
            ("last-layr", "last-layer"),
            ("last-0", "unknown"),
            ("", "unknown"),
            ("lora:r=0", "`r=0`"),
            ("lora:targets=q_lin+w", "`w`"),
            ("lora:alpha=0", "lora_alpha"),
            ("full:r=8", "unknown option `r`"),
            ("full:lr", "OPTION=VALUE"),
            ("full:lr=1:lr=2", "twice"),
            ("full:lr=nan", "at least 0"),
            ("full:head-lr=0", "above 0"),
            ("feature-extraction:head-lr=1e-3", "unknown option `head-lr`"),
            ("last-layer,last-1", "twice"),
            ("probe:C=0", "above 0"),
            ("probe:layers=first", "layers=lastN"),
            ("probe:layers=last0", "at least 1"),
            ("probe:lr=1", "expected C, layers and pooling"),
            ("contrastive:loss=hinge", "loss=supcon"),
            ("contrastive:wd=0.1", "unknown option `wd`"),
            ("contrastive:r=0", "at least 1"),
            ("contrastive,setfit", "twice"),
            ("majority:C=1", "no options"),
            ("tfidf:C=0", "above 0"),
            ("tfidf:lr=1", "expected C"),
        ] {
            let error = Approach::parse_list(list).expect_err(list).to_string();
            assert!(error.contains(part), "`{part}` in {error}");
        }
    }
}
