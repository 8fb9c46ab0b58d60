//! Checks of `apply`, and of the verbs that only look.

use core::cell::Cell;

use embassy_futures::select::{Either, select};

use super::cast::seen_in;
use super::moment::within;
use super::report::Stop;
use super::scene::{GLANCE, Scene};
use super::{At, Failure, Finding, Outcome, Stage, cast};
use crate::driver::WifiDriver;
use crate::settings::{Settings, Snapshot};
use crate::time::Clock;

pub(super) async fn station<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    let old = cast::station(cast::old());
    // There is no link to wait for.
    let absent = cast::station(cast::absent());
    scene.apply("apply(station) of a network out of range", &absent, &Snapshot::default()).await?;
    for _ in 0..2 {
        scene.put("apply(station)", &old).await?;
    }
    scene.expect_still("after apply(station)", &seen_in(&old)).await?;
    Ok(scene.passed())
}

pub(super) async fn reconnects<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    let old = cast::station(cast::old());
    scene.put("apply(station)", &old).await?;
    scene.take_away(&cast::old()).await;
    scene.stage.switch_on(&cast::old()).await?;
    scene.expect_radio("after its router came back", &seen_in(&old)).await?;
    Ok(scene.passed())
}

pub(super) async fn lost<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    scene.stage.restarts_alone()?;
    let old = cast::station(cast::old());
    scene.put("apply(station)", &old).await?;
    scene.expect_not_lost("lost, with the link up").await?;
    scene.take_away(&cast::old()).await;
    scene.expect_not_lost("lost, with the router gone").await?;
    scene.stage.switch_on(&cast::old()).await?;
    scene.stage.restart_platform().await?;
    let answer = within(&scene.clock, scene.limits.answer, scene.driver.lost()).await;
    scene.done("lost, after the platform began anew", answer.map(Ok))?;
    scene.put("apply(station) of what was lost", &old).await?;
    scene.expect_not_lost("lost, after it was told again").await?;
    Ok(scene.passed())
}

pub(super) async fn access_point<S: Stage>(scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    there_and_back(scene, "apply(access point)", &cast::hotspot()).await
}

pub(super) async fn off<S: Stage>(scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    there_and_back(scene, "apply(off)", &cast::off()).await
}

async fn there_and_back<S: Stage>(
    mut scene: Scene<'_, S>,
    during: &'static str,
    settings: &Settings,
) -> Result<Outcome, Stop> {
    let old = cast::station(cast::old());
    scene.put("apply(station)", &old).await?;
    for _ in 0..2 {
        scene.put(during, settings).await?;
    }
    scene.expect_still(during, &seen_in(settings)).await?;
    scene.put("apply(station) after another mode", &old).await?;
    Ok(scene.passed())
}

pub(super) async fn platform<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    let before = Settings::Platform;
    scene.put("apply(platform)", &before).await?;
    scene.stage.switch_on(&cast::home()).await?;
    let snapshot = scene.snapshot("snapshot").await?;
    for dropped in [true, false] {
        if dropped {
            scene.drop_pair(&cast::home(), 0, true).await?;
        } else {
            scene.pair_and_join("pair and join", &cast::home()).await?;
        }
        for _ in 0..2 {
            scene.apply("apply(platform) with its snapshot", &before, &snapshot).await?;
            scene.expect_radio("apply(platform) with its snapshot", &seen_in(&before)).await?;
        }
        scene.expect_still("after apply(platform)", &seen_in(&before)).await?;
    }
    Ok(scene.passed())
}

pub(super) async fn pairing<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    scene.stage.switch_on(&cast::home()).await?;
    for (during, settings) in modes() {
        match scene.put(during, &settings).await {
            Err(Stop::Skipped(gap)) => scene.gap = Some(gap),
            put => {
                put?;
                scene.pair_and_join(during, &cast::home()).await?;
            }
        }
    }
    Ok(scene.passed())
}

pub(super) async fn looking<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    for (during, settings) in modes() {
        match scene.put(during, &settings).await {
            Err(Stop::Skipped(gap)) => scene.gap = Some(gap),
            put => {
                put?;
                look(&mut scene, &settings).await?;
            }
        }
    }
    Ok(scene.passed())
}

/// Looks at the radio from inside, and all the while from outside, too.
async fn look<S: Stage>(scene: &mut Scene<'_, S>, settings: &Settings) -> Result<(), Stop> {
    let wanted = seen_in(settings);
    let Scene { stage, driver, clock, limits, .. } = scene;
    let gap = Cell::new(None);
    let work = async {
        let until = clock.now().after(limits.watch);
        while clock.now() < until {
            let looked = (driver.snapshot().await.is_ok(), driver.link().await.is_ok());
            if looked != (true, true) {
                return false;
            }
            clock.sleep_until(clock.now().after(GLANCE)).await;
        }
        true
    };
    let watch = async {
        loop {
            match stage.seen().await {
                Ok(seen) if seen != wanted => return seen,
                Ok(_) => {}
                Err(cannot) => gap.set(Some(cannot)),
            }
            clock.sleep_until(clock.now().after(GLANCE)).await;
        }
    };
    let limit = limits.watch.saturating_add(limits.answer);
    let ended = within(clock, limit, select(work, watch)).await;
    scene.gap = scene.gap.or(gap.take());
    let (wanted, found) = match ended {
        Some(Either::First(true)) => return Ok(()),
        // Again, by itself, to tell what it was.
        Some(Either::First(false)) => {
            scene.snapshot("snapshot").await?;
            return scene.link("link").await.map(drop);
        }
        Some(Either::Second(seen)) => (Finding::Radio(wanted), Finding::Radio(seen)),
        None => (Finding::Done, Finding::NoAnswer(limit)),
    };
    Err(Failure { during: "snapshot and link", at: At::Once, wanted, found }.into())
}

/// Where a pairing may begin.
fn modes() -> [(&'static str, Settings); 3] {
    [
        ("from station mode", cast::station(cast::old())),
        ("from access-point mode", cast::hotspot()),
        ("from off", cast::off()),
    ]
}
