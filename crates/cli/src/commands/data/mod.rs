//! `rekindle data`.

mod leaks;
mod long_texts;
mod near_texts;
mod part;
mod wording;

use std::path::{Path, PathBuf};

use clap::Args;
use rekindle::data::{Leaks, Profile, ReadOptions, Row, Rows};
use serde_json::json;

use self::leaks::{leaks_json, print_against, print_group_leaks, print_not_newer};
use self::long_texts::Limits;
use self::near_texts::NearTexts;
use self::part::Part;
use crate::exit::Failure;
use crate::options::groups::check_times;
use crate::options::model::{self, Found, ModelChoice};
use crate::options::{DataFileArgs, GroupArgs, LabelArgs, MIN_LENGTH, at_least};
use crate::terminal::{Display, Verbosity};

/// The options of `rekindle data`.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct DataArgs {
    /// Labelled texts (CSV, TSV, JSON or JSONL, each also in gzip or zip, or Parquet). Files of any size are read once, in
    /// little memory, except with --near-duplicates.
    #[arg(value_name = "FILE", required_unless_present = "data")]
    pub file: Option<PathBuf>,
    /// The same as FILE.
    #[arg(long, value_name = "FILE", conflicts_with = "file", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// Labelled texts to test on; reports test texts that are in the first file too, and labels that it lacks.
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub test: Option<PathBuf>,
    #[command(flatten)]
    pub data_file: DataFileArgs,
    #[command(flatten)]
    pub labels: LabelArgs,
    #[command(flatten)]
    pub groups: GroupArgs,
    /// Regard a text pair and the pair with exchanged texts as equal texts, that is, as duplicates; needs
    /// --text-pair-column.
    #[arg(long, requires = "text_pair_column", help_heading = "Data")]
    pub symmetric: bool,

    /// Checkpoint whose tokenizer is used: `auto`, `embedded`, a folder, or a hub id; as with `experiment`.
    #[arg(long, default_value = "auto", value_name = "auto|embedded|FOLDER|HUB_ID", help_heading = "Tokens")]
    pub model: ModelChoice,
    /// Use cached files only; do not access the network.
    #[arg(long, help_heading = "Tokens")]
    pub offline: bool,
    /// Maximum number of tokens per text, including `[CLS]` and `[SEP]`, to count the texts that would be truncated [default: as the
    /// model was trained; 64 if its files do not say].
    #[arg(long, value_name = "TOKENS", value_parser = at_least(MIN_LENGTH), help_heading = "Tokens")]
    pub max_length: Option<usize>,

    /// Print one JSON object, with shares between 0 and 1.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

impl DataArgs {
    /// Returns the file, by position or by option.
    fn path(&self) -> &Path {
        self.file.as_deref().or(self.data.as_deref()).unwrap_or(Path::new(""))
    }
}

/// Runs the command.
///
/// # Errors
/// Returns an error if a file or the tokenizer cannot be read; then nothing is printed to standard output. Rows that
/// cannot be used are printed with the profile of the others, and are an error, too.
pub fn run(args: &DataArgs) -> Result<(), Failure> {
    let mut display = Display::new(if args.json { Verbosity::Quiet } else { Verbosity::Normal });
    // Before the tokenizer, which may have to be downloaded.
    let options = args.groups.add_to(args.labels.add_to(args.data_file.read_options()));
    let options = ReadOptions { symmetric: args.symmetric, ..options };
    let rows = Rows::open(args.path(), &options)?;
    let test_rows = args.test.as_deref().map(|path| Rows::open(path, &options)).transpose()?;
    let found = model::find(&args.model, args.offline, &mut |download| display.download(&download))?;
    found.warnings().iter().for_each(|warning| display.warn(warning));
    let max_length = model::max_length(args.max_length, &found.model);
    let limits = Limits { max_length, positions: found.model.config.max_length() };
    let Found { model, substituted } = found;
    if let Some(reason) = &substituted {
        display.warn(&format!(
            "{reason}\nThe tokenizer of the small embedded model `{}` replaces that of \
             distilbert-base-uncased: lengths differ slightly.",
            model.id
        ));
    }
    let empty = || Profile::new(args.symmetric);
    let mut near = args.groups.near_duplicates.map(NearTexts::new);
    let mut keep = |row: &Row| near.iter_mut().for_each(|near| near.add(row));
    let data = Part::read(args.path(), rows, empty(), &model.tokenizer, options.task, &mut keep)?;
    let mut leaks = Leaks::default();
    let test = args.test.as_deref().zip(test_rows).map(|(path, rows)| {
        let mut observe = |row: &Row| {
            leaks.add(&data.profile, row);
            near.iter_mut().for_each(|near| near.add(row));
        };
        Part::read(path, rows, empty(), &model.tokenizer, options.task, &mut observe)
    });
    let test = test.transpose()?;
    if let Some(test) = &test {
        let first = |part: &Part| part.profile.times().map(|(first, _)| first);
        check_times(first(&data), first(test), &test.path)?;
    }
    let near = near.map(|near| near.count(data.profile.rows() as usize, args.symmetric));
    if args.json {
        let test_json = test.as_ref().map(|test| {
            let mut json = test.json(limits);
            json["unknown_labels"] = json!(test.unknown(&data));
            json["leaks"] = leaks_json(&leaks);
            if data.columns.group.is_some() {
                json["leaks"]["rows_of_groups"] = json!(leaks.of_groups());
            }
            if data.columns.time.is_some() {
                json["leaks"]["rows_not_newer"] = json!(leaks.not_newer());
            }
            json
        });
        let tokenizer = json!({ "model": model.id, "source": model.source });
        let mut json =
            json!({ "tokenizer": tokenizer, "max_length": max_length, "data": data.json(limits), "test": test_json });
        if let Some(near) = &near {
            json["near_duplicates"] = near.json();
        }
        display.result(&json.to_string());
    } else {
        display.line(&format!("tokenizer       {}", model::describe(&model)));
        data.print(&display, limits);
        if let Some(test) = &test {
            test.print(&display, limits);
            print_against(&display, test, &data, &leaks);
            print_group_leaks(&display, test, &data, &leaks);
            print_not_newer(&display, test, &data, &leaks);
        }
        if let Some(near) = &near {
            let units = [data.format.unit(), test.as_ref().unwrap_or(&data).format.unit()];
            near.print(&display, units, test.as_ref().map(|test| test.profile.rows()));
        }
    }
    data.check()?;
    test.map_or(Ok(()), |test| test.check())
}

const EXAMPLES: &str = "\
Examples:
  rekindle data reviews.csv
  rekindle data train.tsv --test dev.tsv --no-header --max-length 128
  rekindle data reviews.parquet --json | jq .data.classes";
