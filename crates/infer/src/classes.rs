//! The classes of a trained head, and those of a data set.

use rekindle_checkpoint::ClassMatch;

/// How a trained head serves other classes.
pub(crate) enum Rows {
    /// Row by row, as it is.
    AsTheyAre(Option<ClassMatch>),
    /// The row of each class, by its name. A class that is reported as unknown has any row, to be initialised.
    Selected(Vec<usize>, ClassMatch),
}

/// Matches the classes of a head by name, the case aside, as transformers' run_glue does.
///
/// If all classes of the data are in the head, its rows are selected. If none is, the rows keep their order, if their number
/// is right: names such as `LABEL_0` say nothing. If some are, they have their rows, and the rows of the others are initialised.
/// `parameters` have the rows.
pub(crate) fn rows(head: &[String], classes: &[String], parameters: [String; 2]) -> Rows {
    if head == classes {
        return Rows::AsTheyAre(None);
    }
    let row = |class: &String| {
        let same = |name: &&String| name.to_lowercase() == class.to_lowercase();
        let exact = head.iter().position(|name| name == class);
        exact.or_else(|| match head.iter().filter(same).count() {
            1 => head.iter().position(|name| same(&name)),
            _ => None,
        })
    };
    let found: Vec<Option<usize>> = classes.iter().map(row).collect();
    let unknown: Vec<String> =
        classes.iter().zip(&found).filter(|(_, row)| row.is_none()).map(|(class, _)| class.clone()).collect();
    if unknown.is_empty() {
        let rows: Vec<usize> = found.into_iter().flatten().collect();
        let unused = head.iter().enumerate().filter(|(row, _)| !rows.contains(row)).map(|(_, name)| name.clone());
        let unused = unused.collect();
        return Rows::Selected(rows, ClassMatch::ByName { unused });
    }
    if unknown.len() < classes.len() {
        let rows = found.into_iter().map(Option::unwrap_or_default).collect();
        let parameters = parameters.to_vec();
        return Rows::Selected(rows, ClassMatch::Partly { unknown, head: head.to_vec(), parameters });
    }
    let by_position = head.len() == classes.len();
    Rows::AsTheyAre(by_position.then(|| ClassMatch::ByPosition { head: head.to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::{ClassMatch, Rows};

    fn rows(head: &[String], classes: &[String]) -> Rows {
        super::rows(head, classes, ["classifier.weight", "classifier.bias"].map(String::from))
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn rows_are_selected_by_name_whatever_the_case() {
        let head = names(&["Positive", "NEGATIVE", "neutral"]);
        let Rows::Selected(selected, report) = rows(&head, &names(&["negative", "positive"])) else {
            panic!("selected")
        };
        assert_eq!(selected, [1, 0]);
        assert_eq!(report, ClassMatch::ByName { unused: names(&["neutral"]) });
        let Rows::Selected(selected, _) = rows(&names(&["us", "US"]), &names(&["US", "us"])) else {
            panic!("selected")
        };
        assert_eq!(selected, [1, 0], "an equal name comes first");
    }

    #[test]
    fn names_that_do_not_match_are_reported() {
        assert!(matches!(rows(&names(&["a", "b"]), &names(&["a", "b"])), Rows::AsTheyAre(None)));
        let Rows::AsTheyAre(report) = rows(&names(&["LABEL_0", "LABEL_1"]), &names(&["bad", "good"])) else { panic!() };
        assert_eq!(report, Some(ClassMatch::ByPosition { head: names(&["LABEL_0", "LABEL_1"]) }));
        let Rows::AsTheyAre(report) = rows(&names(&["LABEL_0"]), &names(&["bad", "good"])) else { panic!() };
        assert_eq!(report, None, "another number of classes: the shape says so");
        let Rows::Selected(selected, report) = rows(&names(&["bad", "good"]), &names(&["good", "mixed"])) else {
            panic!()
        };
        let (head, parameters) = (names(&["bad", "good"]), names(&["classifier.weight", "classifier.bias"]));
        assert_eq!(report, ClassMatch::Partly { unknown: names(&["mixed"]), head, parameters });
        assert_eq!(selected[0], 1);
        assert!(matches!(rows(&names(&["us", "Us"]), &names(&["US"])), Rows::AsTheyAre(None)), "two names match");
    }
}
