//! Texts from arguments, from lines of a file, and from standard input as they arrive.

use std::io::{self, BufRead, BufWriter};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rekindle::data::{Cell, ColumnKind, DataError, TableColumn, TableWriter, text_lines};
use rekindle::infer::Predictor;

use super::columns::PredictedColumns;
use super::{CHUNK, PredictArgs};
use crate::exit::Failure;

/// How long a line is waited for before the lines that are there are answered.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the first of these lines waits at most.
const PATIENCE: Duration = Duration::from_millis(20);

type Text = (String, Option<String>);

/// Answers texts on standard output.
pub struct Answer<'a> {
    args: &'a PredictArgs,
    classifier: &'a Predictor,
    columns: &'a PredictedColumns,
    out: TableWriter,
}

impl<'a> Answer<'a> {
    pub fn new(
        args: &'a PredictArgs,
        classifier: &'a Predictor,
        columns: &'a PredictedColumns,
    ) -> Result<Self, Failure> {
        let text = |name: &str| TableColumn { name: name.into(), kind: ColumnKind::Text };
        let mut table = vec![text("text")];
        if args.pairs {
            table.push(text("text_pair"));
        }
        table.extend(columns.table());
        table.push(text("logits"));
        let out = TableWriter::new(args.output.line_format(), &table, Box::new(BufWriter::new(io::stdout())))?;
        Ok(Self { args, classifier, columns, out })
    }

    /// Answers the texts of the command line.
    pub fn arguments(&mut self, texts: &[String]) -> Result<(), Failure> {
        let texts = (1..).zip(texts).map(|(number, text)| self.split(text.clone(), || format!("text {number}")));
        let texts: Vec<Text> = texts.collect::<Result<_, Failure>>()?;
        self.chunk(&texts)
    }

    /// Answers the lines of a file.
    pub fn file(&mut self, input: impl BufRead, name: &Path) -> Result<(), Failure> {
        let mut lines = text_lines(input, name);
        self.chunks(name, &mut || lines.by_ref().take(CHUNK).collect())
    }

    /// Answers the lines of standard input. Lines that arrive together are classified together; the last line is answered
    /// although the input stays open.
    pub fn standard_input(&mut self) -> Result<(), Failure> {
        let name = Path::new("standard input");
        let (sender, lines) = sync_channel(CHUNK);
        // The thread may wait for a line forever. It ends with the program, or when nobody receives its lines.
        thread::spawn(move || {
            for line in text_lines(io::stdin().lock(), Path::new("standard input")) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        self.chunks(name, &mut || arrived(&lines))
    }

    /// Answers chunks of lines until one is empty. What precedes a line that cannot be read is answered.
    fn chunks(&mut self, name: &Path, next: &mut dyn FnMut() -> Vec<Result<String, DataError>>) -> Result<(), Failure> {
        let mut number = 0_u64;
        loop {
            let lines = next();
            if lines.is_empty() {
                return Ok(());
            }
            let mut texts = Vec::with_capacity(lines.len());
            let mut failed = None;
            for line in lines {
                number += 1;
                let place = || format!("{}, line {number}", name.display());
                match line.map_err(Failure::from).and_then(|line| self.split(line, place)) {
                    Ok(text) => texts.push(text),
                    Err(failure) => {
                        failed = Some(failure);
                        break;
                    }
                }
            }
            self.chunk(&texts)?;
            if let Some(failure) = failed {
                return Err(failure);
            }
        }
    }

    /// Returns a text, or both texts of a pair. `place` names the text in an error.
    fn split(&self, text: String, place: impl Fn() -> String) -> Result<Text, Failure> {
        if !self.args.pairs {
            return Ok((text, None));
        }
        match text.split('\t').collect::<Vec<_>>()[..] {
            [first, second] => Ok((first.into(), Some(second.into()))),
            ref parts => {
                let tabs = match parts.len() - 1 {
                    0 => "no tab".into(),
                    count => format!("{count} tabs"),
                };
                Err(Failure::input(format!("{}: found {tabs}; with --pairs, one tab separates two texts", place())))
            }
        }
    }

    /// Prints one line per text or text pair, in order.
    fn chunk(&mut self, texts: &[Text]) -> Result<(), Failure> {
        let max_length = self.args.texts.max_length.unwrap_or(self.classifier.max_length());
        let logits = self.classifier.pair_logits(texts, max_length, self.args.texts.batch_size)?;
        let classes = self.classifier.labels().len();
        for ((text, text_pair), logits) in texts.iter().zip(logits.chunks(classes)) {
            let mut cells = vec![("text".into(), Cell::Text(text.clone()))];
            cells.extend(text_pair.iter().map(|text| ("text_pair".into(), Cell::Text(text.clone()))));
            self.columns.append(self.classifier, logits, &mut cells);
            cells.push(("logits".into(), Cell::Json(serde_json::to_string(logits)?)));
            self.out.write(&cells)?;
        }
        Ok(self.out.flush()?)
    }
}

/// Waits for a line, and returns it with the lines that follow without a pause; nothing at the end of the input.
fn arrived<T>(lines: &Receiver<T>) -> Vec<T> {
    let mut chunk: Vec<T> = lines.recv().into_iter().collect();
    let until = Instant::now() + PATIENCE;
    while !chunk.is_empty() && chunk.len() < CHUNK {
        let pause = PAUSE.min(until.saturating_duration_since(Instant::now()));
        match lines.recv_timeout(pause) {
            Ok(line) => chunk.push(line),
            Err(_) => break,
        }
    }
    chunk
}
