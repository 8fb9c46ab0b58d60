//! Drops the runner's future after every possible number of polls, and runs it again: nothing is lost.
//! And cuts power there instead, once or twice: the device boots into what its record says.

mod common;

use common::{PARTING, Site, World, home, hotspot, net, off, old, station};
use wps_core::sim::{DiskFault, RouterKind};
use wps_core::{Cause, ErrorKind, Record, Settings};

/// What somebody does at a second.
type Event = (f64, fn(&mut World<'_>));

/// Something that a device goes through, from its boot to its rest.
struct Story {
    before: Settings,
    router: RouterKind,
    events: &'static [Event],
    until: f64,
    result: Result<(), Cause>,
    after: Settings,
    /// What a power cut in the middle leaves.
    interrupted: Settings,
}

impl Story {
    fn site(&self) -> Site {
        let site = Site::settled(self.before.clone());
        site.air.set_kind(b"home", self.router);
        site
    }

    /// Lets it happen, as long as power is not cut.
    fn tell(&self, world: &mut World<'_>) {
        for (at, event) in self.events {
            world.at(*at);
            if world.site.cuts.borrow().is_empty() {
                event(world);
                world.settle();
            }
        }
        world.at(self.until);
        if !world.site.cuts.borrow().is_empty() {
            world.site.disk.set_fault(None);
            world.pass(20.0); // more than the longest pause
        }
    }

    /// How often the runner is polled when nobody disturbs it.
    fn polls(&self) -> usize {
        let site = self.site();
        let mut world = site.boot();
        self.tell(&mut world);
        world.expect_ended(self.result);
        world.expect_settled(&self.after);
        site.polls()
    }

    /// Told again with the future dropped after every number of polls, it ends the same.
    fn with_dropped_futures(&self) {
        for polls in 0..=self.polls() {
            let site = self.site();
            let mut world = site.boot_and_drop(polls);
            self.tell(&mut world);
            world.expect_ended(self.result);
            world.expect_settled(&self.after);
        }
    }

    /// Told again with power cuts, it ends with what the disk says then, and that is right.
    fn with_power_cuts(&self, second: &[usize]) {
        for first in 0..=self.polls() {
            for second in second {
                let site = self.site();
                let cuts = if *second == 0 { vec![first] } else { vec![first, *second] };
                let mut world = site.boot_and_cut(cuts);
                self.tell(&mut world);
                let cut = site.cuts.borrow()[0].clone();
                let expected = self.recovered(&cut.expect("a whole record"));
                world.expect_settled(&expected);
                for cut in site.cuts.borrow().iter() {
                    assert_eq!(self.recovered(cut.as_ref().expect("a whole record")), expected);
                }
            }
        }
    }

    fn recovered(&self, disk: &Record) -> Settings {
        match disk {
            Record::Settled(settings) => {
                let known = [&self.before, &self.after, &self.interrupted];
                assert!(known.contains(&settings), "{settings:?}");
                settings.clone()
            }
            Record::Pairing { before, .. } | Record::Configuring { before, .. } => {
                assert_eq!(before, &self.before);
                self.interrupted.clone()
            }
        }
    }
}

fn post(world: &mut World<'_>) {
    world.ask_start(PARTING);
}

fn press(world: &mut World<'_>) {
    world.press("home");
}

fn cancel(world: &mut World<'_>) {
    world.ask_cancel();
}

fn success() -> Story {
    Story {
        before: hotspot(None),
        router: RouterKind::GuestFirst,
        events: &[(1.0, post), (2.0, press)],
        until: 10.0,
        result: Ok(()),
        after: station(home()),
        interrupted: off(None),
    }
}

fn time_out() -> Story {
    Story {
        before: hotspot(Some(old())),
        router: RouterKind::Ordinary,
        events: &[(1.0, post)],
        until: 123.0,
        result: Err(Cause::TimedOut),
        after: off(Some(old())),
        interrupted: off(Some(old())),
    }
}

fn cancelled_while_joining() -> Story {
    Story {
        before: station(old()),
        router: RouterKind::WrongKey,
        events: &[(1.0, post), (1.5, press), (6.1, cancel)],
        until: 10.0,
        result: Err(Cause::Cancelled),
        after: station(old()),
        interrupted: station(old()),
    }
}

/// While the answer is on its way: a pairing looks around meanwhile.
fn cancelled_early() -> Story {
    Story {
        before: hotspot(None),
        router: RouterKind::Ordinary,
        events: &[(1.0, post), (1.2, cancel)],
        until: 10.0,
        result: Err(Cause::Cancelled),
        after: off(None),
        interrupted: off(None),
    }
}

fn router_lost() -> Story {
    fn back(world: &mut World<'_>) {
        world.site.air.set_kind(b"home", RouterKind::Ordinary);
        world.site.air.power(b"home", true);
        world.press("home");
    }
    Story {
        before: off(None),
        router: RouterKind::Vanishes,
        events: &[(1.0, post), (1.5, press), (6.0, back)],
        until: 12.0,
        result: Ok(()),
        after: station(home()),
        interrupted: off(None),
    }
}

fn commit_failed() -> Story {
    fn fill(world: &mut World<'_>) {
        world.site.disk.set_fault(Some(DiskFault::Full));
    }
    fn empty(world: &mut World<'_>) {
        world.site.disk.set_fault(None);
    }
    Story {
        before: hotspot(Some(old())),
        router: RouterKind::Ordinary,
        events: &[(1.0, post), (1.5, press), (2.2, fill), (6.0, empty)],
        until: 30.0,
        result: Err(Cause::Store),
        after: off(Some(old())),
        interrupted: off(Some(old())),
    }
}

fn configured() -> Story {
    fn configure(world: &mut World<'_>) {
        world.ask_configure(station(home()));
    }
    Story {
        before: hotspot(Some(old())),
        router: RouterKind::Ordinary,
        events: &[(1.0, configure)],
        until: 10.0,
        result: Ok(()),
        after: station(home()),
        interrupted: hotspot(Some(old())),
    }
}

fn rolled_back() -> Story {
    fn configure(world: &mut World<'_>) {
        world.ask_configure(station(net(b"home", b"battery staple")));
    }
    Story {
        before: hotspot(None),
        router: RouterKind::Ordinary,
        events: &[(1.0, configure)],
        until: 40.0,
        result: Err(Cause::Driver(ErrorKind::WrongKey)),
        after: hotspot(None),
        interrupted: hotspot(None),
    }
}

macro_rules! stories {
    ($($story:ident),+) => {
        mod dropped {
            $(#[test] fn $story() { super::$story().with_dropped_futures(); })+
        }
        mod power_cut {
            $(#[test] fn $story() { super::$story().with_power_cuts(&[0]); })+
        }
        mod power_cut_twice {
            // The second one at every step of the boot that puts things back.
            $(#[test] fn $story() { super::$story().with_power_cuts(&[1, 2, 3, 4, 5, 6]); })+
        }
    };
}

stories![
    success,
    time_out,
    cancelled_while_joining,
    cancelled_early,
    router_lost,
    commit_failed,
    configured,
    rolled_back
];
