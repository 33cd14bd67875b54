//! Groups of rows that stay together in a split.

use std::collections::BTreeSet;

/// Returns the groups of rows that two relations connect, also indirectly: `groups` and `others` have the group of each row by one
/// relation, numbered from 0. A group has the number of the first of `groups` in it, without gaps: if each of `others` lies within
/// one of `groups`, the result is `groups`.
pub(crate) fn connected(groups: &[usize], others: &[usize]) -> Vec<usize> {
    let mut parents: Vec<usize> = (0..groups.iter().max().map_or(0, |last| last + 1)).collect();
    let mut first_of = vec![None; others.iter().max().map_or(0, |last| last + 1)];
    for (&group, &other) in groups.iter().zip(others) {
        let first = *first_of[other].get_or_insert(group);
        join(&mut parents, first, group);
    }
    let roots: Vec<usize> = groups.iter().map(|&group| root(&mut parents, group)).collect();
    group_numbers(&roots)
}

/// Connects two groups; the smaller of their representatives is that of both.
pub(crate) fn join(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b)] = a.min(b);
}

/// Returns the representative of a group, and shortens the way to it.
pub(crate) fn root(parents: &mut [usize], mut group: usize) -> usize {
    while parents[group] != group {
        parents[group] = parents[parents[group]];
        group = parents[group];
    }
    group
}

/// Numbers groups from 0 without gaps, in the order of their numbers: those of some rows of a data set, for example.
pub fn group_numbers(groups: &[usize]) -> Vec<usize> {
    let distinct: Vec<usize> = groups.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    groups.iter().map(|group| distinct.partition_point(|other| other < group)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_connected_over_several_rows() {
        let alone: Vec<usize> = (0..6).collect();
        assert_eq!(connected(&[2, 2, 0, 1, 1, 0], &alone), [2, 2, 0, 1, 1, 0]);
        assert_eq!(connected(&[0, 0, 1, 1, 2, 3], &[0, 1, 1, 2, 3, 2]), [0, 0, 0, 0, 1, 0]);
        assert_eq!(connected(&[0, 1, 2, 3, 4, 5], &[0, 1, 2, 2, 1, 0]), [0, 1, 2, 2, 1, 0]);
        assert_eq!(connected(&[], &[]), [] as [usize; 0]);
    }

    #[test]
    fn groups_of_some_rows_have_no_gaps() {
        assert_eq!(group_numbers(&[7, 3, 7, 10]), [1, 0, 1, 2]);
    }
}
