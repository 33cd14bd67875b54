//! Scores for classification: predictions and labels in, scikit-learn's numbers out.
