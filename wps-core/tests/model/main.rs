//! Walks every world that machine, disk, radio and people can reach, breadth first, with everything that
//! can happen at every step: requests, cancelling, the window closing, each answer and each failure
//! of each command, saves that were written or not, dropped futures, power cuts. So any number of
//! faults in a row is covered.
//!
//! Time has three values: the start, second 10, and the deadline. What takes time inside the window
//! takes none here, so that the window may close at every step and at none.

mod book;
mod words;
mod world;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use book::{Book, Number};
use words::{Disk, Do, In, Is, When};
use world::World;
use wps_core::{AfterFailure, Cause, ErrorKind, Loaded, RequestError, TaskKind};

/// Where a world was first reached from, and by what.
type Origin = Option<(usize, &'static str)>;

#[test]
fn every_world_is_sound_where_a_failed_access_point_goes_dark() {
    every_world_is_sound(AfterFailure::AccessPointOff);
}

#[test]
fn every_world_is_sound_where_a_failed_access_point_comes_back() {
    every_world_is_sound(AfterFailure::AccessPointBack);
}

fn every_world_is_sound(after_failure: AfterFailure) {
    let began = Instant::now();
    let mut book = Book::default();
    let mut told = Vec::new();
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
    for first in first_worlds(&mut book, after_failure) {
        visit(first, None, &mut worlds, &mut queue);
    }
    let (mut said, mut happened) = (BTreeSet::new(), BTreeSet::new());
    while let Some(at) = queue.pop_front() {
        let world = worlds[at].0;
        if let Err(broken) = world.sound(&book) {
            explain(broken, &worlds, at, None, &book);
        }
        for (label, next) in world.steps(&mut book, &mut told) {
            steps += 1;
            happened.insert((world.is_booting(), label));
            match next {
                Ok(next) => visit(next, Some((at, label)), &mut worlds, &mut queue),
                Err(broken) => explain(broken, &worlds, at, Some(label), &book),
            }
        }
        said.extend(told.drain(..).map(|told| format!("{told:?}")));
    }

    faults_come_in_rows(&happened);
    assert!(happened.contains(&(false, "lost")), "never happens: lost");
    let all = || worlds.iter().map(|(world, _)| world);
    let longest = all().map(|world| answers_to_rest(&mut book, world)).max();
    everything_happens_sometimes(&book, all().map(|world| world.machine), &said);
    println!(
        "model, {after_failure:?}: {} worlds, {steps} steps, {} machines, at rest within {} answers, {:.1} s",
        worlds.len(),
        book.count(),
        longest.unwrap_or_default(),
        began.elapsed().as_secs_f32()
    );
}

/// Every record of a device at rest, a new device, and a damaged record, which the store has put aside.
fn first_worlds(book: &mut Book, after_failure: AfterFailure) -> Vec<World> {
    let settled = Is::ALL.map(Disk::Settled).into_iter().chain([Disk::Empty]);
    let mut first: Vec<_> = settled
        .map(|disk| World::first(book.boot_from(disk, after_failure), disk, after_failure))
        .collect();
    let damaged = book.boot(Loaded::Corrupt, after_failure);
    first.push(World::first(damaged, Disk::Empty, after_failure));
    first
}

/// How it came to this, from the start.
fn explain(
    broken: &str,
    worlds: &[(World, Origin)],
    at: usize,
    last: Option<&str>,
    book: &Book,
) -> ! {
    let mut path = Vec::from_iter(last.map(|last| format!("  {last}: {broken}")));
    let mut here = at;
    while let (_, Some((from, label))) = worlds[here] {
        path.push(format!("  {label} → {:?}", book.page(worlds[here].0.machine).wants));
        here = from;
    }
    path.reverse();
    let machine = &book.page(worlds[at].0.machine).machine;
    panic!(
        "{broken}\nfrom {:?}\n{}\nto {:#?}\n{machine:#?}",
        worlds[here].0,
        path.join("\n"),
        worlds[at].0
    );
}

/// When nothing fails any more and nobody asks for anything: how many answers it takes to come to rest,
/// whether or not a router answers.
fn answers_to_rest(book: &mut Book, world: &World) -> usize {
    let count = |router_answers: bool, book: &mut Book| {
        let (mut machine, mut closed) = (world.machine, world.closed);
        let mut joins = 0;
        for answers in 0.. {
            assert!(answers < 100, "never comes to rest: {:#?}", book.page(world.machine).machine);
            let page = book.page(machine);
            let input = match page.wants {
                Do::Rest => return answers,
                Do::Pause => In::Elapsed,
                Do::Note => In::Noted,
                Do::Save(_) => In::Saved,
                Do::Apply(..) => In::Applied,
                Do::Pair if router_answers => In::OfferedBoth,
                Do::Pair => In::Elapsed,
                Do::Join(..) if router_answers => In::Joined,
                Do::Join(..) => In::Elapsed,
            };
            // Six tries of twenty seconds fill the window.
            joins += usize::from(matches!(page.wants, Do::Join(..)));
            closed |= input == In::Elapsed && (page.ends_with_the_window() || joins == 6);
            machine = book.next(machine, input, if closed { When::Closed } else { When::Inside });
        }
        unreachable!("it returned or panicked")
    };
    count(true, book).max(count(false, book))
}

/// Every fault of the disk and the radio that can come once comes as a second one too: while what an earlier
/// power cut interrupted is put back, and closed by the first save after the boot.
fn faults_come_in_rows(happened: &BTreeSet<(bool, &str)>) {
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
        "apply: radio mute",
        "apply: done, but mute",
        "apply dropped",
    ] {
        assert!(happened.contains(&(true, label)), "never happens while booting: {label}");
        assert!(happened.contains(&(false, label)), "only happens while booting: {label}");
    }
}

/// Nothing above holds only because nothing happened.
fn everything_happens_sometimes(
    book: &Book,
    machines: impl Iterator<Item = Number>,
    said: &BTreeSet<String>,
) {
    let (mut states, mut endings) = (BTreeSet::new(), BTreeSet::new());
    for machine in machines {
        let page = book.page(machine);
        let phase = format!("{:?}", page.phase);
        let name = phase.split_whitespace().next().unwrap_or_default();
        states.insert(format!("{name} {}", page.wants.kind()));
        if let (Do::Rest, Some(last)) = (page.wants, page.last) {
            endings.insert(format!("{:?} {:?}", last.task, last.result));
        }
    }
    for state in [
        "Idle rest",
        "Opening note",
        "Opening save",
        "Searching pair",
        "Searching apply",
        "Searching pause",
        "Joining join",
        "Joining pause",
        "Saving save",
        "Configuring note",
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

    let mute = Cause::Driver(ErrorKind::NoResponse);
    let absent = Cause::Driver(ErrorKind::NoDevice);
    let wrong_key = Cause::Driver(ErrorKind::WrongKey);
    let both = [
        Ok(()),
        Err(Cause::Cancelled),
        Err(Cause::NotJoined),
        Err(Cause::Store),
        Err(Cause::Interrupted),
        Err(mute),
        Err(absent),
        Err(wrong_key),
    ];
    let pairing = [
        Err(Cause::TimedOut),
        Err(Cause::Driver(ErrorKind::Overlap)),
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
    assert_eq!(endings, expected.concat().into_iter().collect(), "endings");

    let failed = |cause| Err(RequestError::Failed(cause));
    let answers = [
        Ok(()),
        Err(RequestError::Busy),
        failed(Cause::Store),
        failed(Cause::Cancelled),
        failed(mute),
        failed(absent),
    ];
    let expected = answers.map(|answer| format!("{answer:?}"));
    assert_eq!(said, &expected.into_iter().collect(), "told");
}
