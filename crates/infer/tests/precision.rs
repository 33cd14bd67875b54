//! Models in int8.

use rekindle_encoders::Family;
use rekindle_infer::{ErrorKind, LinearPrecision, Prediction};

use crate::common::random;

#[test]
fn models_of_every_family_predict_in_int8() {
    for family in Family::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let classifier = random(family, folder.path());
        let texts = ["a fine film", "", "not bad at all, and then some more words about nothing"];
        let plain = classifier.predict(&texts).expect("predictions");
        let int8 = classifier.clone().with_precision(LinearPrecision::Int8).expect("int8");
        assert_eq!((classifier.precision(), int8.precision()), (LinearPrecision::F32, LinearPrecision::Int8));
        let together = int8.predict(&texts).expect("predictions");
        assert_ne!(together, plain, "{family}");
        let logits =
            |predictions: &[Prediction]| predictions.iter().flat_map(|row| row.logits.clone()).collect::<Vec<_>>();
        let (ours, theirs) = (logits(&together), logits(&plain));
        let range = theirs.iter().fold(0f32, |most, logit| most.max(logit.abs()));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert!((ours - theirs).abs() < 0.1 * range, "{family}: {ours}, {theirs} in f32");
        }
        // Each token has a scale of its own, so that a text does not depend on its batch.
        let alone = texts.map(|text| int8.classify(&[text], int8.max_length(), 1).expect("a prediction").remove(0));
        for (alone, together) in logits(&alone).iter().zip(&ours) {
            assert!((alone - together).abs() < 1e-5 * range.max(1.0), "{family}");
        }

        assert_eq!(int8.num_params(), classifier.num_params());
        let error = int8.explain("a film", None, 4, 8).expect_err("no derivative");
        assert!(error.to_string().contains("int8") && error.kind() == ErrorKind::Argument, "{error}");
        let error = int8.with_precision(LinearPrecision::F32).expect_err("the weights are gone");
        assert!(error.to_string().contains("load the model again"), "{error}");
    }
}
