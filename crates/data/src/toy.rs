//! The built-in example data.

use crate::classes::Classes;
use crate::dataset::{Dataset, Example};
use crate::target::{Target, Task};

const SENTENCES: [(&str, usize); 12] = [
    ("I love this system, it works perfectly.", 1),
    ("This is amazing and very helpful.", 1),
    ("Great experience, I am satisfied.", 1),
    ("Fantastic results and easy to use.", 1),
    ("I hate this tool, it is terrible.", 0),
    ("This is disappointing and buggy.", 0),
    ("Worst experience ever, useless.", 0),
    ("It keeps failing and wasting my time.", 0),
    ("Not bad, acceptable.", 1),
    ("Okay, could be improved.", 1),
    ("I am happy with the output.", 1),
    ("I am not satisfied with this.", 0),
];

/// Returns twelve short opinions with the classes 0 (negative) and 1 (positive).
pub fn twelve_sentences() -> Dataset {
    let example = |((text, label), line): ((&str, usize), u64)| Example {
        text: text.into(),
        text_pair: None,
        target: Target::Class(label),
        line,
        group: None,
        time: None,
    };
    let examples = SENTENCES.into_iter().zip(1..).map(example).collect();
    let classes = Classes::from_labels(["0", "1"]);
    Dataset { task: Task::SingleLabel, examples, classes, unit: "row", ..Dataset::default() }
}
