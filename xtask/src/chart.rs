//! Charts of accuracy by time: that of the README, from a table of docs/results.md, and those of the study.

use std::fs;

use crate::root;

const TABLE: &str = "docs/results.md";
const CHART: &str = "docs/scores.svg";
/// What the header of the table has and no other table does.
const TIMES: &str = "training time";

/// Size of the image, and of the margins around the axes, in pixels.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 56.0;
/// From a point to its name.
const GAP: f64 = 12.0;
const RADIUS: f64 = 5.5;
/// A baseline that is this far below all points is only named, so that the points do not lie close together.
const FAR: f64 = 0.3;

/// The size of a name, in pixels: per character, and per line.
const CHARACTER: f64 = 8.0;
const LINE: f64 = 16.0;

/// A row of the table, a point of the chart.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) accuracy: f64,
    pub(crate) interval: Option<(f64, f64)>,
    /// The time; absent for a baseline that is not trained.
    pub(crate) seconds: Option<f64>,
}

/// Writes the chart.
pub(crate) fn chart() -> Result<(), u8> {
    let failed = |error: &dyn std::fmt::Display| {
        eprintln!("{error}");
        1
    };
    let text = fs::read_to_string(root().join(TABLE)).map_err(|error| failed(&format!("{TABLE}: {error}")))?;
    let rows = rows(&text);
    if rows.iter().filter(|row| row.seconds.is_some()).count() < 2 {
        return Err(failed(&format!("{TABLE}: no table with accuracies and training times")));
    }
    fs::write(root().join(CHART), svg(&rows, TITLE, TIME)).map_err(|error| failed(&format!("{CHART}: {error}")))?;
    println!("{CHART}");
    Ok(())
}

/// Reads the rows of the table that has training times: name, trainable parameters, accuracy at three sizes, loss, training time.
fn rows(text: &str) -> Vec<Row> {
    let cells =
        |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().replace(['`', ','], "")).collect() };
    let table = text.lines().skip_while(|line| !(line.starts_with('|') && line.contains(TIMES)));
    table.skip(1).take_while(|line| line.starts_with('|')).filter_map(|line| row(&cells(line))).collect()
}

fn row(cells: &[String]) -> Option<Row> {
    let [_, name, _, _, _, accuracy, _, time, _] = cells else { return None };
    let mut numbers = accuracy.split(['(', ')', ' ']).filter_map(|word| word.parse::<f64>().ok());
    // The header has a number of examples there.
    let accuracy = numbers.next().filter(|accuracy| *accuracy <= 1.0)?;
    let interval = numbers.next().zip(numbers.next());
    Some(Row {
        name: name.clone(),
        accuracy,
        interval,
        seconds: time.strip_suffix(" s").and_then(|time| time.parse().ok()),
    })
}

/// Draws the rows, with classes for colours, so that one image serves the light and the dark theme. `time` says what the horizontal
/// axis is.
pub(crate) fn svg(rows: &[Row], title: &str, time: &str) -> String {
    let trained = rows.iter().filter(|row| row.seconds.is_some());
    let worst = trained.map(|row| row.accuracy).fold(1.0, f64::min);
    let is_far = |row: &&Row| row.seconds.is_none() && row.accuracy < worst - FAR;
    let ends = rows.iter().filter(|row| !is_far(row)).flat_map(|row| {
        let (low, high) = row.interval.unwrap_or((row.accuracy, row.accuracy));
        [low, high]
    });
    let (low, high) = ends.fold((1.0f64, 0.0f64), |(low, high), end| (low.min(end), high.max(end)));
    // An interval by Student's t may leave the scale.
    let (low, high) = ((low.max(0.0) * 10.0).floor() / 10.0, (high.min(1.0) * 10.0).ceil() / 10.0);
    let most = rows.iter().filter_map(|row| row.seconds).fold(10.0, f64::max);
    // Room for the name of the last point.
    let decades = (2.0 * most).log10();
    let least = rows.iter().filter_map(|row| row.seconds).fold(1.0, f64::min);
    let first = least.max(0.01).log10().floor();
    let x = |seconds: f64| LEFT + (seconds.log10().max(first) - first) / (decades - first) * (WIDTH - LEFT - RIGHT);
    let y =
        |accuracy: f64| HEIGHT - BOTTOM - (accuracy.clamp(low, high) - low) / (high - low) * (HEIGHT - TOP - BOTTOM);

    let mut marks = Vec::new();
    for decade in first as i32..=decades as i32 {
        let seconds = 10f64.powi(decade);
        marks.push(line("grid", (x(seconds), TOP), (x(seconds), HEIGHT - BOTTOM)));
        marks.push(text("label", "middle", (x(seconds), HEIGHT - BOTTOM + 20.0), &format!("{seconds}")));
    }
    for tenth in 0..=((high - low) * 10.0).round() as i32 {
        let accuracy = low + f64::from(tenth) / 10.0;
        marks.push(line("grid", (LEFT, y(accuracy)), (WIDTH - RIGHT, y(accuracy))));
        marks.push(text("label", "end", (LEFT - 10.0, y(accuracy) + 5.0), &format!("{accuracy:.1}")));
    }
    marks.push(text("label", "middle", ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12.0), time));
    let (across, up) = (18.0, (TOP + HEIGHT - BOTTOM) / 2.0);
    marks.push(format!(
        "<text class=\"label\" text-anchor=\"middle\" transform=\"translate({across} {up}) rotate(-90)\">accuracy</text>"
    ));
    for row in rows.iter().filter(is_far) {
        let words = format!("{}, below the axis: {:.2}", row.name, row.accuracy);
        marks.push(text("label", "start", (LEFT + 8.0, HEIGHT - BOTTOM - 7.0), &words));
    }
    for row in rows.iter().filter(|row| row.seconds.is_none() && !is_far(row)) {
        marks.push(line("baseline", (LEFT, y(row.accuracy)), (WIDTH - RIGHT, y(row.accuracy))));
        marks.push(text("label", "start", (LEFT + 8.0, y(row.accuracy) - 7.0), &row.name));
    }
    let points: Vec<(f64, &Row)> = rows.iter().filter_map(|row| Some((x(row.seconds?), row))).collect();
    // What a name must not cover: the points, and the names so far.
    let mut covered: Vec<(f64, f64, f64)> =
        points.iter().map(|(place, row)| (place - RADIUS, place + RADIUS, y(row.accuracy))).collect();
    for (place, row) in &points {
        let height = y(row.accuracy);
        if let Some((low, high)) = row.interval {
            marks.push(line("interval", (*place, y(low)), (*place, y(high))));
        }
        marks.push(format!("<circle cx=\"{place:.1}\" cy=\"{height:.1}\" r=\"{RADIUS}\"/>"));
        let width = CHARACTER * row.name.chars().count() as f64;
        let (anchor, across, up) = free_place(&covered, *place, height, width);
        let start = if anchor == "end" { across - width } else { across };
        covered.push((start, start + width, up));
        if up != height {
            marks.push(line("leader", (*place, height), (across, up)));
        }
        marks.push(text("name", anchor, (across, up + 5.0), &row.name));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n{}\n</svg>\n",
        marks.join("\n")
    )
}

/// Returns where the name of a point does not cover other marks, of which each has a start, an end and a height: its anchor and position.
/// The nearest places are tried first.
fn free_place(covered: &[(f64, f64, f64)], across: f64, up: f64, width: f64) -> (&'static str, f64, f64) {
    let sides = [("start", across + GAP, across + GAP), ("end", across - GAP, across - GAP - width)];
    let is_free = |start: f64, height: f64| {
        let covers =
            |&(from, to, at): &(f64, f64, f64)| from < start + width && start < to && (at - height).abs() < LINE;
        start > LEFT && start + width < WIDTH && !covered.iter().any(covers)
    };
    let lines = [0.0, -1.0, 1.0, -2.0, 2.0, -3.0, 3.0].map(|lines| up + lines * LINE);
    let mut places = lines.into_iter().flat_map(|height| sides.map(|(anchor, at, start)| (anchor, at, start, height)));
    let free = places.find(|&(_, _, start, height)| is_free(start, height));
    free.map_or(("start", across + GAP, up), |(anchor, at, _, height)| (anchor, at, height))
}

const TIME: &str = "training time of all runs, in seconds";

const TITLE: &str = "Accuracy by training time, with 95 % confidence intervals";

const STYLE: &str = "text{font:15px system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif}\
                     .label{fill:#5b616b}.name{fill:#1d1f23;font-weight:600}.grid{stroke:#d9dbe0}\
                     .baseline{stroke:#84888f;stroke-dasharray:7 5}.leader{stroke:#84888f}.interval{stroke:#1f65a8;stroke-width:2}circle{fill:#1f65a8}\
                     @media(prefers-color-scheme:dark){.label{fill:#a2a9b4}.name{fill:#e8e9ec}.grid{stroke:#363b44}\
                     .interval{stroke:#6cb0f5}circle{fill:#6cb0f5}}";

fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>")
}

fn text(class: &str, anchor: &str, (x, y): (f64, f64), words: &str) -> String {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_its_accuracy_interval_and_time() {
        let table = "| | parameters | 100 examples | 1,000 | 5,536 | loss | training time |\n|---|---|---|---|---|---|---|\n| `last-2` | 3,697,538 | 0.488 | 0.604 | 0.804 (0.772 to 0.836) | 0.453 | 1,353 s |\n\
                     | majority | | 0.5 | 0.5 | 0.522 | 0.692 | |\n\n| | f1 | f1 | f1 | f1 | loss | loss |\n| `full` | 1 | 1 | 1 | 0.5 | 1 | 1 |";
        let last_2 =
            Row { name: "last-2".into(), accuracy: 0.804, interval: Some((0.772, 0.836)), seconds: Some(1353.0) };
        let majority = Row { name: "majority".into(), accuracy: 0.522, interval: None, seconds: None };
        assert_eq!(rows(table), [last_2, majority]);
    }

    #[test]
    fn the_chart_shows_the_table() {
        let read = |path| fs::read_to_string(root().join(path)).expect(path);
        assert_eq!(svg(&rows(&read(TABLE)), TITLE, TIME), read(CHART), "run `cargo xtask chart`");
    }
}
