//! Labelled text: readers for CSV, TSV and JSONL, and scikit-learn's stratified splits row by row.
