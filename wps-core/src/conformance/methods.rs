//! Checks that any method works after any other one.

use super::context::TestContext;
use super::report::Stop;
use super::{TestBed, TestCase, fixtures};
use crate::settings::Settings;

/// A method of the driver, with its settings. Each must work after each.
#[derive(Clone, Copy)]
enum Method {
    Station,
    AccessPoint,
    Off,
    Pair,
    Join,
    /// `keep` of a network that `join` has just proven.
    Keep,
    Read,
}

impl Method {
    const ALL: [Self; 7] = [
        Self::Station,
        Self::AccessPoint,
        Self::Off,
        Self::Pair,
        Self::Join,
        Self::Keep,
        Self::Read,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Station => "apply(station)",
            Self::AccessPoint => "apply(access point)",
            Self::Off => "apply(off)",
            Self::Pair => "pair",
            Self::Join => "join",
            Self::Keep => "keep",
            Self::Read => "snapshot and link",
        }
    }

    fn settings(self) -> Option<Settings> {
        match self {
            Self::Station => Some(fixtures::station(fixtures::old())),
            Self::AccessPoint => Some(fixtures::hotspot()),
            Self::Off => Some(fixtures::off()),
            Self::Pair | Self::Join | Self::Keep | Self::Read => None,
        }
    }

    async fn run<S: TestBed>(self, context: &mut TestContext<'_, S>) -> Result<(), Stop> {
        match (self, self.settings()) {
            (_, Some(settings)) => {
                // As between two searches: the task goes on.
                let task = context.task.clone();
                let applied = context.apply_and_expect(self.name(), &settings).await;
                context.task = task;
                applied
            }
            (Self::Pair, None) => context.pair(self.name(), &fixtures::home()).await.map(drop),
            (Self::Join, None) => context.join(self.name(), &fixtures::home()).await,
            (Self::Keep, None) => {
                context.join("join", &fixtures::home()).await?;
                context.keep(self.name(), &fixtures::home()).await.map(drop)
            }
            (Self::Read | Self::Station | Self::AccessPoint | Self::Off, None) => {
                context.snapshot("snapshot").await?;
                context.link("link").await.map(drop)
            }
        }
    }

    /// Runs the method after `previous`, and names `previous` in a failure.
    async fn run_after<S: TestBed>(
        self,
        previous: Self,
        context: &mut TestContext<'_, S>,
    ) -> Result<(), Stop> {
        self.run(context).await.map_err(|stop| stop.in_case(TestCase::After(previous.name())))
    }
}

pub(super) async fn twice<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    context.test_bed.start_router(&fixtures::home()).await?;
    context.begin_task().await?;
    for method in Method::ALL {
        let first = method.run(&mut context).await;
        if context.skip_part(first)? {
            method.run_after(method, &mut context).await?;
        }
    }
    Ok(())
}

pub(super) async fn any_order<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    context.test_bed.start_router(&fixtures::home()).await?;
    context.begin_task().await?;
    let mut methods = heapless::Vec::<Method, { Method::ALL.len() }>::new();
    for method in Method::ALL {
        let result = method.run(&mut context).await;
        if context.skip_part(result)? {
            // Cannot fail: there is room for all methods.
            let _ = methods.push(method);
        }
    }
    // Visits every ordered pair: from each method to each later one and back.
    let Some(mut previous) = methods.last().copied() else { return Ok(()) };
    for (place, &method) in methods.iter().enumerate() {
        for &later in methods.iter().skip(place + 1) {
            for next in [method, later] {
                next.run_after(previous, &mut context).await?;
                previous = next;
            }
        }
    }
    Ok(())
}
