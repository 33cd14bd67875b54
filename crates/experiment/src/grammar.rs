//! The grammar of the command line for approaches: `NAME[:OPTION=VALUE]…`, separated by commas.

use std::str::FromStr;
use std::sync::Arc;

use crate::approach::Approach;
use crate::approaches::KINDS;
use crate::defaults::{Defaults, Overrides};
use crate::error::ExperimentError;

impl Approach {
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

    /// Returns the approach with the values of `overrides`, or else of `defaults`, where its spec names none.
    ///
    /// # Errors
    /// Returns an error if the spec is not valid.
    pub fn with_defaults(&self, defaults: Defaults, overrides: Overrides) -> Result<Self, ExperimentError> {
        match self.search() {
            Some(search) => Ok(search.with_defaults(defaults, overrides)?.into_approach(&self.name)),
            None => Self::parse(&self.spec, defaults, overrides),
        }
    }
}

impl FromStr for Approach {
    type Err = ExperimentError;

    /// Parses `NAME[:OPTION=VALUE]…`, for example `full:layer-decay=0.9` or `lora:r=16:targets=q_lin+v_lin:lr=1e-3`, with
    /// [`Defaults::Notebook`].
    fn from_str(spec: &str) -> Result<Self, ExperimentError> {
        Self::parse(spec, Defaults::Notebook, Overrides::default())
    }
}

impl Approach {
    fn parse(spec: &str, defaults: Defaults, overrides: Overrides) -> Result<Self, ExperimentError> {
        let refuse = |reason: String| ExperimentError::Approach { spec: spec.into(), reason };
        let mut parts = spec.split(':');
        let given = canonical(parts.next().unwrap_or_default());
        let known = KINDS.iter().find_map(|kind| (kind.parse)(&given));
        let unknown = || refuse(format!("unknown approach; expected {}", names()));
        let (mut name, mut learner) = known.ok_or_else(unknown)?;
        learner.use_defaults(defaults, overrides);
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

/// Returns the name of an approach as the command line spells it: in lower case and with hyphens, where Python has underscores,
/// and without what the names in results add.
fn canonical(name: &str) -> String {
    let name = name.to_lowercase().replace('_', "-");
    let fine_tuned = name.strip_prefix("fine-tune-").map(|rest| rest.strip_suffix("-layers").unwrap_or(rest));
    match fine_tuned.unwrap_or(&name) {
        "all" if fine_tuned.is_some() => "full",
        "feature-extraction-freeze-all" => "feature-extraction",
        "gradual-unfreezing" => "gradual",
        "tfidf-logistic-regression" | "tf-idf" => "tfidf",
        name => name,
    }
    .into()
}

/// Returns the names of all approaches, for error messages.
fn names() -> String {
    let names: Vec<&str> = KINDS.iter().flat_map(|kind| kind.names).copied().collect();
    match &names[..] {
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use rekindle_encoders::{EncoderConfig, LoraConfig};

    use super::*;
    use crate::approaches::{FineTuning, Method};

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
        let parsed = |spec: &str, defaults, learning_rate| {
            let overrides = Overrides { learning_rate, ..Overrides::default() };
            let approach = spec.parse::<Approach>().expect(spec).with_defaults(defaults, overrides).expect(spec);
            approach.fine_tuning().expect("a fine-tuning").clone()
        };
        let rates = |spec: &str, rate| {
            let settings = parsed(spec, Defaults::OwnData, rate);
            (settings.learning_rate, settings.head_learning_rate)
        };
        let defaults = Method::LastLayers(2).rates(Defaults::OwnData);
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
        let plan = parsed("last-2:lr=1e-4:head-lr=1e-3", Defaults::OwnData, None).plan(&EncoderConfig::default());
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
        assert_eq!(names("LoRA:r=4,TF-IDF:C=2"), names("lora:r=4,tfidf:C=2"));
        for spec in
            ["feature-extraction", "last-layer", "last-2", "full", "gradual", "bitfit", "probe", "majority", "tfidf"]
        {
            let name = names(spec)[0].0.clone();
            assert_eq!(names(&name), names(spec), "the name in the results");
        }
        assert!("all".parse::<Approach>().is_err() && "fine-tune-3".parse::<Approach>().is_err());
    }

    #[test]
    fn errors_name_the_wrong_part() {
        for (list, part) in [
            ("last-layr", "last-layer"),
            ("last-0", "unknown"),
            ("", "unknown"),
            ("lora:r=0", "`r=0`"),
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
            ("probe:names=0", "at least 1"),
            ("probe:lr=1", "expected C, layers, names and pooling"),
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
