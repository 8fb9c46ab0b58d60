//! Tables and a plot of what `wps-hal-linux/lab/figures` measured in the radio lab: pairing by button,
//! ours beside what people use today.

mod plot;
mod results;

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use results::{CONTENDERS, Case, Results, Summary};

#[derive(Parser)]
struct Flags {
    /// What the radio lab printed.
    results: PathBuf,
    /// The tables, as Markdown.
    #[arg(long)]
    tables: PathBuf,
    /// The plot, as SVG.
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

fn tables(results: &Results) -> String {
    let mut text = String::from("# Pairing by button, beside what people use today\n\n");
    text += "Made by `wps-hal-linux/lab/figures`; what the cases are, and why it is so, is in `README.md` here.\n";
    let pressed = |case: &&Case| case.button != "never";
    let cases: Vec<&Case> = results.cases().iter().filter(pressed).collect();

    heading(&mut text, "From the button to connected");
    header(&mut text, &["best peer / ours"]);
    for case in &cases {
        let all = CONTENDERS.map(|who| results.summary(case, who, "connected"));
        row(&mut text, case, &all, &[ratio(&all)]);
    }

    let joined: Vec<&&Case> = cases.iter().filter(|case| case.joined).collect();
    heading(&mut text, "Off-line meanwhile");
    header(&mut text, &[]);
    for case in &joined {
        let all = CONTENDERS.map(|who| results.summary(case, who, "offline"));
        row(&mut text, case, &all, &[]);
    }

    heading(&mut text, "Nobody presses, 130 s, with a network");
    header(&mut text, &[]);
    for case in results.cases().iter().filter(|case| case.button == "never") {
        for (what, field) in [("off-line", "offline"), ("longest gap of a 100 ms ping", "gap")] {
            let all = CONTENDERS.map(|who| results.summary(case, who, field));
            row(&mut text, &Case { button: what.into(), ..case.clone() }, &all, &[]);
        }
    }

    heading(&mut text, "Where the time goes");
    const PHASES: [&str; 5] = ["look", "associate", "exchange", "goodbye", "join"];
    line(&mut text, ["bands", "station", "button", "who"].into_iter().chain(PHASES));
    line(&mut text, ["---"; 9].into_iter());
    for case in &cases {
        for who in ["wpsd", "wpa_cli"] {
            let phases = PHASES.map(|phase| {
                let median = results.summary(case, who, phase).and_then(|it| it.median());
                median.map_or_else(String::new, seconds)
            });
            let [bands, station, button] = case.words();
            let words = [bands, station, button, who].into_iter();
            line(&mut text, words.chain(phases.iter().map(|it| &**it)));
        }
    }
    text
}

fn heading(text: &mut String, name: &str) {
    let _ = write!(text, "\n## {name}\n\nSeconds: median (range) of that many runs.\n\n");
}

fn header(text: &mut String, more: &[&str]) {
    let first = ["bands", "station", "button"].into_iter().chain(CONTENDERS);
    line(text, first.chain(more.iter().copied()));
    line(text, std::iter::repeat_n("---", 3 + CONTENDERS.len() + more.len()));
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
    let range = match (summary.least(), summary.most()) {
        (Some(least), Some(most)) => format!("{}–{}", seconds(least), seconds(most)),
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

/// The best peer's median as a multiple of ours, which come first.
fn ratio(all: &[Option<Summary>]) -> String {
    let mut medians = all.iter().map(|it| it.as_ref().and_then(Summary::median));
    let ours = medians.next().flatten();
    let best = medians.flatten().min_by(f64::total_cmp);
    match (ours, best) {
        (Some(ours), Some(best)) => format!("{:.1}", best / ours),
        _ => String::new(),
    }
}
