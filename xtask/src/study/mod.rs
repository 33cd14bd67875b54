//! `cargo xtask study`: approaches and other programs on the same rows, for several data sets and sizes.
//!
//! A cell is one process: it is measured once and stored below `--results`, so that the study can be interrupted and grows. The page is
//! made from the cells that exist.

mod cell;
mod page;
mod rows;
mod statistics;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{cargo, refuse, root, run, target};
use cell::{Cell, Condition, KEYS, PEERS, Settings};
use rows::DATA_SETS;

/// The cells of the page.
const CELLS: &str = "fixtures/study/cells.csv";

/// The options, with lists as they were written.
struct Options {
    model: Option<PathBuf>,
    data: Option<PathBuf>,
    peer: Option<PathBuf>,
    results: PathBuf,
    data_sets: Vec<String>,
    sizes: Vec<String>,
    noise: Vec<u32>,
    approaches: Option<Vec<String>>,
    seeds: u64,
    tests: usize,
    is_report_only: bool,
}

/// Measures the cells that do not exist yet, and writes the page.
pub(crate) fn study(arguments: &[OsString]) -> Result<(), u8> {
    let options = Options::parse(arguments).map_err(|error| {
        eprintln!("xtask: study: {error}; `cargo xtask help` lists the options");
        2
    })?;
    let told = |result: Result<(), String>| {
        result.map_err(|error| {
            eprintln!("xtask: {error}");
            1
        })
    };
    if options.is_report_only {
        return told(
            fs::read_to_string(root().join(CELLS))
                .map_err(|error| format!("{CELLS}: {error}"))
                .and_then(|text| page::write(&read(&text)?)),
        );
    }
    let (Some(model), Some(data)) = (&options.model, &options.data) else { return refuse() };
    run(cargo(&["build", "--release", "--workspace", "--bin", "rekindle"]))?;
    let settings = Settings {
        model: model.clone(),
        data: data.clone(),
        peer: options.peer.clone(),
        tests: options.tests,
        results: options.results.clone(),
    };
    told(prepare(&settings))?;
    let failed = measure(&options, &settings);
    let written = Cell::read_all(&settings.results).and_then(|cells| {
        cell::replace(&root().join(CELLS), &write(&cells))?;
        page::write(&cells)
    });
    told(written)?;
    if failed == 0 { Ok(()) } else { Err(1) }
}

impl Options {
    fn parse(arguments: &[OsString]) -> Result<Self, String> {
        let mut options = Self {
            model: None,
            data: None,
            peer: None,
            results: target().join("study"),
            data_sets: DATA_SETS.iter().map(|set| set.name.into()).collect(),
            sizes: ["8", "64", "all"].map(String::from).into(),
            noise: vec![0],
            approaches: None,
            seeds: 5,
            tests: 400,
            is_report_only: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let name = argument.to_string_lossy();
            if name == "--report-only" {
                options.is_report_only = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{name}: unknown option, or without its value"))?;
            let words = value.to_string_lossy();
            let list = || words.split(',').map(String::from).collect::<Vec<_>>();
            match &*name {
                "--model" => options.model = Some(value.into()),
                "--data" => options.data = Some(value.into()),
                "--peer" => options.peer = Some(value.into()),
                "--results" => options.results = value.into(),
                "--data-sets" => options.data_sets = list(),
                "--sizes" => options.sizes = list(),
                "--noise" => {
                    options.noise = list().iter().map(|share| number(share, &name, 0, 100)).collect::<Result<_, _>>()?
                }
                "--approaches" => options.approaches = Some(list()),
                "--seeds" => options.seeds = number(&words, &name, 1, statistics::MOST_DRAWS)?,
                "--test-rows" => options.tests = number(&words, &name, 1, 1_000_000)?,
                _ => return Err(format!("{name}: unknown option")),
            }
        }
        for size in options.sizes.iter().filter(|size| *size != "all") {
            number(size, "--sizes", 1, 1_000_000)?;
        }
        match options.data_sets.iter().find(|name| DATA_SETS.iter().all(|set| set.name != **name)) {
            Some(name) => Err(format!("--data-sets: `{name}` is not one of the data sets")),
            None => Ok(options),
        }
    }

    /// Returns the conditions that the options name.
    fn conditions(&self) -> Vec<Condition> {
        let is_chosen = |name: &str| self.data_sets.iter().any(|one| one == name);
        let mut conditions = Vec::new();
        for data_set in DATA_SETS.iter().filter(|set| is_chosen(set.name)) {
            for size in &self.sizes {
                for &noise in &self.noise {
                    conditions.push(Condition { data_set, size: size.clone(), noise });
                }
            }
        }
        conditions
    }
}

/// Makes the folders. Cells of another model or other test rows are refused, because they cannot be compared.
fn prepare(settings: &Settings) -> Result<(), String> {
    let folder = settings.results.join("cells");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let path = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
    let (model, data) = (path(&settings.model)?, path(&settings.data)?);
    let wanted = format!("model {}\ndata {}\ntest rows {}\n", model.display(), data.display(), settings.tests);
    let file = settings.results.join("settings.txt");
    match fs::read_to_string(&file) {
        Ok(found) if found == wanted => Ok(()),
        Ok(_) => Err(format!("{}: measured with other settings; choose another --results folder", file.display())),
        Err(_) => cell::replace(&file, &wanted),
    }
}

/// Measures all cells draw by draw, so that an interrupted study has as many draws as possible of every approach. Returns how many
/// failed.
fn measure(options: &Options, settings: &Settings) -> usize {
    let mut failed = 0;
    for condition in options.conditions() {
        let is_possible = |approach: &&&str| settings.peer.is_some() || !PEERS.contains(approach);
        let possible = || condition.data_set.approaches.iter().filter(is_possible).map(ToString::to_string).collect();
        let approaches: Vec<String> = options.approaches.clone().unwrap_or_else(possible);
        for draw in 1..=options.seeds {
            for approach in &approaches {
                match settings.measure(&condition, draw, approach) {
                    Ok(true) => eprintln!("{} {approach}", condition.name(draw)),
                    Ok(false) => {}
                    Err(error) => {
                        eprintln!("xtask: {} {approach}: {error}", condition.name(draw));
                        failed += 1;
                    }
                }
            }
        }
    }
    failed
}

/// Reads a number of an option.
fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
    word: &str,
    option: &str,
    least: T,
    most: T,
) -> Result<T, String> {
    let number = word.parse().ok().filter(|number| (&least..=&most).contains(&number));
    number.ok_or_else(|| format!("{option}: `{word}` is not a number from {least} to {most}"))
}

/// Reads the file of all cells.
fn read(text: &str) -> Result<Vec<Cell>, String> {
    let mut lines = text.lines().enumerate();
    if lines.next().map(|(_, header)| header) != Some(&KEYS.join(",")) {
        return Err(format!("{CELLS}, line 1: expected the columns {}", KEYS.join(",")));
    }
    let cell = |(at, line): (usize, &str)| {
        let values: Vec<&str> = line.split(',').collect();
        Cell::parse(&values).ok_or_else(|| format!("{CELLS}, line {}: not a cell", at + 1))
    };
    lines.map(cell).collect()
}

fn write(cells: &[Cell]) -> String {
    let lines = cells.iter().map(|cell| cell.line() + "\n").collect::<String>();
    format!("{}\n{lines}", KEYS.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_its_pictures_show_the_cells() {
        let text = fs::read_to_string(root().join(CELLS)).expect(CELLS);
        let cells = read(&text).expect("cells");
        assert_eq!(write(&cells), text);
        for (path, expected) in page::files(&cells).expect("the page") {
            let found = fs::read_to_string(root().join(path)).expect(path);
            assert!(found == expected, "{path}: run `cargo xtask study --report-only`");
        }
    }

    #[test]
    fn a_line_that_is_no_cell_is_an_error() {
        let line = "sst2,8,0,1,probe,0.5,1.00,400,1.00";
        let text = format!("{}\n{line}\n", KEYS.join(","));
        assert_eq!(read(&text).map(|cells| cells.len()), Ok(1));
        assert!(read(&text.replace("0.5", "half")).is_err_and(|error| error.contains("line 2")));
        assert!(read(line).is_err());
    }

    #[test]
    fn options_are_checked() {
        let parse = |words: &str| {
            let words: Vec<OsString> = words.split(' ').map(Into::into).collect();
            Options::parse(&words)
        };
        let options = parse("--model m --data d --data-sets mrpc --sizes 8,all --noise 0,20").expect("options");
        let names: Vec<String> = options.conditions().iter().map(|condition| condition.name(2)).collect();
        assert_eq!(names[1], "mrpc-8-noise20-draw2");
        assert_eq!(names.len(), 4);
        for invalid in ["--sizes 0", "--data-sets imdb", "--seeds 11", "--noise 101", "--model", "--unknown x"] {
            let named = invalid.split(' ').next().expect("an option");
            assert!(parse(invalid).is_err_and(|error| error.starts_with(named)), "{invalid}");
        }
    }
}
