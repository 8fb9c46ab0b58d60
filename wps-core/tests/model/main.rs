//! An exhaustive model of the pairing machine.
//!
//! Visits every world that the machine, the disk, the radio and the requesters can reach, breadth
//! first. At each step everything happens that can happen: requests, a cancellation, the end of the
//! window, each answer and each failure of each command, saves that were written or not, dropped
//! futures, power cuts. So any number of faults in a row is covered.
//!
//! There are two kinds of platform: one that keeps no networks, and one that keeps them, with what
//! it has of ours in memory, in files and on disk, and a network of the user. On the second kind
//! only that happens which concerns its store: see `world::LEFT_OUT`. After a failure the store is
//! as before, because the record then names the network of before, the platform still has that one,
//! and `maintain` removes all others.
//!
//! Time has three values: the start, second 10, and the deadline. Work inside the window takes no
//! time in this model, so the window may close at every step or at none.
//!
//! What the model has observed of the machine is also what its diagram shows: see `diagram`.

mod diagram;
mod explorer;
mod ids;
mod store;
mod world;

use std::collections::{BTreeSet, VecDeque};
use std::sync::LazyLock;
use std::time::Instant;

use diagram::Observed;
use explorer::{Explorer, NodeId};
use ids::{CommandId, Disk, InputId, Platform, SettingsId, TimePoint};
use rustc_hash::FxHashMap;
use world::World;
use wps_core::{AfterFailure, Cause, ErrorKind, Loaded, RequestError, TaskKind};

/// The world from which a world was first reached, and the step that led to it. `None` for an
/// initial world.
type Origin = Option<(usize, &'static str)>;

// Each exploration takes a while, and two tests need it.
static ACCESS_POINT_OFF: LazyLock<Observed> =
    LazyLock::new(|| explore_all_worlds(AfterFailure::AccessPointOff, Platform::KeepsNothing));
static ACCESS_POINT_BACK: LazyLock<Observed> =
    LazyLock::new(|| explore_all_worlds(AfterFailure::AccessPointBack, Platform::KeepsNothing));
static KEEPS_NETWORKS: LazyLock<Observed> =
    LazyLock::new(|| explore_all_worlds(AfterFailure::AccessPointOff, Platform::KeepsNetworks));

#[test]
fn invariants_hold_if_a_failed_access_point_stays_off() {
    LazyLock::force(&ACCESS_POINT_OFF);
}

#[test]
fn invariants_hold_if_a_failed_access_point_comes_back() {
    LazyLock::force(&ACCESS_POINT_BACK);
}

/// With fewer kinds of request and failure than above. What the others lead to does not depend on
/// the platform.
#[test]
fn invariants_hold_on_a_platform_that_keeps_networks() {
    LazyLock::force(&KEEPS_NETWORKS);
}

#[test]
fn the_diagram_and_the_tables_show_every_transition() {
    assert_eq!(*ACCESS_POINT_OFF, *ACCESS_POINT_BACK, "AfterFailure changes the transitions");
    diagram::expect_up_to_date(&ACCESS_POINT_OFF.clone().merge(&KEEPS_NETWORKS));
}

/// Visits every world and returns what the machine does in them.
fn explore_all_worlds(after_failure: AfterFailure, platform: Platform) -> Observed {
    let began = Instant::now();
    let mut explorer = Explorer::default();
    let mut replies = Vec::new();
    let mut known: FxHashMap<World, usize> = FxHashMap::default();
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
    for initial in initial_worlds(&mut explorer, after_failure, platform) {
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
    expect_steps(&seen_steps, platform);
    let all = || worlds.iter().map(|(world, _)| world);
    let longest = all().map(|world| answers_until_idle(&mut explorer, world)).max();
    let machines = all().map(|world| world.machine);
    match platform {
        Platform::KeepsNothing => expect_full_coverage(&explorer, machines, &seen_replies),
        Platform::KeepsNetworks => expect_keep_results(&explorer, machines),
    }
    println!(
        "model, {platform:?}, {after_failure:?}: {} worlds, {steps} steps, {} machines, at rest within {} answers, {:.1} s",
        worlds.len(),
        explorer.nodes().len(),
        longest.unwrap_or_default(),
        began.elapsed().as_secs_f32()
    );
    observed
}

/// Returns the worlds to start from: an idle device with each kind of settings, a new device, and a
/// device whose damaged record the store has put aside.
fn initial_worlds(
    explorer: &mut Explorer,
    after_failure: AfterFailure,
    platform: Platform,
) -> Vec<World> {
    let settled = SettingsId::initial(platform).into_iter().map(Disk::Settled);
    let disks = settled.chain([Disk::Empty]);
    let mut boots: Vec<_> =
        disks.map(|disk| (explorer.boot_from(disk, after_failure), disk)).collect();
    boots.push((explorer.boot(Loaded::Corrupt, after_failure), Disk::Empty));
    let world = |(machine, disk)| World::initial(machine, disk, after_failure, platform);
    boots.into_iter().map(world).collect()
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
                CommandId::Snapshot => InputId::SnapshotTaken(0),
                CommandId::Save(_) => InputId::Saved,
                CommandId::Apply(..) => InputId::Applied,
                CommandId::Pair if router_answers => InputId::OfferedBoth,
                CommandId::Pair => InputId::SearchElapsed,
                CommandId::Join(..) if router_answers => InputId::Joined,
                CommandId::Join(..) => InputId::Elapsed,
                CommandId::Keep(..) => InputId::KeptByRecord,
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

/// Asserts that tasks end in each way that `keep` adds.
fn expect_keep_results(explorer: &Explorer, machines: impl Iterator<Item = NodeId>) {
    let (_, results) = states_and_results(explorer, machines);
    for (task, result) in [
        (TaskKind::Pair, Ok(())),
        (TaskKind::Pair, Err(Cause::NotKept)),
        (TaskKind::Configure, Ok(())),
        (TaskKind::Configure, Err(Cause::NotKept)),
        (TaskKind::Configure, Err(Cause::NetworkRemoved)),
    ] {
        let result = format!("{task:?} {result:?}");
        assert!(results.contains(&result), "never happens: {result}");
    }
}

/// Returns the phases with their commands, and the results of an idle device.
fn states_and_results(
    explorer: &Explorer,
    machines: impl Iterator<Item = NodeId>,
) -> (BTreeSet<String>, BTreeSet<String>) {
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
    (states, results)
}

/// Asserts that these steps happen, on a platform of this kind.
fn expect_steps(seen_steps: &BTreeSet<(bool, &str)>, platform: Platform) {
    let keep = match platform {
        Platform::KeepsNothing => vec!["kept by the record", "key refused", "key accepted"],
        Platform::KeepsNetworks => vec![
            "kept",
            "keep failed, but stored",
            "keep hangs, not synced",
            "keep hangs, but stored",
            "keep dropped, not synced",
            "keep dropped, but stored",
            "the user removes one",
            "network removed",
            "looked after",
        ],
    };
    for label in
        ["config lost", "keep failed, not stored", "keep hangs, not stored"].into_iter().chain(keep)
    {
        assert!(seen_steps.contains(&(false, label)), "never happens: {label}");
    }
}

/// Asserts that every state, every result and every reply occurs, so that no invariant holds only
/// because nothing happened.
fn expect_full_coverage(
    explorer: &Explorer,
    machines: impl Iterator<Item = NodeId>,
    seen_replies: &BTreeSet<String>,
) {
    let (mut states, results) = states_and_results(explorer, machines);
    for state in [
        "Idle idle",
        "Journaling snapshot",
        "Journaling save",
        "Searching pair",
        "Searching apply",
        "Searching pause",
        "Joining join",
        "Joining pause",
        "Saving keep",
        "Saving save",
        "Configuring snapshot",
        "Configuring save",
        "Configuring pause",
        "Configuring join",
        "Configuring keep",
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
        Err(Cause::NotKept),
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
