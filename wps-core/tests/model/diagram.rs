//! Draws the machine from what the model has observed: the table of transitions at the top of
//! `src/machine.rs`, the table of phases in `src/status.rs`, and `docs/machine.svg`.
//!
//! [`STATES`] and [`ROUTES`] only say where something is drawn. What is drawn comes from the model.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, iter};

use wps_core::command::Input;
use wps_core::{AfterFailure, Machine};

use crate::explorer::{Explorer, NodeId};
use crate::ids::{Disk, InputId, SettingsId, TimePoint};

const COMMAND: &str = "UPDATE_DIAGRAM=1 cargo test -p wps-core --test model";
const END: &str = "// End of the generated part.";

/// A state of the machine: its place in [`STATES`].
type State = usize;

/// What the model has observed of the machine. It is the same for each value of `AfterFailure`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The states in which a device boots.
    boots: BTreeSet<State>,
    /// For each state and input: where it leads to, under each condition.
    targets: BTreeMap<(State, String), BTreeMap<Condition, BTreeSet<State>>>,
    /// The states of each phase.
    phases: BTreeMap<String, BTreeSet<State>>,
}

/// What may decide where an input leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Condition {
    Always,
    WindowOpen,
    WindowClosed,
    NotFinal,
    Final,
}

/// An input that changes the machine, and the states that may follow.
struct Edge {
    from: State,
    input: String,
    to: BTreeSet<State>,
}

impl Observed {
    /// Collects every input that has changed a machine.
    pub(crate) fn new(explorer: &Explorer) -> Self {
        let states: Vec<_> = explorer.nodes().iter().map(|node| state_of(&node.machine)).collect();
        let state = |id: NodeId| states[id as usize];
        let mut observed = Self::default();
        observed.boots.extend(explorer.boots().map(state));
        for (node, &state) in explorer.nodes().iter().zip(&states) {
            let phase = identifier(&format!("{:?}", node.phase)).to_string();
            observed.phases.entry(phase).or_default().insert(state);
        }
        let mut names: HashMap<InputId, String> = HashMap::new();
        for (from, input, at, to) in explorer.transitions().filter(|(from, .., to)| from != to) {
            let name = names.entry(input).or_insert_with(|| input_name(&input.input()));
            let condition = Condition::new(&input.input(), at);
            let targets = observed.targets.entry((state(from), name.clone())).or_default();
            targets.entry(condition).or_default().insert(state(to));
        }
        observed
    }

    /// Adds what was observed in another exploration.
    pub(crate) fn merge(mut self, other: &Self) -> Self {
        self.boots.extend(&other.boots);
        for (key, conditions) in &other.targets {
            let targets = self.targets.entry(key.clone()).or_default();
            for (condition, states) in conditions {
                targets.entry(*condition).or_default().extend(states);
            }
        }
        for (phase, states) in &other.phases {
            self.phases.entry(phase.clone()).or_default().extend(states);
        }
        self
    }

    /// Returns the transitions, sorted by state and input. The condition is part of the input's
    /// name where it decides what follows.
    fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for ((from, input), targets) in &self.targets {
            let distinct: BTreeSet<_> = targets.values().collect();
            if let [to] = Vec::from_iter(distinct)[..] {
                edges.push(Edge { from: *from, input: input.clone(), to: to.clone() });
                continue;
            }
            edges.extend(targets.iter().map(|(condition, to)| {
                let input = format!("{input}{}", condition.suffix());
                Edge { from: *from, input, to: to.clone() }
            }));
        }
        edges
    }
}

impl Condition {
    fn new(input: &Input, at: TimePoint) -> Self {
        match input {
            Input::Elapsed if at == TimePoint::Deadline => Self::WindowClosed,
            Input::Elapsed => Self::WindowOpen,
            Input::SnapshotTaken(Err(kind))
            | Input::Applied(Err(kind))
            | Input::Offered(Err(kind))
            | Input::Joined(Err(kind)) => {
                if kind.is_final() {
                    Self::Final
                } else {
                    Self::NotFinal
                }
            }
            Input::Start { .. }
            | Input::Configure { .. }
            | Input::Cancel
            | Input::SearchElapsed(_)
            | Input::WaitElapsed
            | Input::ConfigLost
            | Input::KeyRefused
            | Input::KeyAccepted
            | Input::NetworkRemoved
            | Input::Kept(_)
            | Input::SnapshotTaken(Ok(_))
            | Input::Saved(_)
            | Input::Applied(Ok(()))
            | Input::Offered(Ok(_))
            | Input::Joined(Ok(())) => Self::Always,
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Always => "",
            Self::WindowOpen => ", window open",
            Self::WindowClosed => ", window closed",
            Self::NotFinal => ", not final",
            Self::Final => ", final",
        }
    }
}

/// Returns the state of a machine. Its name is in the `Debug` output, so that no program has to
/// contain the names.
fn state_of(machine: &Machine) -> State {
    let text = format!("{machine:?}");
    let state = text.strip_prefix("Machine { state: ").expect("`state` is the first field");
    let name = identifier(state);
    STATES
        .iter()
        .position(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("the state {name} has no place in the picture: add it to STATES"))
}

/// Returns the name of an input and the kind of its result, for example `Saved(Err)`.
fn input_name(input: &Input) -> String {
    let text = format!("{input:?}");
    let name = identifier(&text);
    let result = ["(Ok", "(Err"].into_iter().find(|it| text[name.len()..].starts_with(it));
    result.map_or(name.to_string(), |result| format!("{name}{result})"))
}

/// Returns the identifier at the start of `text`.
fn identifier(text: &str) -> &str {
    text.split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default()
}

/// Asserts that the repository shows the machine as it was observed. Writes the files instead if
/// `UPDATE_DIAGRAM` is set.
pub(crate) fn expect_up_to_date(observed: &Observed) {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let generated = |path: &str, lines: Vec<String>| {
        let path = crate_dir.join(path);
        let text = replace_generated_part(&read(&path), &lines, &path);
        (path, text)
    };
    let mut machine = paths();
    machine.push(String::new());
    machine.extend(transition_table(observed));
    let files = [
        generated("src/machine.rs", with_prefix("//!", machine)),
        generated("src/status.rs", with_prefix("///", phase_table(observed))),
        (crate_dir.join("../docs/machine.svg"), picture(observed)),
    ];
    let mut outdated = String::new();
    for (path, text) in files {
        let present = read(&path);
        if present == text {
            continue;
        }
        if env::var_os("UPDATE_DIAGRAM").is_some() {
            fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            continue;
        }
        let (number, line) = text
            .lines()
            .zip(present.lines().chain(iter::repeat("")))
            .zip(1..)
            .find_map(|((new, old), number)| (new != old).then_some((number, new)))
            .unwrap_or((0, "(fewer lines)"));
        let path = path.strip_prefix(crate_dir).unwrap_or(&path);
        writeln!(outdated, "  {}: line {number} should be: {line}", path.display())
            .expect("a string accepts it");
    }
    assert!(
        outdated.is_empty(),
        "these files do not show the transitions of the machine:\n{outdated}\
         If the machine is right, update them with\n\n  {COMMAND}\n"
    );
}

/// Returns the text of a file, or an empty text if there is none.
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn replace_generated_part(text: &str, lines: &[String], path: &Path) -> String {
    let begin = format!("// Generated. To update it: {COMMAND}");
    let parts = text.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else {
        let path = path.display();
        panic!("{path} needs these two lines around the generated part:\n{begin}\n{END}")
    };
    format!("{before}{begin}\n{}\n{END}{after}", lines.join("\n"))
}

fn with_prefix(prefix: &str, lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("{prefix} {line}").trim_end().to_string()).collect()
}

/// Returns the states that typical tasks pass through, as text. A task begins in Idle.
fn paths() -> Vec<String> {
    use InputId::{
        Applied, Configure, Elapsed, Joined, KeptByRecord, OfferedA, Overlap, Saved, SnapshotTaken,
    };
    let mut explorer = Explorer::default();
    let mut boot = |disk| explorer.boot_from(disk, AfterFailure::AccessPointOff);
    let booted = boot(Disk::Settled(SettingsId::Platform));
    let interrupted = boot(Disk::Pairing(SettingsId::Platform, Some(0)));
    let snapshot = SnapshotTaken(0);
    let (idle, _) = explorer.transition(booted, Applied, TimePoint::InWindow);
    let pair = InputId::StartOverWifi;
    let [to_network, _, to_off] = InputId::CONFIGURE;
    let samples: [(&str, NodeId, &[InputId]); 6] = [
        ("boot", booted, &[Applied]),
        ("boot after power cut", interrupted, &[Applied, Saved]),
        ("pairing", idle, &[pair, snapshot, Saved, OfferedA, Joined, KeptByRecord, Saved]),
        ("failed pairing", idle, &[pair, snapshot, Saved, Overlap, Applied, Saved]),
        (
            "change of network",
            idle,
            &[to_network, snapshot, Saved, Elapsed, Joined, KeptByRecord, Saved],
        ),
        ("change of mode", idle, &[to_off, snapshot, Saved, Elapsed, Applied, Saved]),
    ];
    let mut lines = vec!["```text".to_string()];
    for (label, start, inputs) in samples {
        let mut id = start;
        let mut names = Vec::new();
        if explorer.boots().any(|boot| boot == start) {
            names.push(STATES[state_of(&explorer.node(id).machine)].0);
        }
        for input in inputs {
            let is_request = matches!(input, InputId::StartOverWifi | Configure(_));
            let at = if is_request { TimePoint::Start } else { TimePoint::InWindow };
            (id, _) = explorer.transition(id, *input, at);
            names.push(STATES[state_of(&explorer.node(id).machine)].0);
        }
        assert_eq!(names.last(), Some(&"Idle"), "{label}");
        lines.push(format!("{label:<20} {}", names.join(" → ")));
    }
    lines.push("```".to_string());
    lines
}

fn transition_table(observed: &Observed) -> Vec<String> {
    let boot = [String::new(), "(boot)".to_string(), names(&observed.boots)];
    let rows = observed
        .edges()
        .into_iter()
        .map(|Edge { from, input, to }| [STATES[from].0.to_string(), input, names(&to)]);
    table(["state", "input", "next state"], [boot].into_iter().chain(rows).collect())
}

fn phase_table(observed: &Observed) -> Vec<String> {
    let mut phases: Vec<_> = observed.phases.iter().collect();
    // In the order in which a task reaches them.
    phases.sort_by_key(|(_, states)| (states.last(), states.len()));
    let rows = phases.into_iter().map(|(phase, states)| [format!("`{phase}`"), names(states)]);
    table(["phase", "states"], rows.collect())
}

/// Returns the names of the states, separated by commas.
fn names(states: &BTreeSet<State>) -> String {
    states.iter().map(|state| STATES[*state].0).collect::<Vec<_>>().join(", ")
}

/// Returns a Markdown table with aligned columns.
fn table<const N: usize>(header: [&str; N], rows: Vec<[String; N]>) -> Vec<String> {
    let header = header.map(str::to_string);
    let mut widths = [0; N];
    for row in rows.iter().chain([&header]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; N]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} "));
        format!("|{}|", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.map(|width| "-".repeat(width + 2)).join("|");
    let mut lines = vec![line(&header), format!("|{rule}|")];
    lines.extend(rows.iter().map(line));
    lines
}

/// The place of a state in the picture.
struct Place {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

impl Place {
    const fn new(x: i32, y: i32, width: i32, height: i32) -> Self {
        Self { x, y, width, height }
    }

    fn center(&self) -> (i32, i32) {
        (self.x + self.width / 2, self.y + self.height / 2)
    }
}

/// The states in the order of a task, and where they are drawn. Pairings take the middle row,
/// changes of settings the row above it. What fails falls into Restoring.
static STATES: [(&str, Place); 11] = [
    ("Idle", Place::new(60, 60, 130, 350)),
    ("Snapshotting", Place::new(350, 360, 120, 40)),
    ("Journaling", Place::new(640, 360, 120, 40)),
    ("ReplyGrace", Place::new(830, 210, 120, 40)),
    ("Searching", Place::new(890, 360, 120, 40)),
    ("Joining", Place::new(1110, 360, 120, 40)),
    ("Applying", Place::new(1270, 210, 120, 40)),
    ("Keeping", Place::new(1430, 300, 120, 40)),
    ("Saving", Place::new(1640, 210, 120, 190)),
    ("Restoring", Place::new(60, 520, 1700, 40)),
    ("Closing", Place::new(590, 120, 360, 40)),
];

/// Where the text of an arrow stands.
#[derive(Clone, Copy)]
enum Label {
    /// Its first line begins here.
    From(i32, i32),
    /// Its first line ends here.
    To(i32, i32),
    /// Its last line begins here.
    Above(i32, i32),
}

/// The corners of an arrow, and its text.
type Route = (&'static [(i32, i32)], Label);

/// How the arrows are drawn, from state to state. An arrow that is not listed is a straight dashed
/// line.
const ROUTES: &[(&str, &str, Route)] = &[
    ("Idle", "Idle", (&[(190, 200), (215, 200), (215, 240), (190, 240)], Label::From(223, 216))),
    ("Idle", "Snapshotting", (&[(190, 370), (350, 370)], Label::Above(198, 363))),
    ("Idle", "Restoring", (&[(70, 410), (70, 520)], Label::From(76, 465))),
    (
        "Snapshotting",
        "Snapshotting",
        (&[(385, 360), (385, 335), (425, 335), (425, 360)], Label::Above(385, 328)),
    ),
    ("Snapshotting", "Idle", (&[(350, 390), (190, 390)], Label::From(198, 406))),
    ("Snapshotting", "Journaling", (&[(470, 380), (640, 380)], Label::Above(478, 373))),
    ("Snapshotting", "Restoring", (&[(445, 400), (445, 520)], Label::From(452, 430))),
    (
        "Journaling",
        "Journaling",
        (&[(655, 360), (655, 335), (690, 335), (690, 360)], Label::Above(655, 328)),
    ),
    (
        "Journaling",
        "ReplyGrace",
        (&[(760, 370), (795, 370), (795, 230), (830, 230)], Label::From(801, 300)),
    ),
    ("Journaling", "Searching", (&[(760, 390), (890, 390)], Label::From(768, 406))),
    ("Journaling", "Restoring", (&[(700, 400), (700, 520)], Label::From(707, 440))),
    ("Journaling", "Closing", (&[(725, 360), (725, 160)], Label::From(732, 190))),
    ("ReplyGrace", "Joining", (&[(950, 240), (1130, 240), (1130, 360)], Label::From(958, 256))),
    ("ReplyGrace", "Applying", (&[(950, 220), (1270, 220)], Label::Above(958, 213))),
    ("ReplyGrace", "Restoring", (&[(870, 250), (870, 520)], Label::From(877, 272))),
    ("ReplyGrace", "Closing", (&[(890, 210), (890, 160)], Label::From(897, 190))),
    (
        "Searching",
        "Searching",
        (&[(930, 360), (930, 340), (970, 340), (970, 360)], Label::Above(930, 333)),
    ),
    ("Searching", "Joining", (&[(1010, 380), (1110, 380)], Label::Above(1018, 373))),
    ("Searching", "Restoring", (&[(915, 400), (915, 520)], Label::From(922, 430))),
    (
        "Joining",
        "Joining",
        (&[(1160, 360), (1160, 340), (1200, 340), (1200, 360)], Label::Above(1145, 333)),
    ),
    ("Joining", "Keeping", (&[(1230, 370), (1460, 370), (1460, 340)], Label::Above(1340, 363))),
    ("Joining", "Saving", (&[(1230, 390), (1640, 390)], Label::From(1340, 406))),
    ("Joining", "Restoring", (&[(1130, 400), (1130, 520)], Label::From(1137, 430))),
    ("Applying", "Saving", (&[(1390, 230), (1640, 230)], Label::Above(1398, 223))),
    ("Applying", "Restoring", (&[(1320, 250), (1320, 520)], Label::From(1327, 275))),
    ("Keeping", "Saving", (&[(1550, 320), (1640, 320)], Label::Above(1558, 313))),
    ("Keeping", "Restoring", (&[(1520, 340), (1520, 520)], Label::From(1527, 440))),
    ("Saving", "Idle", (&[(1700, 210), (1700, 80), (190, 80)], Label::Above(1620, 73))),
    ("Saving", "Restoring", (&[(1700, 400), (1700, 520)], Label::From(1707, 430))),
    ("Restoring", "Idle", (&[(180, 520), (180, 410)], Label::From(187, 465))),
    ("Restoring", "Snapshotting", (&[(375, 520), (375, 400)], Label::To(369, 450))),
    (
        "Restoring",
        "Restoring",
        (&[(820, 560), (820, 582), (860, 582), (860, 560)], Label::From(868, 578)),
    ),
    ("Restoring", "Closing", (&[(610, 520), (610, 160)], Label::From(617, 505))),
    ("Closing", "Snapshotting", (&[(590, 150), (450, 150), (450, 360)], Label::From(457, 250))),
    ("Closing", "Idle", (&[(590, 140), (190, 140)], Label::Above(525, 133))),
    (
        "Closing",
        "Closing",
        (&[(950, 130), (975, 130), (975, 150), (950, 150)], Label::From(983, 101)),
    ),
];

const HEAD: &str = "\
<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1790 670\" role=\"img\" \
aria-label=\"The states of the pairing machine, and the inputs that lead from one to another\">";

const STYLE: &str = "\
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 }
.faint { fill: #57606a }
.state { font-size: 14px; font-weight: 600; text-anchor: middle }
rect { fill: #ddf4ff; stroke: #0969da }
path { fill: none; stroke: #57606a; stroke-width: 1.5; marker-end: url(#head) }
marker path, circle { fill: #57606a; stroke: none; marker-end: none }
.back { stroke: #bc4c00; marker-end: url(#head-back) }
marker .back { fill: #bc4c00; stroke: none; marker-end: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.faint { fill: #9198a1 }
rect { fill: #121d2f; stroke: #4493f8 }
path { stroke: #9198a1 }
marker path, circle { fill: #9198a1 }
.back { stroke: #db6d28 }
marker .back { fill: #db6d28 }
}
";

/// Returns the picture of the machine as SVG.
fn picture(observed: &Observed) -> String {
    let mut arrows: BTreeMap<(State, State), Vec<String>> = BTreeMap::new();
    for Edge { from, input, to } in observed.edges() {
        for to in to {
            arrows.entry((from, to)).or_default().push(input.clone());
        }
    }
    for (from, to, _) in ROUTES {
        let is_drawn = |(a, b): &(State, State)| (STATES[*a].0, STATES[*b].0) == (*from, *to);
        assert!(arrows.keys().any(is_drawn), "remove {from} → {to} from ROUTES: it never happens");
    }
    let mut lines = vec![
        HEAD.to_string(),
        // XML does not allow `--` in a comment, so the command is not here.
        "<!-- Generated by wps-core/tests/model/diagram.rs. -->".into(),
        format!("<style>\n{STYLE}</style>"),
    ];
    for (id, class) in [("head", ""), ("head-back", r#" class="back""#)] {
        let size = r#"viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7""#;
        let path = format!(r#"<path{class} d="M0 0 8 4 0 8z"/>"#);
        lines.push(format!(r#"<marker id="{id}" {size} orient="auto">{path}</marker>"#));
    }
    lines.push(r#"<text class="title" x="16" y="26">The pairing machine</text>"#.to_string());
    lines.push(text(
        "faint",
        (16, 46),
        "Each arrow has the inputs that lead along it. Any other input leaves the machine as it is. \
         Where a state has the same input twice, the task or a request that waits decides. \
         Final: another try within the window is pointless.",
    ));
    for (name, place) in &STATES {
        let Place { x, y, width, height } = place;
        let (center_x, center_y) = place.center();
        lines.push(format!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>{}"#,
            text("state", (center_x, center_y + 5), name)
        ));
    }
    for boot in &observed.boots {
        let Place { x, y, height, .. } = STATES[*boot].1;
        let y = y + height / 2;
        lines.push(format!(
            r#"<circle cx="{}" cy="{y}" r="5"/><path d="M{} {y}H{x}"/>{}"#,
            x - 44,
            x - 44,
            text("", (x - 54, y - 12), "boot")
        ));
    }
    for ((from, to), inputs) in arrows {
        let route =
            ROUTES.iter().find(|route| (route.0, route.1) == (STATES[from].0, STATES[to].0));
        lines.push(match route {
            Some((.., (corners, label))) => arrow(to, corners, *label, &inputs, false),
            None => {
                let ends = [STATES[from].1.center(), STATES[to].1.center()];
                let (x, y) = ((ends[0].0 + ends[1].0) / 2, (ends[0].1 + ends[1].1) / 2);
                arrow(to, &ends, Label::From(x + 8, y), &inputs, true)
            }
        });
    }
    lines.push("</svg>\n".to_string());
    lines.join("\n")
}

/// Returns an arrow to the state `to`, with the inputs that lead along it.
fn arrow(
    to: State,
    corners: &[(i32, i32)],
    label: Label,
    inputs: &[String],
    dashed: bool,
) -> String {
    let path: Vec<_> = corners.iter().map(|(x, y)| format!("{x} {y}")).collect();
    let class =
        if ["Restoring", "Closing"].contains(&STATES[to].0) { r#" class="back""# } else { "" };
    let dash = if dashed { r#" stroke-dasharray="5 4""# } else { "" };
    let mut svg = format!(r#"<path{class}{dash} d="M{}"/>"#, path.join("L"));
    for (input, line) in inputs.iter().zip(0..) {
        let above = i32::try_from(inputs.len()).expect("few inputs") - 1 - line;
        let (end, (x, y)) = match label {
            Label::From(x, y) => ("", (x, y + 14 * line)),
            Label::To(x, y) => (r#" text-anchor="end""#, (x, y + 14 * line)),
            Label::Above(x, y) => ("", (x, y - 14 * above)),
        };
        write!(svg, r#"<text x="{x}" y="{y}"{end}>{input}</text>"#).expect("a string accepts it");
    }
    svg
}

fn text(class: &str, (x, y): (i32, i32), text: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!(r#"class="{class}" "#) };
    format!(r#"<text {class}x="{x}" y="{y}">{text}</text>"#)
}
