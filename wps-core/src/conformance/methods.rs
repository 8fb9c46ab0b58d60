//! Checks of one verb after another, whichever it was.

use super::context::TestContext;
use super::report::Stop;
use super::{At, Outcome, TestBed, fixtures};
use crate::settings::Settings;

/// What can be asked of a driver. Each must work, whatever came before.
#[derive(Clone, Copy)]
enum Method {
    Station,
    AccessPoint,
    Off,
    Pair,
    Join,
    Look,
}

impl Method {
    const ALL: [Self; 6] =
        [Self::Station, Self::AccessPoint, Self::Off, Self::Pair, Self::Join, Self::Look];

    fn name(self) -> &'static str {
        match self {
            Self::Station => "apply(station)",
            Self::AccessPoint => "apply(access point)",
            Self::Off => "apply(off)",
            Self::Pair => "pair",
            Self::Join => "join",
            Self::Look => "snapshot and link",
        }
    }

    fn settings(self) -> Option<Settings> {
        match self {
            Self::Station => Some(fixtures::station(fixtures::old())),
            Self::AccessPoint => Some(fixtures::hotspot()),
            Self::Off => Some(fixtures::off()),
            Self::Pair | Self::Join | Self::Look => None,
        }
    }

    async fn play<S: TestBed>(self, context: &mut TestContext<'_, S>) -> Result<(), Stop> {
        match (self, self.settings()) {
            (_, Some(settings)) => context.put(self.name(), &settings).await,
            (Self::Pair, None) => context.pair(self.name(), &fixtures::home()).await.map(drop),
            (Self::Join, None) => context.join(self.name(), &fixtures::home()).await,
            (Self::Look | Self::Station | Self::AccessPoint | Self::Off, None) => {
                context.snapshot("snapshot").await?;
                context.link("link").await.map(drop)
            }
        }
    }

    /// The same, after another one, to say so.
    async fn play_after<S: TestBed>(
        self,
        before: Self,
        context: &mut TestContext<'_, S>,
    ) -> Result<(), Stop> {
        self.play(context).await.map_err(|stop| stop.at(At::After(before.name())))
    }
}

pub(super) async fn twice<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    context.test_bed.switch_on(&fixtures::home()).await?;
    for method in Method::ALL {
        match method.play(&mut context).await {
            Err(Stop::Skipped(gap)) => context.gap = Some(gap),
            once => {
                once?;
                method.play_after(method, &mut context).await?;
            }
        }
    }
    Ok(context.passed())
}

pub(super) async fn any_order<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    context.test_bed.switch_on(&fixtures::home()).await?;
    let mut methods = heapless::Vec::<Method, { Method::ALL.len() }>::new();
    for method in Method::ALL {
        match method.play(&mut context).await {
            Err(Stop::Skipped(gap)) => context.gap = Some(gap),
            played => {
                played?;
                // Cannot fail: there is room for all.
                let _ = methods.push(method);
            }
        }
    }
    // A round trip over every ordered pair: from each verb to each later one and back.
    let Some(mut before) = methods.last().copied() else { return Ok(context.passed()) };
    for (place, &method) in methods.iter().enumerate() {
        for &later in methods.iter().skip(place + 1) {
            for next in [method, later] {
                next.play_after(before, &mut context).await?;
                before = next;
            }
        }
    }
    Ok(context.passed())
}
