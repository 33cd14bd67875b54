//! Batches sampled by class, so that every batch has pairs within classes and between them.

use std::collections::BTreeMap;

use rekindle_data::Mt19937;

use crate::arguments::Shuffle;

/// How many examples of a class a batch has at least, if the class has as many.
const PER_CLASS: usize = 2;
/// How many examples of a class an epoch uses at most, and how many examples of all classes.
const MOST_PER_CLASS: usize = 64;
const MOST: usize = 4096;

/// Samples batches that hold several examples of each of their classes.
///
/// Classes take turns, and so do the examples of a class, both in an order that is drawn per epoch. All classes are
/// therefore sampled equally often. A batch is full and holds no example twice.
///
/// The number of pairs is bounded: an epoch uses at most 64 examples of a class and, with many classes, about 4,096 in all,
/// but at least two per class. Which ones depends on the epoch.
#[derive(Clone, Debug)]
pub(crate) struct ClassBatches {
    /// The examples of each class that has any.
    classes: Vec<Vec<usize>>,
    /// Examples per batch.
    size: usize,
    /// Batches per epoch.
    count: usize,
}

impl ClassBatches {
    /// Samples batches of at most so many of the examples with these labels.
    pub(crate) fn new(labels: &[usize], batch_size: usize) -> Self {
        let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (example, &label) in labels.iter().enumerate() {
            classes.entry(label).or_default().push(example);
        }
        let classes: Vec<Vec<usize>> = classes.into_values().collect();
        let most = (MOST / classes.len().max(1)).clamp(PER_CLASS, MOST_PER_CLASS);
        let used: usize = classes.iter().map(|examples| examples.len().min(most)).sum();
        let size = batch_size.clamp(1, labels.len().max(1));
        Self { classes, size, count: used.div_ceil(size) }
    }

    /// Returns the number of examples per epoch, those that occur in several batches counted each time.
    pub(crate) fn examples(&self) -> usize {
        self.size * self.count
    }

    /// Returns the number of pairs per epoch.
    pub(crate) fn pairs(&self) -> usize {
        self.count * (self.size * self.size.saturating_sub(1) / 2)
    }

    /// Returns whether two classes have examples, and one of them has two.
    pub(crate) fn have_pairs(&self) -> bool {
        self.classes.len() > 1 && self.classes.iter().any(|examples| examples.len() > 1)
    }

    /// Returns the examples of all batches of an epoch, one batch after the other.
    pub(crate) fn order(&self, seed: u64, epoch: usize, shuffle: Shuffle) -> Vec<usize> {
        let mut generator = Mt19937::new(seed.wrapping_add(epoch as u64) as u32);
        let mut turns = |count| match shuffle {
            Shuffle::Reference => generator.torch_permutation(count).into_iter().cycle(),
            Shuffle::None => (0..count).collect::<Vec<_>>().into_iter().cycle(),
        };
        let mut classes = turns(self.classes.len());
        let mut examples: Vec<_> = self.classes.iter().map(|examples| turns(examples.len())).collect();
        let per_class = self.size.div_ceil(self.classes.len().max(1)).max(PER_CLASS);
        let mut order = Vec::with_capacity(self.examples());
        for _ in 0..self.count {
            let end = order.len() + self.size;
            let mut taken = vec![0; self.classes.len()];
            while order.len() < end {
                let Some(class) = classes.next() else { return order };
                let left = self.classes[class].len() - taken[class];
                let count = per_class.min(left).min(end - order.len());
                order.extend(examples[class].by_ref().take(count).map(|example| self.classes[class][example]));
                taken[class] += count;
            }
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use super::*;

    /// Labels of classes with so many examples.
    fn labels(sizes: &[usize]) -> Vec<usize> {
        sizes.iter().enumerate().flat_map(|(class, &size)| vec![class; size]).collect()
    }

    #[test]
    fn every_batch_has_positives_and_no_example_twice() {
        for (sizes, batch_size) in [
            (vec![8, 8], 16),
            (vec![8, 8], 32),
            (vec![3, 13], 16),
            (vec![1, 1, 9], 4),
            (vec![8; 77], 32),
            (vec![0, 2, 0, 5], 3),
            (vec![5000, 20], 16),
        ] {
            let labels = labels(&sizes);
            let batches = ClassBatches::new(&labels, batch_size);
            for epoch in 0..3 {
                let order = batches.order(7, epoch, Shuffle::Reference);
                assert_eq!(order.len(), batches.examples(), "{sizes:?}");
                for batch in order.chunks(batch_size) {
                    assert_eq!(batch.len(), batch_size.min(labels.len()), "{sizes:?}: batches are full");
                    let distinct: BTreeSet<_> = batch.iter().collect();
                    assert_eq!(distinct.len(), batch.len(), "{sizes:?}");
                    let classes: BTreeSet<_> = batch.iter().map(|&example| labels[example]).collect();
                    assert!((2..batch.len()).contains(&classes.len()), "{sizes:?}: {classes:?}");
                }
            }
        }
    }

    #[test]
    fn classes_and_their_examples_take_turns() {
        let labels = labels(&[8; 20]);
        let order = ClassBatches::new(&labels, 16).order(1, 0, Shuffle::Reference);
        let mut counts: HashMap<usize, usize> = HashMap::new();
        order.iter().for_each(|&example| *counts.entry(example).or_default() += 1);
        assert!(counts.len() == 160 && counts.values().all(|&count| count == 1));
        let rare = ClassBatches::new(&labels_of_a_rare_class(), 16).order(1, 0, Shuffle::Reference);
        assert_eq!(
            rare.iter().filter(|&&example| example >= 60).count() * 2,
            rare.len(),
            "as often as the other class"
        );
    }

    fn labels_of_a_rare_class() -> Vec<usize> {
        labels(&[60, 8])
    }

    #[test]
    fn seed_and_epoch_decide() {
        let batches = ClassBatches::new(&labels(&[9, 9, 9]), 6);
        let order = |seed, epoch| batches.order(seed, epoch, Shuffle::Reference);
        assert_eq!(order(3, 1), order(3, 1));
        assert!(order(3, 1) != order(3, 0) && order(3, 1) != order(5, 1));
        assert_eq!(batches.order(3, 1, Shuffle::None)[..6], [0, 1, 9, 10, 18, 19]);
    }

    #[test]
    fn the_number_of_pairs_is_bounded() {
        let large = ClassBatches::new(&labels(&[50_000, 50_000]), 16);
        assert_eq!((large.examples(), large.pairs()), (128, 8 * 120));
        let many = ClassBatches::new(&labels(&[30; 1000]), 32);
        assert_eq!((many.examples(), many.pairs()), (4000, 125 * 496));
        let few = ClassBatches::new(&labels(&[8, 8]), 32);
        assert_eq!((few.examples(), few.pairs()), (16, 120));
    }

    #[test]
    fn pairs_need_two_classes_and_two_examples_of_one() {
        for (sizes, expected) in [(vec![2, 1], true), (vec![1, 1, 1], false), (vec![5], false), (vec![], false)] {
            assert_eq!(ClassBatches::new(&labels(&sizes), 8).have_pairs(), expected, "{sizes:?}");
        }
    }
}
