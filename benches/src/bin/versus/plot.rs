//! The plot. It has a line for each program in each case, with a dot at the median and a bar over
//! the range, on a logarithmic axis.

use std::fmt::Write;

use crate::results::{Case, PROGRAMS, Results, Summary};

const WIDTH: f64 = 800.0;
const LEFT: f64 = 320.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 64.0;
const LINE: f64 = 19.0;
const GROUP_GAP: f64 = 16.0;
/// The ends of the axis, in seconds.
const AXIS_MIN: f64 = 0.1;
const AXIS_MAX: f64 = 100.0;
const TICKS: [f64; 10] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
/// The colors are visible on a white and on a black background.
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

/// Returns the plot as SVG.
pub(crate) fn plot(results: &Results) -> String {
    // All programs can be measured in these cases: they keep their default settings.
    let shown = |case: &&Case| case.bands == "all" && case.button != "never";
    let cases: Vec<&Case> = results.cases().iter().filter(shown).collect();
    let group = LINE * PROGRAMS.len() as f64 + GROUP_GAP;
    let bottom = TOP + group * cases.len() as f64;
    let height = bottom + 44.0;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Seconds from the button press to the connection: wpsd and three other programs\">\n<style>\n{STYLE}</style>\n\
         <text class=\"title\" x=\"16\" y=\"26\">From the button press to the connection</text>\n\
         <text class=\"faint\" x=\"16\" y=\"46\">default settings, all bands; median and range in seconds; only NetworkManager is given the network's name</text>\n"
    );
    for tick in TICKS {
        let x = x_of(tick);
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
        for (place, program) in PROGRAMS.iter().enumerate() {
            let y = top + LINE * (place as f64 + 0.5);
            draw_program(&mut svg, program, results.summary(case, program, "connected"), y);
        }
    }
    svg + "</svg>\n"
}

/// Draws the line of one program: its name, the range, the median.
fn draw_program(svg: &mut String, program: &str, summary: Option<Summary>, y: f64) {
    let class = if program == PROGRAMS[0] { "ours" } else { "peer" };
    let base = y + 4.5;
    let label = if class == "ours" { "name ours" } else { "name" };
    let _ = write!(
        svg,
        "<text class=\"{label}\" x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{program}</text>",
        LEFT - 12.0
    );
    let Some(summary) = summary else {
        svg.push('\n');
        return;
    };
    let (Some(median), Some(min), Some(max)) = (summary.median(), summary.min(), summary.max())
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
        x_of(min),
        x_of(max),
        x_of(median),
        x_of(max) + 12.0
    );
}

/// Returns the position of a time on the axis.
fn x_of(seconds: f64) -> f64 {
    let share =
        (seconds.clamp(AXIS_MIN, AXIS_MAX) / AXIS_MIN).log10() / (AXIS_MAX / AXIS_MIN).log10();
    LEFT + share * (WIDTH - LEFT - RIGHT)
}
