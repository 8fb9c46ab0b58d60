//! A world: a machine, a disk, a radio, and what people were told; and everything that can happen to it.

use std::time::Duration;

use wps_core::{AfterFailure, RequestError};

use crate::book::{Book, Number, Page};
use crate::words::{Disk, Do, In, Is, PARTING, When};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) machine: Number,
    pub(crate) after_failure: AfterFailure,
    /// The window of what is under way has closed.
    pub(crate) closed: bool,
    pub(crate) disk: Disk,
    /// The settings that the radio matches; none: nobody knows.
    radio: Option<Is>,
    /// The platform's own networks are no longer as the driver's snapshot says.
    disturbed: bool,
    /// A save that was given up may still be written: with this, before the next one starts.
    late: Option<Disk>,
    /// Somebody waits to be told whether the radio will move.
    waiting: bool,

    // What the laws must know of the past, since the device last came to rest, or could not and was asked
    // for something else:
    /// The settings it had then, or was to have.
    before: Is,
    /// What is on the disk was there before that, and what may be written late.
    inherited: Inherited,
    /// Under way since.
    task: Task,
    /// The settings that the radio showed to work: by joining the network, or by taking them.
    proven: Option<Is>,
    /// The radio was, or may have been, touched.
    touched: bool,
    /// The driver has noted its snapshot.
    noted: bool,
    /// Whoever waits, or one of them, gets the answer over Wi-Fi.
    over_wifi: bool,
    /// Power was cut, and the disk booted with these.
    booted: Option<Is>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Inherited {
    disk: bool,
    late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Task {
    None,
    Pair,
    Configure(Is),
    /// The radio has lost its settings, or so its driver says.
    Again,
}

/// A law that was broken.
pub(crate) type Broken = &'static str;
/// What happened, in words, and the world it made.
pub(crate) type Step = (&'static str, Result<World, Broken>);

/// What requesters were told: for the list of what must happen sometimes.
pub(crate) type Told = Vec<Result<(), RequestError>>;

impl World {
    /// A device boots for the first time in this model.
    pub(crate) fn first(machine: Number, disk: Disk, after_failure: AfterFailure) -> Self {
        let (before, _) = disk.recovered(after_failure);
        Self {
            machine,
            after_failure,
            closed: false,
            disk,
            radio: None,
            disturbed: false,
            late: None,
            waiting: false,
            before,
            inherited: Inherited::default(),
            task: Task::None,
            proven: None,
            touched: false,
            noted: false,
            over_wifi: false,
            booted: Some(before),
        }
    }

    /// Everything that can happen now.
    pub(crate) fn steps(self, book: &mut Book, told: &mut Told) -> Vec<Step> {
        let page = book.page(self.machine).clone();
        let mut steps = vec![
            ("start", self.request(book, &page, In::Start, told)),
            ("button", self.request(book, &page, In::Press, told)),
            ("cancel", self.hear(book, In::Cancel, told)),
            ("power cut", self.cut_power(book)),
        ];
        let configure = ["configure: to B", "configure: a hotspot", "configure: off"];
        for (label, input) in configure.into_iter().zip(In::CONFIGURE) {
            steps.push((label, self.request(book, &page, input, told)));
        }
        if let Some(disk) = self.late {
            let inherited = Inherited { disk: self.inherited.late, late: false };
            let written = Self { disk, late: None, inherited, ..self };
            steps.push(("the late save is written", Ok(written)));
        }
        if page.deadline.is_some() && !self.closed {
            steps.push(("the window closes", Ok(Self { closed: true, ..self })));
        }
        let mut then = |label, world: Self, input| {
            steps.push((label, world.hear(book, input, told)));
        };
        // A command that goes on until the window closes does not end earlier.
        let can_elapse = self.closed || !page.ends_with_the_window();
        match page.wants {
            Do::Rest => {
                let again = Self { task: Task::Again, ..self };
                then("lost", Self { radio: None, ..again }, In::Lost);
                then("lost, says the driver, and is wrong", again, In::Lost);
            }
            Do::Pause => {
                if can_elapse {
                    then("the pause ends", self, In::Elapsed);
                }
            }
            Do::Note => {
                then("noted", Self { noted: true, ..self }, In::Noted);
                then("note: radio gone", self, In::NoteFailed);
                then("note: radio mute", self, In::Elapsed);
            }
            Do::Save(disk) => {
                let written = Self { disk, inherited: Inherited::default(), ..self };
                then("saved", written, In::Saved);
                then("save failed, not written", self, In::SaveFailed);
                then("save failed, but written", written, In::SaveFailed);
                then("save hangs, not written", self, In::Elapsed);
                then("save hangs, written later", Self { late: Some(disk), ..self }, In::Elapsed);
                then("save hangs, but written", written, In::Elapsed);
                steps.push(("save dropped, but written", Ok(written)));
            }
            Do::Apply(settings, noted) => {
                let lost = Self { radio: None, ..self };
                let disturbed = self.disturbed && !noted;
                let mut done = Self { radio: Some(settings), disturbed, ..self };
                if page.deadline.is_some() && self.task == Task::Configure(settings) {
                    done.proven = Some(settings);
                }
                then("applied", done, In::Applied);
                then("apply failed", lost, In::ApplyFailed);
                // Outside a window a failure is a failure: see `alike`.
                if page.deadline.is_some() {
                    then("apply: radio gone", lost, In::ApplyAbsent);
                }
                if can_elapse {
                    then("apply: radio mute", lost, In::Elapsed);
                    then(
                        "apply: done, but mute",
                        Self { proven: self.proven, ..done },
                        In::Elapsed,
                    );
                }
                steps.push(("apply dropped", Ok(lost)));
            }
            Do::Pair => {
                let lost = Self { radio: None, disturbed: true, ..self };
                then("offered A", lost, In::OfferedA);
                then("offered A and B", lost, In::OfferedBoth);
                then("router lost", lost, In::RouterLost);
                then("overlap", lost, In::Overlap);
                if can_elapse {
                    then("nobody pressed", lost, In::Elapsed);
                    then("nobody pressed, stayed on the air", self, In::Elapsed);
                }
                steps.push(("pair dropped", Ok(lost)));
            }
            Do::Join(network, noted) => {
                let lost = Self { radio: None, disturbed: true, ..self };
                let up = Self { radio: Some(network), disturbed: self.disturbed && !noted, ..self };
                then("joined", Self { proven: Some(network), ..up }, In::Joined);
                then("wrong key", lost, In::WrongKey);
                then("join: radio gone", lost, In::JoinAbsent);
                // The limit of one try, or the window.
                if can_elapse {
                    then("not joined in time", lost, In::Elapsed);
                    then("joined, but too late to tell", up, In::Elapsed);
                }
                steps.push(("join dropped", Ok(lost)));
                steps.push(("join dropped, link up", Ok(up)));
            }
        }
        steps
    }

    /// Power was cut, and the device has not come to rest since.
    pub(crate) fn is_booting(&self) -> bool {
        self.booted.is_some()
    }

    /// Somebody asks for a pairing, or for other settings.
    fn request(
        self,
        book: &mut Book,
        page: &Page,
        input: In,
        told: &mut Told,
    ) -> Result<Self, Broken> {
        let [pairing, configuring] = page.admits;
        let (task, admitted) = if let In::Configure(to) = input {
            (Task::Configure(to), configuring)
        } else {
            (Task::Pair, pairing)
        };
        let mut world = self;
        if page.stuck {
            world.before = self.kept();
            world.inherited = Inherited { disk: true, late: self.late.is_some() };
            (world.proven, world.touched, world.booted) = (None, false, None);
            world.over_wifi = false;
        }
        match admitted {
            None => {
                world.waiting = true;
                world.over_wifi |= input == In::Start;
            }
            Some(answer) => {
                told.push(answer);
                // Refused at once: whatever moves the radio now, it is not for this requester.
                if answer.is_ok() {
                    world.may_say_yes(task)?;
                }
            }
        }
        if page.settled.is_none() && !page.stuck {
            if admitted.is_none() && (self.touched || !self.task.is(task)) {
                return Err("a requester waits for what is not going to be its own");
            }
            return world.hear(book, input, told);
        }
        world.task = task;
        let next = book.next(world.machine, input, When::AtFirst);
        if book.page(next).deadline.is_none() {
            return Err("a start at rest, or when putting back failed, was not taken");
        }
        world.arrive(book, next, told)
    }

    fn may_say_yes(self, task: Task) -> Result<(), Broken> {
        let journalled = match task {
            Task::None | Task::Again => false,
            Task::Pair => self.disk == Disk::Pairing(self.before, true),
            Task::Configure(_) => self.disk == Disk::Configuring(self.before, true),
        };
        // While the success is being saved it may already be on the disk.
        let committed = self.proven.is_some_and(|proven| self.disk == Disk::Settled(proven));
        if journalled || committed {
            Ok(())
        } else {
            Err("a requester is told yes, but nothing is journalled")
        }
    }

    fn cut_power(self, book: &mut Book) -> Result<Self, Broken> {
        let machine = book.boot_from(self.disk, self.after_failure);
        let (settings, noted) = self.disk.recovered(self.after_failure);
        if book.page(machine).wants != Do::Apply(settings, noted) {
            return Err("the device does not boot into what its record says");
        }
        let (closed, waiting, radio) = (false, false, None);
        let (late, over_wifi, booted) = (None, false, Some(settings));
        let inherited = Inherited { late: false, ..self.inherited };
        Ok(Self {
            machine,
            closed,
            late,
            inherited,
            waiting,
            radio,
            noted,
            over_wifi,
            booted,
            ..self
        })
    }

    fn hear(self, book: &mut Book, input: In, told: &mut Told) -> Result<Self, Broken> {
        let when = if self.closed { When::Closed } else { When::Inside };
        let next = book.next(self.machine, input, when);
        self.arrive(book, next, told)
    }

    /// The machine is another one now.
    fn arrive(mut self, book: &Book, next: Number, told: &mut Told) -> Result<Self, Broken> {
        if next == self.machine {
            return Ok(self);
        }
        self.machine = next;
        let page = book.page(next);
        if let (true, Some(answer)) = (self.waiting, page.answer) {
            told.push(answer);
            self.waiting = false;
            match answer {
                Ok(()) => self.may_say_yes(self.task)?,
                Err(_) if self.touched => return Err("told no, but the radio was touched"),
                Err(_) => {}
            }
        }
        self.closed &= page.deadline.is_some();
        // There is one writer.
        self.late = self.late.filter(|_| !matches!(page.wants, Do::Save(_)));
        self.inherited.late &= self.late.is_some();
        if let Some(settled) = page.settled {
            self.at_rest(page, settled)?;
            return Ok(Self {
                before: settled,
                inherited: Inherited::default(),
                task: Task::None,
                proven: None,
                touched: false,
                noted: false,
                over_wifi: false,
                booted: None,
                ..self
            });
        }
        // The radio is touched as soon as somebody may begin to.
        if page.deadline.is_some() {
            self.touched |= matches!(page.wants, Do::Pair | Do::Join(..) | Do::Apply(..));
            // A pairing looks around while the answer is on its way.
            self.over_wifi &= !self.touched || page.wants == Do::Pair;
        }
        Ok(self)
    }

    /// At rest, what people are told is what is on the disk and on the air.
    fn at_rest(&self, page: &Page, settled: Is) -> Result<(), Broken> {
        let never_set_up = self.disk == Disk::Empty && settled == Is::FACTORY;
        if self.disk != Disk::Settled(settled) && !never_set_up {
            return Err("at rest, but the disk says otherwise");
        }
        if self.radio != Some(settled) {
            return Err("at rest, but the radio does something else");
        }
        if self.disturbed {
            return Err("at rest, but the platform's own networks are not as they were");
        }
        if self.waiting {
            return Err("at rest, but somebody still waits for an answer");
        }
        let expected = match (page.last.map(|last| last.result), self.booted) {
            // However the last pairing ended.
            (_, None) if self.task == Task::Again => Some(self.before),
            (Some(Ok(())), None) => self.proven,
            (Some(Ok(())), Some(_)) => None,
            (_, Some(booted)) => Some(booted),
            (None, None) => None,
            (Some(Err(_)), None) if self.touched => Some(self.failed()),
            (Some(Err(_)), None) => Some(self.before),
        };
        if expected != Some(settled) {
            return Err("at rest, but not with the settings that the rules say");
        }
        Ok(())
    }

    /// What a failure leaves.
    fn failed(&self) -> Is {
        match self.task {
            Task::Pair => self.before.after_failure(self.after_failure),
            Task::None | Task::Configure(_) | Task::Again => self.before,
        }
    }

    /// What is put back.
    fn kept(&self) -> Is {
        match self.booted {
            Some(booted) => booted,
            None if self.touched => self.failed(),
            None => self.before,
        }
    }

    /// The laws that hold in every world.
    pub(crate) fn sound(&self, book: &Book) -> Result<(), Broken> {
        let page = book.page(self.machine);
        let chosen = |is| {
            [self.proven, self.booted].contains(&Some(is))
                || is == self.before
                || is == self.failed()
        };
        if !self.inherited.disk && !chosen(self.disk.recovered(self.after_failure).0) {
            return Err("a power cut now would boot into settings nobody chose or proved");
        }
        let deadline = page.deadline.map(wps_core::Instant::as_millis);
        let expected = match self.task {
            Task::None | Task::Again => None,
            Task::Pair => Some(120_000),
            Task::Configure(_) => Some(30_000),
        };
        if deadline.is_some() && deadline != expected {
            return Err("the deadline is not that of the start");
        }
        let reply_grace = if self.over_wifi { PARTING } else { Duration::ZERO };
        if page.reply_grace().is_some_and(|it| it != reply_grace) {
            return Err("the radio moves before the answer is out, or waits without need");
        }
        let under_way = deadline.is_some();
        let journalled = match self.task {
            Task::None | Task::Again => false,
            Task::Pair => self.disk == Disk::Pairing(self.before, true),
            Task::Configure(_) => self.disk == Disk::Configuring(self.before, true),
        };
        match page.wants {
            Do::Pair | Do::Join(..) | Do::Apply(..) if under_way && !journalled => {
                Err("the radio moves without a journal")
            }
            Do::Join(_, noted) | Do::Apply(_, noted) if under_way && !noted => {
                Err("the driver's snapshot was forgotten")
            }
            Do::Apply(settings, _) if under_way && self.task == Task::Pair => {
                if settings == self.before {
                    Ok(())
                } else {
                    Err("something else than the previous settings is put back in the window")
                }
            }
            Do::Apply(settings, _) if !under_way && settings != self.kept() => {
                Err("puts back something else than the rules say")
            }
            Do::Apply(_, noted) if !under_way && noted != self.noted => {
                Err("the driver's snapshot was forgotten, or is one of long ago")
            }
            Do::Save(Disk::Settled(settings)) if under_way => {
                if self.proven == Some(settings) {
                    Ok(())
                } else {
                    Err("saves a network that was not joined")
                }
            }
            Do::Save(Disk::Settled(settings)) => {
                if settings == self.kept() {
                    Ok(())
                } else {
                    Err("closes the journal with other settings")
                }
            }
            Do::Save(Disk::Pairing(before, noted)) => {
                let right = (before, noted) == (self.before, true) && self.task == Task::Pair;
                if right { Ok(()) } else { Err("a wrong journal") }
            }
            Do::Save(Disk::Configuring(before, noted)) => {
                let right = (before, noted) == (self.before, true)
                    && matches!(self.task, Task::Configure(_));
                if right { Ok(()) } else { Err("a wrong journal") }
            }
            Do::Save(Disk::Empty) => Err("no record is blank"),
            Do::Rest | Do::Pause | Do::Note | Do::Pair | Do::Join(..) | Do::Apply(..) => Ok(()),
        }
    }
}

impl Task {
    /// Of the same kind.
    fn is(self, other: Self) -> bool {
        matches!((self, other), (Self::Pair, Self::Pair) | (Self::Configure(_), Self::Configure(_)))
    }
}
