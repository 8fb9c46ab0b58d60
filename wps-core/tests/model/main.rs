//! An exhaustive model of the pairing machine.
//!
//! Visits every world that the machine, the disk, the radio and the requesters can reach, breadth
//! first. At each step everything happens that can happen: requests, a cancellation, the end of the
//! window, each answer and each failure of each command, saves that were written or not, dropped
//! futures, power cuts. So any number of faults in a row is covered.
//!
//! Time has three values: the start, second 10, and the deadline. Work inside the window takes no
//! time in this model, so the window may close at every step or at none.
//!
//! What the model has observed of the machine is also what its diagram shows: see `diagram`.

mod diagram;
mod explorer;
mod ids;
mod world;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::LazyLock;
use std::time::Instant;

use diagram::Observed;
use explorer::{Explorer, NodeId};
use ids::{CommandId, Disk, InputId, SettingsId, TimePoint};
use world::World;
use wps_core::{AfterFailure, Cause, ErrorKind, Loaded, RequestError, TaskKind};

/// The world from which a world was first reached, and the step that led to it. `None` for an
/// initial world.
type Origin = Option<(usize, &'static str)>;

// Each exploration takes a while, and two tests need it.
static ACCESS_POINT_OFF: LazyLock<Observed> =
    LazyLock::new(|| explore_all_worlds(AfterFailure::AccessPointOff));
static ACCESS_POINT_BACK: LazyLock<Observed> =
    LazyLock::new(|| explore_all_worlds(AfterFailure::AccessPointBack));

#[test]
fn invariants_hold_if_a_failed_access_point_stays_off() {
    LazyLock::force(&ACCESS_POINT_OFF);
}

#[test]
fn invariants_hold_if_a_failed_access_point_comes_back() {
    LazyLock::force(&ACCESS_POINT_BACK);
}

#[test]
fn the_diagram_and_the_tables_show_every_transition() {
    assert_eq!(*ACCESS_POINT_OFF, *ACCESS_POINT_BACK, "AfterFailure changes the transitions");
    diagram::expect_up_to_date(&ACCESS_POINT_OFF);
}

/// Visits every world and returns what the machine does in them.
fn explore_all_worlds(after_failure: AfterFailure) -> Observed {
    let began = Instant::now();
    let mut explorer = Explorer::default();
    let mut replies = Vec::new();
    let mut known: HashMap<World, usize> = HashMap::new();
    let mut worlds: Vec<(World, Origin)> = Vec::new();
    let mut queue = VecDeque::new();
    let mut steps = 0_usize;

    let mut visit = |world: World, origin: Origin, worlds: &mut Vec<_>, queue: &mut VecDeque<_>| {
        known.entry(world).or_insert_with(|| {
            worlds.push((world, origin));
            queue.push_back(worlds.len() - 1);
            worlds.len() - 1
        });
    };
    for initial in initial_worlds(&mut explorer, after_failure) {
        visit(initial, None, &mut worlds, &mut queue);
    }
    let (mut seen_replies, mut seen_steps) = (BTreeSet::new(), BTreeSet::new());
    while let Some(index) = queue.pop_front() {
        let world = worlds[index].0;
        if let Err(violation) = world.check_invariants(&explorer) {
            fail_with_path(violation, &worlds, index, None, &explorer);
        }
        for (label, next) in world.steps(&mut explorer, &mut replies) {
            steps += 1;
            seen_steps.insert((world.is_booting(), label));
            match next {
                Ok(next) => visit(next, Some((index, label)), &mut worlds, &mut queue),
                Err(violation) => fail_with_path(violation, &worlds, index, Some(label), &explorer),
            }
        }
        seen_replies.extend(replies.drain(..).map(|reply| format!("{reply:?}")));
    }

    let observed = Observed::new(&explorer);
    expect_second_faults(&seen_steps);
    assert!(seen_steps.contains(&(false, "config lost")), "never happens: config lost");
    let all = || worlds.iter().map(|(world, _)| world);
    let longest = all().map(|world| answers_until_idle(&mut explorer, world)).max();
    expect_full_coverage(&explorer, all().map(|world| world.machine), &seen_replies);
    println!(
        "model, {after_failure:?}: {} worlds, {steps} steps, {} machines, at rest within {} answers, {:.1} s",
        worlds.len(),
        explorer.nodes().len(),
        longest.unwrap_or_default(),
        began.elapsed().as_secs_f32()
    );
    observed
}

/// Returns the worlds to start from: an idle device with each kind of settings, a new device, and a
/// device whose damaged record the store has put aside.
fn initial_worlds(explorer: &mut Explorer, after_failure: AfterFailure) -> Vec<World> {
    let settled = SettingsId::ALL.map(Disk::Settled).into_iter().chain([Disk::Empty]);
    let mut worlds: Vec<_> = settled
        .map(|disk| World::initial(explorer.boot_from(disk, after_failure), disk, after_failure))
        .collect();
    let damaged = explorer.boot(Loaded::Corrupt, after_failure);
    worlds.push(World::initial(damaged, Disk::Empty, after_failure));
    worlds
}

/// Panics with the path from an initial world to the violation.
fn fail_with_path(
    violation: &str,
    worlds: &[(World, Origin)],
    index: usize,
    last_step: Option<&str>,
    explorer: &Explorer,
) -> ! {
    let mut path = Vec::from_iter(last_step.map(|label| format!("  {label}: {violation}")));
    let mut here = index;
    while let (_, Some((from, label))) = worlds[here] {
        path.push(format!("  {label} → {:?}", explorer.node(worlds[here].0.machine).command));
        here = from;
    }
    path.reverse();
    let machine = &explorer.node(worlds[index].0.machine).machine;
    panic!(
        "{violation}\nfrom {:?}\n{}\nto {:#?}\n{machine:#?}",
        worlds[here].0,
        path.join("\n"),
        worlds[index].0
    );
}

/// Returns how many answers it takes until the device is idle if nothing fails any more and nobody
/// makes a request. Takes the maximum over a router that answers and one that does not.
fn answers_until_idle(explorer: &mut Explorer, world: &World) -> usize {
    let count = |router_answers: bool, explorer: &mut Explorer| {
        let (mut machine, mut window_closed) = (world.machine, world.window_closed);
        let mut joins = 0;
        for answers in 0.. {
            assert!(
                answers < 100,
                "never becomes idle: {:#?}",
                explorer.node(world.machine).machine
            );
            let node = explorer.node(machine);
            let input = match node.command {
                CommandId::Idle => return answers,
                CommandId::Pause => InputId::Elapsed,
                CommandId::Snapshot => InputId::SnapshotTaken,
                CommandId::Save(_) => InputId::Saved,
                CommandId::Apply(..) => InputId::Applied,
                CommandId::Pair if router_answers => InputId::OfferedBoth,
                CommandId::Pair => InputId::SearchElapsed,
                CommandId::Join(..) if router_answers => InputId::Joined,
                CommandId::Join(..) => InputId::Elapsed,
            };
            // Six tries of twenty seconds fill the window.
            joins += usize::from(matches!(node.command, CommandId::Join(..)));
            window_closed |= input == InputId::SearchElapsed
                || input == InputId::Elapsed && (node.ends_with_window() || joins == 6);
            let at = if window_closed { TimePoint::Deadline } else { TimePoint::InWindow };
            (machine, _) = explorer.transition(machine, input, at);
        }
        unreachable!("it returned or panicked")
    };
    count(true, explorer).max(count(false, explorer))
}

/// Asserts that each fault of the disk and the radio happens both as a first and as a second fault.
/// It is a second one if it happens after a power cut, before the device has restored its settings
/// and closed the journal.
fn expect_second_faults(seen_steps: &BTreeSet<(bool, &str)>) {
    for label in [
        "power cut",
        "saved",
        "save failed, not written",
        "save failed, but written",
        "save hangs, not written",
        "save hangs, but written",
        "save hangs, written later",
        "the late save is written",
        "save dropped, but written",
        "apply failed",
        "apply: no response",
        "apply: done, but no response",
        "apply dropped",
    ] {
        assert!(seen_steps.contains(&(true, label)), "never happens while booting: {label}");
        assert!(seen_steps.contains(&(false, label)), "only happens while booting: {label}");
    }
}

/// Asserts that every state, every result and every reply occurs, so that no invariant holds only
/// because nothing happened.
fn expect_full_coverage(
    explorer: &Explorer,
    machines: impl Iterator<Item = NodeId>,
    seen_replies: &BTreeSet<String>,
) {
    let (mut states, mut results) = (BTreeSet::new(), BTreeSet::new());
    for machine in machines {
        let node = explorer.node(machine);
        let phase = format!("{:?}", node.phase);
        let name = phase.split_whitespace().next().unwrap_or_default();
        states.insert(format!("{name} {}", node.command.name()));
        if let (CommandId::Idle, Some(last)) = (node.command, node.last) {
            results.insert(format!("{:?} {:?}", last.task, last.result));
        }
    }
    for state in [
        "Idle idle",
        "Journaling snapshot",
        "Journaling save",
        "Searching pair",
        "Searching apply",
        "Searching pause",
        "Joining join",
        "Joining pause",
        "Saving save",
        "Configuring snapshot",
        "Configuring save",
        "Configuring pause",
        "Configuring join",
        "Configuring apply",
        "Restoring apply",
        "Restoring save",
        "Restoring pause",
    ] {
        assert!(states.remove(state), "never reached: {state}");
    }
    assert!(states.is_empty(), "reached, but not expected: {states:?}");

    let no_response = Cause::Driver(ErrorKind::NoResponse);
    let no_device = Cause::Driver(ErrorKind::NoDevice);
    let wrong_key = Cause::Driver(ErrorKind::WrongKey);
    let both = [
        Ok(()),
        Err(Cause::Cancelled),
        Err(Cause::NotJoined),
        Err(Cause::Store),
        Err(Cause::Interrupted),
        Err(no_response),
        Err(no_device),
        Err(wrong_key),
    ];
    let pairing = [
        Err(Cause::NotPressed),
        Err(Cause::Driver(ErrorKind::Overlap)),
        Err(Cause::Driver(ErrorKind::Refused)),
        Err(Cause::Driver(ErrorKind::RouterLost)),
    ];
    let configuring = [Err(Cause::Corrupt), Err(Cause::Driver(ErrorKind::Other))];
    let of = |task: TaskKind, results: &[Result<(), Cause>]| {
        results.iter().map(|result| format!("{task:?} {result:?}")).collect::<Vec<_>>()
    };
    let expected = [
        of(TaskKind::Pair, &both),
        of(TaskKind::Pair, &pairing),
        of(TaskKind::Configure, &both),
        of(TaskKind::Configure, &configuring),
    ];
    assert_eq!(results, expected.concat().into_iter().collect(), "results");

    let failed = |cause| Err(RequestError::Failed(cause));
    let replies = [
        Ok(()),
        Err(RequestError::Busy),
        failed(Cause::Store),
        failed(Cause::Cancelled),
        failed(no_response),
        failed(no_device),
    ];
    let expected = replies.map(|reply| format!("{reply:?}"));
    assert_eq!(seen_replies, &expected.into_iter().collect(), "replies");
}
