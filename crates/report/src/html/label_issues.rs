//! The section with suspected label errors.

use maud::{Markup, html};

use rekindle_results::{LabelIssueRecord, LabelIssuesRecord, Results};

use super::misclassified::{place, texts};
use super::{Section, label, name, scrolling, thousands};

/// Examples in the table.
const TABLE: usize = 20;

const TITLE: &str = "Suspected label errors";

/// The examples whose given label is least probable, compared with another class.
pub(super) fn section(results: &Results) -> Option<Section> {
    let LabelIssuesRecord { approach, method, examples, issues, .. } = results.label_issues.as_ref()?;
    let first = &issues[..issues.len().min(TABLE)];
    let body = html! {
        p.note {
            @if issues.is_empty() { "None of " (thousands(examples)) " labels is" }
            @else if issues.len() == 1 { "1 of " (thousands(examples)) " labels is" }
            @else { (thousands(issues.len())) " of " (thousands(examples)) " labels are" }
            " probably wrong, by the probabilities of " (name(label(results, approach)))
            ", the best approach, in runs that were not trained on the example, with cleanlab's filter " code { (method) } ". "
            @if !issues.is_empty() {
                "The margin is the probability of the given class minus that of the suspected one; the smallest are first. "
                "label_issues.csv has all of them. Read the texts before you correct labels: some are only difficult."
            }
        }
        @if !first.is_empty() { (table(results, first)) }
    };
    Some(Section { id: "label-issues", title: TITLE, body })
}

fn table(results: &Results, issues: &[LabelIssueRecord]) -> Markup {
    let class = |index: usize| results.data.classes.get(index).map_or("?", String::as_str);
    let table = html! {
        table.reflow.misclassified {
            thead {
                tr { @for heading in ["Text", "Given class", "Suspected class", "Margin"] { th scope="col" { (heading) } } }
            }
            tbody {
                @for issue in issues {
                    tr {
                        td.text {
                            (texts(&issue.text, issue.text_pair.as_deref())) " "
                            span.row { (place(results, issue.row, issue.line)) }
                        }
                        td data-label="Given class" { span.class { (name(class(issue.given))) } }
                        td data-label="Suspected class" { span.class { (name(class(issue.suspected))) } }
                        td data-label="Margin" { (crate::format::minus(format!("{:.3}", issue.margin))) }
                    }
                }
            }
        }
    };
    scrolling(TITLE, table)
}
