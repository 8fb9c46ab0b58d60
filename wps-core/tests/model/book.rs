//! Every machine that was reached, by number, with what it wants and what it tells; and the laws that
//! concern the machine alone.

use std::collections::HashMap;

use std::time::Duration;

use wps_core::command::{Command, Input};
use wps_core::{
    AfterFailure, Cause, ErrorKind, Instant, Loaded, Machine, Phase, RequestError, Settings,
    TaskKind, TaskResult,
};

use crate::words::{Disk, Do, INSIDE, In, Is, KINDS, When};

pub(crate) type Number = u32;

/// What a machine wants and tells.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) machine: Machine,
    pub(crate) wants: Do,
    until: Option<Instant>,
    /// When a pairing may leave the present network, while one looks around.
    leave: Option<Instant>,
    pub(crate) phase: Phase,
    /// When the window closes, while one is open.
    pub(crate) deadline: Option<Instant>,
    pub(crate) last: Option<TaskResult>,
    pub(crate) settled: Option<Is>,
    /// The radio did not take what is to be put back.
    pub(crate) stuck: bool,
    /// What whoever waits is told.
    pub(crate) answer: Option<Result<(), RequestError>>,
    /// What whoever asks for a pairing or for other settings now is told.
    pub(crate) admits: [Option<Result<(), RequestError>>; 2],
}

impl Page {
    fn new(machine: Machine) -> Self {
        let command = machine.command();
        let (wants, until) = Do::of(&command);
        let leave = if let Command::Pair { leave, .. } = command { Some(leave) } else { None };
        let status = machine.status();
        Self {
            stuck: status.phase == Phase::Restoring
                && matches!(status.trouble, Some(Cause::Driver(_))),
            wants,
            until,
            leave,
            phase: status.phase,
            deadline: status.deadline,
            last: status.last,
            settled: machine.settled().map(Is::of),
            answer: machine.answer(),
            admits: [TaskKind::Pair, TaskKind::Configure].map(|task| machine.admit(task)),
            machine,
        }
    }

    /// Whether the command goes on until the window closes.
    pub(crate) fn ends_with_the_window(&self) -> bool {
        self.deadline.is_some_and(|deadline| self.until >= Some(deadline))
    }

    /// How much time whoever asked gets to receive the answer, while a pairing looks around.
    pub(crate) fn reply_grace(&self) -> Option<Duration> {
        // It began at one of these moments.
        let began = if self.leave < self.deadline { Some(INSIDE) } else { self.deadline };
        Some(self.leave?.since(began?))
    }

    /// Whether this is a pairing or a change of settings whose outcome is still open.
    pub(crate) fn can_be_cancelled(&self) -> bool {
        self.deadline.is_some() && !matches!(self.wants, Do::Save(Disk::Settled(_)))
    }
}

#[derive(Default)]
pub(crate) struct Book {
    pages: Vec<Page>,
    numbers: HashMap<Machine, Number>,
    next: HashMap<(Number, In, When), Number>,
}

impl Book {
    pub(crate) fn page(&self, number: Number) -> &Page {
        &self.pages[number as usize]
    }

    pub(crate) fn count(&self) -> usize {
        self.pages.len()
    }

    pub(crate) fn boot(&mut self, loaded: Loaded, after_failure: AfterFailure) -> Number {
        let factory_settings: Settings = Is::FACTORY.settings();
        self.number(Machine::boot(Instant::from_millis(0), loaded, factory_settings, after_failure))
    }

    pub(crate) fn boot_from(&mut self, disk: Disk, after_failure: AfterFailure) -> Number {
        let loaded = disk.record().map_or(Loaded::Nothing, Loaded::Record);
        self.boot(loaded, after_failure)
    }

    /// What `input` makes of a machine.
    pub(crate) fn next(&mut self, number: Number, input: In, when: When) -> Number {
        if let Some(next) = self.next.get(&(number, input, when)) {
            return *next;
        }
        let page = self.page(number);
        let now = match when {
            When::AtFirst => Instant::from_millis(0),
            When::Inside => INSIDE,
            When::Closed => page.deadline.unwrap_or(INSIDE),
        };
        let mut machine = page.machine.clone();
        machine.handle(now, input.input());
        let next = self.number(machine);
        self.next.insert((number, input, when), next);
        next
    }

    fn number(&mut self, machine: Machine) -> Number {
        if let Some(number) = self.numbers.get(&machine) {
            return *number;
        }
        let page = Page::new(machine.clone());
        if let Err(broken) = sound(&page) {
            panic!("{broken}: {page:#?}");
        }
        let number = Number::try_from(self.pages.len()).expect("not that many");
        self.pages.push(page);
        self.numbers.insert(machine, number);
        number
    }
}

/// The laws that concern the machine alone.
fn sound(page: &Page) -> Result<(), String> {
    let Page { machine, wants, phase, deadline, .. } = page;
    let unmoved_by = |input: In| {
        let mut moved = machine.clone();
        moved.handle(INSIDE, input.input());
        moved == *machine
    };
    for input in In::ANSWERS {
        if !wants.is_answered_by(input) && !unmoved_by(input) {
            return Err(format!("{input:?} is no answer to {wants:?}, but moved the machine"));
        }
    }
    if let Some(until) = page.until {
        let mut moved = machine.clone();
        moved.handle(until, In::Elapsed.input());
        if moved == *machine {
            return Err("its time has come, and nothing happens: a runner would spin".into());
        }
    }
    let resting = *wants == Do::Rest;
    if resting != page.settled.is_some() || resting != (*phase == Phase::Idle) {
        return Err("at rest or not?".into());
    }
    if !resting && !page.stuck {
        // Whoever starts the same pairing before it is journalled may need more time.
        let may_extend = |input| input == In::Start && page.admits[0].is_none();
        for input in [In::Start, In::Press].into_iter().chain(In::CONFIGURE) {
            if !may_extend(input) && !unmoved_by(input) {
                return Err(format!("{input:?} disturbed what was under way"));
            }
        }
    }
    if !page.can_be_cancelled() && !unmoved_by(In::Cancel) {
        return Err("cancelled when there was nothing to cancel".into());
    }
    for kind in KINDS {
        alike(page, kind)?;
    }
    let inside_the_window = match wants {
        // Saying goodbye takes its time, though the machine slept through its window.
        Do::Pair => page.until == (*deadline).max(page.leave),
        Do::Join(..) => page.until <= *deadline,
        Do::Pause => match phase {
            Phase::Searching | Phase::Joining { .. } => page.until <= *deadline,
            // The same.
            Phase::Idle
            | Phase::Journaling
            | Phase::Saving
            | Phase::Configuring
            | Phase::Restoring => true,
        },
        // Putting back between two searches.
        Do::Apply(..) if *phase == Phase::Searching => page.until <= *deadline,
        Do::Rest | Do::Note | Do::Save(_) | Do::Apply(..) => true,
    };
    if !inside_the_window {
        return Err("goes on after the window closed".into());
    }
    Ok(())
}

/// Whatever kind of failure a driver reports: if it is final the machine does as after one that is, else
/// as after one that is not, and outside a window all the same; and people are told which it was.
fn alike(page: &Page, kind: ErrorKind) -> Result<(), String> {
    let answer: fn(ErrorKind) -> Input = match page.wants {
        Do::Note => |kind| Input::SnapshotTaken(Err(kind)),
        Do::Apply(..) => |kind| Input::Applied(Err(kind)),
        Do::Pair => |kind| Input::Offered(Err(kind)),
        Do::Join(..) => |kind| Input::Joined(Err(kind)),
        Do::Rest | Do::Pause | Do::Save(_) => return Ok(()),
    };
    let after = |kind| {
        let mut moved = page.machine.clone();
        moved.handle(INSIDE, answer(kind));
        moved
    };
    let played = if page.deadline.is_some() { representative(kind) } else { ErrorKind::Other };
    let (it, known) = (after(kind), after(played));
    if it.command() != known.command() || it.status().phase != known.status().phase {
        return Err(format!("{kind:?} is treated in a way of its own"));
    }
    // While putting back within the window the reason for it stays.
    let reason = |machine: &Machine| {
        let status = machine.status();
        status.trouble.or(status.last.and_then(|last| last.result.err()))
    };
    if reason(&known) == Some(Cause::Driver(played)) && reason(&it) != Some(Cause::Driver(kind)) {
        return Err(format!("nobody is told of {kind:?}"));
    }
    Ok(())
}

/// The kinds that this model plays.
fn representative(kind: ErrorKind) -> ErrorKind {
    let is_final = matches!(
        kind,
        ErrorKind::Overlap
            | ErrorKind::Insecure
            | ErrorKind::Unsupported
            | ErrorKind::NoDevice
            | ErrorKind::Blocked
            | ErrorKind::ManagedByOther
            | ErrorKind::NotPermitted
    );
    if is_final { ErrorKind::NoDevice } else { ErrorKind::Other }
}
