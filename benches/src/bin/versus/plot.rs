//! The plot: for each case a line for each contender, a dot at the median and a bar over the range, on
//! a logarithmic axis.

use std::fmt::Write;

use crate::results::{CONTENDERS, Case, Results, Summary};

const WIDTH: f64 = 800.0;
const LEFT: f64 = 320.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 64.0;
const LINE: f64 = 19.0;
const GROUP_GAP: f64 = 16.0;
/// The axis, in seconds.
const LEAST: f64 = 0.1;
const MOST: f64 = 100.0;
const TICKS: [f64; 10] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
/// Seen on white and on black.
const STYLE: &str = "\
  text { font: 13px system-ui, sans-serif; fill: #24292f }\n\
  .title { font-size: 16px; font-weight: 600 }\n\
  .faint { fill: #57606a }\n\
  .grid { stroke: #8c959f; stroke-opacity: .3 }\n\
  .ours { fill: #1a7f37; stroke: #1a7f37 }\n\
  .peer { fill: #8c6d1f; stroke: #8c6d1f }\n\
  .name.ours, .value.ours { stroke: none; font-weight: 600 }\n\
  @media (prefers-color-scheme: dark) {\n\
    text { fill: #e6edf3 }\n\
    .faint { fill: #9198a1 }\n\
    .ours { fill: #3fb950; stroke: #3fb950 }\n\
    .peer { fill: #d4a72c; stroke: #d4a72c }\n\
  }\n";

pub(crate) fn plot(results: &Results) -> String {
    // What everybody can be measured in: left at the defaults.
    let shown = |case: &&Case| case.bands == "all" && case.button != "never";
    let cases: Vec<&Case> = results.cases().iter().filter(shown).collect();
    let group = LINE * CONTENDERS.len() as f64 + GROUP_GAP;
    let bottom = TOP + group * cases.len() as f64;
    let height = bottom + 44.0;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Seconds from the button to connected, ours and three peers\">\n<style>\n{STYLE}</style>\n\
         <text class=\"title\" x=\"16\" y=\"26\">From the button to connected</text>\n\
         <text class=\"faint\" x=\"16\" y=\"46\">everybody at the defaults, all bands; median and range in seconds; only NetworkManager is told the network's name</text>\n"
    );
    for tick in TICKS {
        let x = at(tick);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
             <text class=\"faint\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
            bottom + 17.0
        );
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    let _ = writeln!(
        svg,
        "<text class=\"faint\" x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">seconds, logarithmic</text>",
        bottom + 36.0
    );
    for (number, case) in cases.iter().enumerate() {
        let top = TOP + group * number as f64 + GROUP_GAP / 2.0;
        let [_, station, button] = case.words();
        let _ = writeln!(
            svg,
            "<text x=\"16\" y=\"{:.1}\">pressed {button},</text>\
             <text x=\"16\" y=\"{:.1}\">{station}</text>",
            top + LINE * 1.6,
            top + LINE * 2.5
        );
        for (place, who) in CONTENDERS.iter().enumerate() {
            let y = top + LINE * (place as f64 + 0.5);
            contender(&mut svg, who, results.summary(case, who, "connected"), y);
        }
    }
    svg + "</svg>\n"
}

fn contender(svg: &mut String, who: &str, summary: Option<Summary>, y: f64) {
    let class = if who == CONTENDERS[0] { "ours" } else { "peer" };
    let base = y + 4.5;
    let label = if class == "ours" { "name ours" } else { "name" };
    let _ = write!(
        svg,
        "<text class=\"{label}\" x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{who}</text>",
        LEFT - 12.0
    );
    let Some(summary) = summary else {
        svg.push('\n');
        return;
    };
    let (Some(median), Some(least), Some(most)) =
        (summary.median(), summary.least(), summary.most())
    else {
        let _ = writeln!(
            svg,
            "<text class=\"faint\" x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">not within two minutes</text>",
            WIDTH - RIGHT
        );
        return;
    };
    let label = if class == "ours" { "value ours" } else { "value" };
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" stroke-width=\"3\" stroke-linecap=\"round\" x1=\"{:.1}\" x2=\"{:.1}\" \
         y1=\"{y:.1}\" y2=\"{y:.1}\"/><circle class=\"{class}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"5\"/>\
         <text class=\"{label}\" x=\"{:.1}\" y=\"{base:.1}\">{median:.1}</text>",
        at(least),
        at(most),
        at(median),
        at(most) + 12.0
    );
}

/// Where a time is on the axis.
fn at(seconds: f64) -> f64 {
    let share = (seconds.clamp(LEAST, MOST) / LEAST).log10() / (MOST / LEAST).log10();
    LEFT + share * (WIDTH - LEFT - RIGHT)
}
