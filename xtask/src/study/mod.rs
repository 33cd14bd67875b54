//! `cargo xtask study`: approaches and other programs on the same rows, for several data sets and sizes.
//!
//! A cell is one process: it is measured once and stored in `fixtures/study/cells.csv`, so that the study can be interrupted and grows.
//! The page is made from the cells that exist.

mod cell;
mod page;
mod rows;
mod statistics;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use crate::{cargo, root, run};
use cell::{Cell, Condition, KEYS, PEERS, Settings};
use rows::DATA_SETS;

/// The cells of the page.
const CELLS: &str = "fixtures/study/cells.csv";

/// Measures the cells that do not exist yet, and writes the page.
pub(crate) fn study(arguments: &[OsString]) -> Result<(), u8> {
    let is_report_only = arguments == ["--report-only"];
    let settings = (!is_report_only).then(|| Settings::parse(arguments)).transpose().map_err(|error| {
        eprintln!("xtask: study: {error}; `cargo xtask help` lists the options");
        2
    })?;
    if settings.is_some() {
        run(cargo(&["build", "--release", "--workspace", "--bin", "rekindle"]))?;
    }
    let done = || {
        let text = fs::read_to_string(root().join(CELLS)).map_err(|error| format!("{CELLS}: {error}"))?;
        let mut cells = read(&text)?;
        let failed = settings.map_or(Ok(0), |settings| measure(&settings, &mut cells))?;
        page::write(&cells)?;
        if failed == 0 { Ok(()) } else { Err(format!("{failed} cells were not measured")) }
    };
    done().map_err(|error: String| {
        eprintln!("xtask: {error}");
        1
    })
}

impl Settings {
    fn parse(arguments: &[OsString]) -> Result<Self, String> {
        let mut settings = Self {
            model: PathBuf::new(),
            data: PathBuf::new(),
            peer: None,
            data_sets: DATA_SETS.iter().map(|set| set.name.into()).collect(),
            sizes: page::SIZES.map(String::from).into(),
            noise: vec![0],
            approaches: None,
            seeds: 5,
            tests: 400,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let name = argument.to_string_lossy();
            if name == "--report-only" {
                return Err("--report-only: no other option has an effect with it".into());
            }
            let value = arguments.next().ok_or_else(|| format!("{name}: unknown option, or without its value"))?;
            let words = value.to_string_lossy();
            let list = || words.split(',').map(String::from).collect::<Vec<_>>();
            match &*name {
                "--model" => settings.model = value.into(),
                "--data" => settings.data = value.into(),
                "--peer" => settings.peer = Some(value.into()),
                "--data-sets" => settings.data_sets = list(),
                "--sizes" => settings.sizes = list(),
                "--noise" => {
                    settings.noise =
                        list().iter().map(|share| number(share, &name, 0, 100)).collect::<Result<_, _>>()?
                }
                "--approaches" => settings.approaches = Some(list()),
                "--seeds" => settings.seeds = number(&words, &name, 1, statistics::MOST_DRAWS)?,
                "--test-rows" => settings.tests = number(&words, &name, 1, 1_000_000)?,
                _ => return Err(format!("{name}: unknown option")),
            }
        }
        settings.check().map(|()| settings)
    }

    /// Returns an error for what is absent, or what no table shows.
    fn check(&self) -> Result<(), String> {
        for (option, folder) in [("--model", &self.model), ("--data", &self.data)] {
            if !folder.is_dir() {
                return Err(format!("{option}: expected a folder, found `{}`", folder.display()));
            }
        }
        if let Some(name) = self.data_sets.iter().find(|name| DATA_SETS.iter().all(|set| set.name != **name)) {
            return Err(format!("--data-sets: `{name}` is not one of the data sets"));
        }
        if let Some(size) = self.sizes.iter().find(|size| !page::SIZES.contains(&size.as_str())) {
            return Err(format!("--sizes: no table shows `{size}`; expected {}", page::SIZES.join(", ")));
        }
        if let Some(share) = self.noise.iter().find(|share| !page::NOISE.contains(share)) {
            return Err(format!(
                "--noise: no table shows `{share}`; expected {}",
                page::NOISE.map(|one| one.to_string()).join(", ")
            ));
        }
        let (data_set, size) = page::NOISY;
        let is_noisy = self.noise.iter().any(|&share| share > 0);
        if is_noisy && (self.data_sets != [data_set] || self.sizes != [size]) {
            return Err(format!("--noise: a table exists only for --data-sets {data_set} --sizes {size}"));
        }
        Ok(())
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

/// Measures all cells that do not exist yet, draw by draw, so that an interrupted study has as many draws as possible of every approach,
/// and writes the file after each. Returns how many failed.
fn measure(settings: &Settings, cells: &mut Vec<Cell>) -> Result<usize, String> {
    if let Some(other) = cells.iter().find(|cell| cell.tests != settings.tests) {
        return Err(format!(
            "{CELLS}: measured with other test rows; use --test-rows {}, or delete the rows",
            other.tests
        ));
    }
    let mut failed = 0;
    for condition in settings.conditions() {
        let is_possible = |approach: &&&str| settings.peer.is_some() || !PEERS.contains(approach);
        let possible = || condition.data_set.approaches.iter().filter(is_possible).map(ToString::to_string).collect();
        let approaches: Vec<String> = settings.approaches.clone().unwrap_or_else(possible);
        for draw in 1..=settings.seeds {
            for approach in &approaches {
                if cells.iter().any(|cell| cell.is(&condition, draw, approach)) {
                    continue;
                }
                match settings.measure(&condition, draw, approach) {
                    Ok(cell) => {
                        eprintln!("{} {approach}", condition.name(draw));
                        cells.push(cell);
                        cell::replace(&root().join(CELLS), &write(cells))?;
                    }
                    Err(error) => {
                        eprintln!("xtask: {} {approach}: {error}", condition.name(draw));
                        failed += 1;
                    }
                }
            }
        }
    }
    Ok(failed)
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

/// Returns the file of all cells, sorted.
fn write(cells: &[Cell]) -> String {
    let mut lines: Vec<String> = cells.iter().map(|cell| cell.line() + "\n").collect();
    lines.sort();
    format!("{}\n{}", KEYS.join(","), lines.concat())
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
            Settings::parse(&words)
        };
        let folders = "--model . --data .";
        let settings = parse(&format!("{folders} --data-sets sst2,mrpc --sizes 8,all")).expect("options");
        let names: Vec<String> = settings.conditions().iter().map(|condition| condition.name(2)).collect();
        assert_eq!(names[3], "mrpc-all-noise0-draw2");
        assert_eq!(names.len(), 4);
        assert!(parse(&format!("{folders} --noise 0,20 --data-sets sst2 --sizes 64")).is_ok());
        for invalid in [
            "--sizes 0",
            "--sizes 16",
            "--data-sets imdb",
            "--seeds 11",
            "--noise 101",
            "--noise 30",
            "--noise 20",
            "--noise 20 --data-sets mrpc --sizes 64",
            "--report-only",
            "--model",
            "--model nowhere",
            "--unknown x",
        ] {
            let named = invalid.split(' ').next().expect("an option");
            let result = parse(&format!("{folders} {invalid}"));
            assert!(result.is_err_and(|error| error.starts_with(named)), "{invalid}");
        }
        assert!(parse("--data .").is_err_and(|error| error.starts_with("--model")));
    }
}
