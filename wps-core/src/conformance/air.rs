//! Checks of what people do with their routers, or do not do.

use core::cell::{Cell, RefCell};
use core::future::{Future, pending, poll_fn, ready};
use core::pin::{Pin, pin};
use core::task::Poll;

use embassy_futures::select::{Either, Either3, select, select3};

use super::cast::seen_in;
use super::moment::within;
use super::report::Stop;
use super::scene::{GLANCE, Scene, expect, kind};
use super::{At, Cannot, Failure, Finding, Outcome, Stage, cast};
use crate::command::WINDOW;
use crate::driver::{Attempt, ErrorKind, News, Offer, Sight, WifiDriver};
use crate::time::Clock;
use crate::wsc::{Bssid, Router, Sightings, Sweep, Verdict};

pub(super) async fn silence<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    const DURING: &str = "pair, and nobody presses a button";
    let home = cast::home();
    scene.stage.switch_on(&home).await?;
    scene.put("apply(station)", &cast::station(cast::old())).await?;
    let (told, at_the_end) = (RefCell::new(None), RefCell::new(None));
    let report = |news| match news {
        News::Seen(sight) => drop(told.replace(Some(sight))),
        News::OffAir | News::OnAir => {}
    };
    let pressed = Cell::new(false);
    let answer = {
        let Scene { stage, driver, clock, limits, .. } = &mut scene;
        let mut sightings = Sightings::new();
        let mut attempt = Attempt::new(&mut sightings, &report);
        let press = async {
            clock.sleep_until(clock.now().after(limits.silence)).await;
            at_the_end.replace(told.borrow().clone());
            pressed.set(true);
            stage.press(&home.ssid).await;
            clock.sleep_until(clock.now().after(limits.answer)).await;
        };
        match select(driver.pair(&mut attempt), press).await {
            Either::First(answer) => Some(answer.map_err(kind)),
            Either::Second(()) => None,
        }
    };
    if !pressed.get() {
        let wanted = Finding::NoAnswer(scene.limits.silence);
        return Err(Failure { during: DURING, at: At::Once, wanted, found: found(answer) }.into());
    }
    match at_the_end.take() {
        None => scene.gap = Some(Cannot("the driver does not tell what is in sight")),
        Some(Sight::Looking | Sight::NotPressed) => {}
        Some(sight @ (Sight::NoRouter | Sight::Pressed { .. } | Sight::Exchanging { .. })) => {
            expect(DURING, false, Finding::Sight(Sight::NotPressed), Finding::Sight(sight))?
        }
    }
    scene.offered("pair, and a button is pressed at last", &home, answer)?;
    if scene.limits.silence <= WINDOW {
        scene.gap = Some(Cannot("nobody waited for longer than two minutes"));
    }
    Ok(scene.passed())
}

pub(super) async fn stays_on_air<S: Stage>(scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    scene.stage.looks_around()?;
    scene.stage.seen().await?;
    scene.stage.switch_on(&cast::home()).await?;
    expect_to_stay(scene, "pair, before a button is pressed", pin!(ready(()))).await
}

pub(super) async fn waits_to_leave<S: Stage>(scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    let home = cast::home();
    scene.stage.seen().await?;
    scene.stage.switch_on(&home).await?;
    scene.stage.press(&home.ssid).await;
    expect_to_stay(scene, "pair, while the answer is on its way", pin!(pending())).await
}

/// The radio stays with its network while `pair` is at work that may leave it after `parting`.
async fn expect_to_stay<'p, S: Stage>(
    mut scene: Scene<'_, S>,
    during: &'static str,
    parting: Pin<&'p mut (dyn Future<Output = ()> + 'p)>,
) -> Result<Outcome, Stop> {
    let old = cast::station(cast::old());
    scene.put("apply(station)", &old).await?;
    let wanted = seen_in(&old);
    let Scene { stage, driver, clock, limits, .. } = &mut scene;
    let mut sightings = Sightings::new();
    let mut attempt = Attempt::new(&mut sightings, &|_| {}).leaving_after(parting);
    let watch = async {
        loop {
            match stage.seen().await {
                Ok(seen) if seen != wanted => return seen,
                Ok(_) | Err(_) => {}
            }
            clock.sleep_until(clock.now().after(GLANCE)).await;
        }
    };
    let over = clock.sleep_until(clock.now().after(limits.watch));
    let (wanted, found) = match select3(driver.pair(&mut attempt), watch, over).await {
        Either3::First(answer) => {
            (Finding::NoAnswer(limits.watch), found(Some(answer.map_err(kind))))
        }
        Either3::Second(seen) => (Finding::Radio(wanted), Finding::Radio(seen)),
        Either3::Third(()) => return Ok(scene.passed()),
    };
    Err(Failure { during, at: At::Once, wanted, found }.into())
}

pub(super) async fn overlap<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    for network in [cast::home(), cast::neighbour()] {
        scene.stage.switch_on(&network).await?;
        scene.stage.press(&network.ssid).await;
    }
    let answer = scene.try_pair(&mut Sightings::new(), scene.limits.answer).await;
    expect_overlap("pair with two routers pressed", &scene, answer)?;
    Ok(scene.passed())
}

pub(super) async fn overlap_memory<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    let mut sightings = Sightings::new();
    let home = cast::home();
    scene.stage.switch_on(&home).await?;
    scene.stage.press(&home.ssid).await;
    let answer = scene.try_pair(&mut sightings, scene.limits.answer).await;
    scene.offered("pair", &home, answer)?;
    if !remembers(&sightings) {
        return Err(Cannot("the driver leaves session overlap to its platform").into());
    }
    scene.stage.switch_off(&home.ssid).await;
    scene.put("apply(station)", &cast::station(cast::old())).await?;
    scene.stage.switch_on(&cast::neighbour()).await?;
    scene.stage.press(&cast::neighbour().ssid).await;
    let answer = scene.try_pair(&mut sightings, scene.limits.answer).await;
    expect_overlap("pair again in the same window, with another router", &scene, answer)?;
    Ok(scene.passed())
}

/// Whether a router was sighted: then a stranger would be one too many.
fn remembers(sightings: &Sightings) -> bool {
    let bssid = Bssid([0xff; 6]);
    let stranger = Router { bssid, frequency_mhz: 2412, ssid: None, uuid: None, signal_dbm: 0 };
    sightings.clone().verdict(&[stranger], &Sweep::new([])) == Verdict::Overlap
}

pub(super) async fn router_vanishes<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    const DURING: &str = "pair, and the router goes away in the exchange";
    let (old, home) = (cast::station(cast::old()), cast::home());
    scene.stage.switch_on(&home).await?;
    scene.put("apply(station)", &old).await?;
    scene.stage.press(&home.ssid).await;
    let begun = Cell::new(false);
    let report = |news| {
        if let News::Seen(Sight::Exchanging { .. }) = news {
            begun.set(true);
        }
    };
    let answer = {
        let Scene { stage, driver, clock, limits, .. } = &mut scene;
        let mut sightings = Sightings::new();
        let mut attempt = Attempt::new(&mut sightings, &report);
        let plug = async {
            poll_fn(|_| if begun.get() { Poll::Ready(()) } else { Poll::Pending }).await;
            stage.switch_off(&home.ssid).await;
            clock.sleep_until(clock.now().after(limits.watch)).await;
        };
        let limit = limits.answer.saturating_add(limits.watch);
        match within(clock, limit, select(driver.pair(&mut attempt), plug)).await {
            Some(Either::First(answer)) => Some(answer.map_err(kind)),
            Some(Either::Second(())) | None => None,
        }
    };
    if !begun.get() {
        return Err(Cannot("the driver does not tell when the exchange begins").into());
    }
    match answer {
        // It had said everything before.
        Some(Ok(_)) => drop(scene.offered(DURING, &home, answer)?),
        Some(Err(kind)) => {
            expect(DURING, !kind.is_final(), Finding::NoSuccess, Finding::Error(kind))?;
        }
        None => {}
    }
    scene.put("apply(station) after a router went away", &old).await?;
    Ok(scene.passed())
}

fn expect_overlap<S: Stage>(
    during: &'static str,
    scene: &Scene<'_, S>,
    answer: Option<Result<Offer, ErrorKind>>,
) -> Result<(), Stop> {
    let found = match answer {
        Some(Err(ErrorKind::Overlap)) => return Ok(()),
        None => Finding::NoAnswer(scene.limits.answer),
        Some(_) => found(answer),
    };
    expect(during, false, Finding::Error(ErrorKind::Overlap), found)
}

fn found(answer: Option<Result<Offer, ErrorKind>>) -> Finding {
    match answer {
        Some(Ok(offer)) => Finding::Offer(offer.at(0).ssid.clone()),
        Some(Err(kind)) => Finding::Error(kind),
        None => Finding::NoSuccess,
    }
}
