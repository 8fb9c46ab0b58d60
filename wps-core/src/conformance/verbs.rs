//! Checks of one verb after another, whichever it was.

use super::report::Stop;
use super::scene::Scene;
use super::{At, Outcome, Stage, cast};
use crate::settings::Settings;

/// What can be asked of a driver. Each must work, whatever came before.
#[derive(Clone, Copy)]
enum Verb {
    Station,
    AccessPoint,
    Off,
    Pair,
    Join,
    Look,
}

impl Verb {
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
            Self::Station => Some(cast::station(cast::old())),
            Self::AccessPoint => Some(cast::hotspot()),
            Self::Off => Some(cast::off()),
            Self::Pair | Self::Join | Self::Look => None,
        }
    }

    async fn play<S: Stage>(self, scene: &mut Scene<'_, S>) -> Result<(), Stop> {
        match (self, self.settings()) {
            (_, Some(settings)) => scene.put(self.name(), &settings).await,
            (Self::Pair, None) => scene.pair(self.name(), &cast::home()).await.map(drop),
            (Self::Join, None) => scene.join(self.name(), &cast::home()).await,
            (Self::Look | Self::Station | Self::AccessPoint | Self::Off, None) => {
                scene.snapshot("snapshot").await?;
                scene.link("link").await.map(drop)
            }
        }
    }

    /// The same, after another one, to say so.
    async fn play_after<S: Stage>(
        self,
        before: Self,
        scene: &mut Scene<'_, S>,
    ) -> Result<(), Stop> {
        self.play(scene).await.map_err(|stop| stop.at(At::After(before.name())))
    }
}

pub(super) async fn twice<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    scene.stage.switch_on(&cast::home()).await?;
    for verb in Verb::ALL {
        match verb.play(&mut scene).await {
            Err(Stop::Skipped(gap)) => scene.gap = Some(gap),
            once => {
                once?;
                verb.play_after(verb, &mut scene).await?;
            }
        }
    }
    Ok(scene.passed())
}

pub(super) async fn any_order<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    scene.stage.switch_on(&cast::home()).await?;
    let mut verbs = heapless::Vec::<Verb, { Verb::ALL.len() }>::new();
    for verb in Verb::ALL {
        match verb.play(&mut scene).await {
            Err(Stop::Skipped(gap)) => scene.gap = Some(gap),
            played => {
                played?;
                // Cannot fail: there is room for all.
                let _ = verbs.push(verb);
            }
        }
    }
    // A round trip over every ordered pair: from each verb to each later one and back.
    let Some(mut before) = verbs.last().copied() else { return Ok(scene.passed()) };
    for (place, &verb) in verbs.iter().enumerate() {
        for &later in verbs.iter().skip(place + 1) {
            for next in [verb, later] {
                next.play_after(before, &mut scene).await?;
                before = next;
            }
        }
    }
    Ok(scene.passed())
}
