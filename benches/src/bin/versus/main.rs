//! Makes tables and a plot of the measurements of `wps-hal-linux/lab/figures`: push-button pairing
//! with `wpsd` and with other programs, in the radio lab.

mod plot;
mod results;

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use results::{Case, PROGRAMS, Results, Summary};

#[derive(Parser)]
struct Flags {
    /// The file with the lines that the radio lab printed
    results: PathBuf,
    /// Where to write the tables, as Markdown
    #[arg(long)]
    tables: PathBuf,
    /// Where to write the plot, as SVG
    #[arg(long)]
    plot: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let text =
        std::fs::read(&flags.results).with_context(|| flags.results.display().to_string())?;
    let results = Results::parse(&String::from_utf8_lossy(&text));
    anyhow::ensure!(!results.cases().is_empty(), "nothing was measured");
    let tables = tables(&results);
    print!("{tables}");
    std::fs::write(&flags.tables, tables).with_context(|| flags.tables.display().to_string())?;
    let plot = plot::plot(&results);
    std::fs::write(&flags.plot, plot).with_context(|| flags.plot.display().to_string())
}

/// The phases of a pairing: the field in the results, and the heading of its column.
const PHASES: [(&str, &str); 5] = [
    ("search", "search"),
    ("associate", "association"),
    ("exchange", "WPS exchange"),
    ("deauthenticate", "deauthentication"),
    ("join", "join"),
];
/// The programs of the table with NetworkManager.
const WITH_NETWORK_MANAGER: [&str; 2] = ["wpsd+NetworkManager", "NetworkManager"];
/// The rows of each case in that table: the field in the results, and its name.
const WITH_NETWORK_MANAGER_ROWS: [(&str, &str); 3] =
    [("connected", "connected"), ("offline", "offline"), ("gap", "longest gap of a 100 ms ping")];
const SUMMARY: &str = "Seconds: median (range), and the number of runs.";

fn tables(results: &Results) -> String {
    let mut text = String::from("# Push-button pairing compared with other programs\n\n");
    text += "Printed by `wps-hal-linux/lab/figures`. `README.md` in this directory explains the cases and the results.\n";
    let pressed = |case: &&Case| case.button != "never";
    let cases: Vec<&Case> = results.cases().iter().filter(pressed).collect();

    heading(&mut text, "From the button press to the connection", SUMMARY);
    header(&mut text, &["fastest other / wpsd"]);
    for case in &cases {
        let all = PROGRAMS.map(|program| results.summary(case, program, "connected"));
        row(&mut text, case, &all, &[ratio(&all)]);
    }

    let joined: Vec<&&Case> = cases.iter().filter(|case| case.joined).collect();
    heading(&mut text, "Offline while pairing", SUMMARY);
    header(&mut text, &[]);
    for case in &joined {
        let all = PROGRAMS.map(|program| results.summary(case, program, "offline"));
        row(&mut text, case, &all, &[]);
    }

    heading(&mut text, "No button pressed for 130 s, connected to a network", SUMMARY);
    header(&mut text, &[]);
    for case in results.cases().iter().filter(|case| case.button == "never") {
        for (what, field) in [("offline", "offline"), ("longest gap of a 100 ms ping", "gap")] {
            let all = PROGRAMS.map(|program| results.summary(case, program, field));
            row(&mut text, &Case { button: what.into(), ..case.clone() }, &all, &[]);
        }
    }

    heading(&mut text, "`wpsd` and `nmcli`, both with NetworkManager", SUMMARY);
    line(&mut text, ["bands", "station", "button", "what", "`wpsd`", "`nmcli`"].into_iter());
    line(&mut text, ["---"; 6].into_iter());
    for case in results.cases() {
        for (field, what) in WITH_NETWORK_MANAGER_ROWS {
            let all = WITH_NETWORK_MANAGER.map(|program| results.summary(case, program, field));
            // Nothing was connected, or nobody pressed a button.
            let [Some(ours), Some(other)] = all else { continue };
            if ours.median().is_some() {
                let cells = [cell(&ours), cell(&other)];
                let words = case.words().into_iter().chain([what]);
                line(&mut text, words.chain(cells.iter().map(|cell| &**cell)));
            }
        }
    }

    heading(&mut text, "Where the time goes", "Seconds: median of all runs.");
    let headings = PHASES.map(|(_, heading)| heading);
    line(&mut text, ["bands", "station", "button", "program"].into_iter().chain(headings));
    line(&mut text, ["---"; 9].into_iter());
    for case in &cases {
        for program in ["wpsd", "wpa_cli"] {
            let phases = PHASES.map(|(field, _)| {
                let median = results.summary(case, program, field).and_then(|it| it.median());
                median.map_or_else(String::new, seconds)
            });
            let [bands, station, button] = case.words();
            let words = [bands, station, button, program].into_iter();
            line(&mut text, words.chain(phases.iter().map(|it| &**it)));
        }
    }
    text
}

fn heading(text: &mut String, name: &str, caption: &str) {
    let _ = write!(text, "\n## {name}\n\n{caption}\n\n");
}

fn header(text: &mut String, more: &[&str]) {
    let first = ["bands", "station", "button"].into_iter().chain(PROGRAMS);
    line(text, first.chain(more.iter().copied()));
    line(text, std::iter::repeat_n("---", 3 + PROGRAMS.len() + more.len()));
}

fn row(text: &mut String, case: &Case, all: &[Option<Summary>], more: &[String]) {
    let cells: Vec<String> =
        all.iter().map(|it| it.as_ref().map_or_else(String::new, cell)).collect();
    let words = case.words().into_iter().chain(cells.iter().map(|cell| &**cell));
    line(text, words.chain(more.iter().map(|it| &**it)));
}

fn line<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>) {
    text.push('|');
    cells.for_each(|cell| {
        let _ = write!(text, " {cell} |");
    });
    text.push('\n');
}

fn cell(summary: &Summary) -> String {
    let range = match (summary.min(), summary.max()) {
        (Some(min), Some(max)) => format!("{}–{}", seconds(min), seconds(max)),
        _ => return format!("never of {}", summary.runs()),
    };
    let failed = match summary.failed() {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let median = summary.median().map_or_else(|| "never".into(), seconds);
    format!("{median} ({range}) of {}{failed}", summary.runs())
}

fn seconds(value: f64) -> String {
    format!("{value:.2}")
}

/// Returns the median of the fastest other program as a multiple of the median of `wpsd`, which
/// comes first.
fn ratio(all: &[Option<Summary>]) -> String {
    let mut medians = all.iter().map(|it| it.as_ref().and_then(Summary::median));
    let ours = medians.next().flatten();
    let fastest_other = medians.flatten().min_by(f64::total_cmp);
    match (ours, fastest_other) {
        (Some(ours), Some(fastest_other)) => format!("{:.1}", fastest_other / ours),
        _ => String::new(),
    }
}
