//! Checks for platforms that keep networks, and of a record whose key only another platform has.

use super::context::{
    JOIN_OBSERVED_TIMEOUT, TestContext, expect, expect_success, same_credentials,
};
use super::fixtures::{self, expected_state, kept};
use super::futures::timed;
use super::report::{Failure, Finding, Stop, TestCase};
use super::{ObservedState, TestBed, Unavailable};
use crate::command::{APPLY_TIMEOUT, KEEP_TIMEOUT};
use crate::driver::{ErrorKind, IdleEvent, KeptBy, WifiDriver};
use crate::settings::{Credentials, KeptId, Settings, Snapshot};

/// A network that the platform keeps.
type Kept<'n> = (KeptId, &'n Credentials);

/// An identifier that no driver has chosen.
const UNKNOWN_ID: KeptId = KeptId(*b"of another kind!");

impl<S: TestBed> TestContext<'_, S> {
    /// Calls `keep`, which must succeed and not interrupt the link.
    pub(super) async fn keep(
        &mut self,
        step: &'static str,
        network: &Credentials,
    ) -> Result<KeptBy, Stop> {
        let snapshot = self.begin_task().await?;
        self.begin("keep");
        let keep = self.driver.keep(network, &snapshot);
        let kept_by = expect_success(step, timed(&self.clock, KEEP_TIMEOUT, keep).await)?;
        if let (KeptBy::Platform(_), Err(_)) = (kept_by, self.test_bed.keeps_networks()) {
            let wanted = Finding::KeptBy(KeptBy::Record);
            return Err(Failure::new(step, wanted, Finding::KeptBy(kept_by)).into());
        }
        let joined = ObservedState::Joined(network.ssid.clone());
        self.expect_state_within(JOIN_OBSERVED_TIMEOUT, step, &joined).await?;
        self.settings = Some(Settings::after_success(network.clone(), kept_by));
        Ok(kept_by)
    }

    /// Calls `keep` and returns the identifier under which the platform keeps the network. If the
    /// platform keeps no networks, the check ends as skipped.
    async fn keep_on_platform(
        &mut self,
        step: &'static str,
        network: &Credentials,
    ) -> Result<KeptId, Stop> {
        match (self.keep(step, network).await?, self.test_bed.keeps_networks()) {
            (KeptBy::Platform(id), _) => Ok(id),
            (KeptBy::Record, Err(gap)) => Err(gap.into()),
            (found @ KeptBy::Record, Ok(())) => {
                Err(Failure::new(step, Finding::KeptByPlatform, Finding::KeptBy(found)).into())
            }
        }
    }

    /// Joins the network and keeps it, as after a change of settings.
    async fn join_and_keep(
        &mut self,
        step: &'static str,
        network: &Credentials,
    ) -> Result<KeptId, Stop> {
        self.join(step, network).await?;
        self.keep_on_platform(step, network).await
    }

    /// Waits until the machine has been idle for some time. Fails unless the platform then has
    /// exactly these networks of ours on disk, and in memory at most that of the settings in force.
    pub(super) async fn expect_at_rest(
        &mut self,
        step: &'static str,
        on_disk: &[Kept<'_>],
    ) -> Result<(), Stop> {
        self.rest(step, self.limits.watch_window).await?;
        self.expect_on_disk(step, on_disk).await?;
        let in_use = match &self.settings {
            Some(Settings::Station { network }) if network.secret.kept_id().is_none() => {
                Some(&network.ssid)
            }
            Some(_) | None => None,
        };
        let mut found = None;
        let listed = self.test_bed.platform_networks(|it| {
            if it.id.is_some() && !it.is_on_disk && in_use != Some(&it.network.ssid) {
                found = Some(it.network.ssid);
            }
        });
        // A test bed that cannot list them has said so before.
        let _ = listed.await;
        match found {
            Some(ssid) => {
                let wanted = Finding::NotInMemory(ssid.clone());
                Err(Failure::new(step, wanted, Finding::InMemory(ssid)).into())
            }
            None => Ok(()),
        }
    }

    /// Fails unless the platform has exactly these networks of ours on disk. The check is partial
    /// if the test bed cannot list them.
    pub(super) async fn expect_on_disk(
        &mut self,
        step: &'static str,
        wanted: &[Kept<'_>],
    ) -> Result<(), Stop> {
        let (mut ids, mut difference) = (heapless::Vec::<_, 8>::new(), None);
        let listed = self.test_bed.platform_networks(|it| {
            let (Some(id), true) = (it.id, it.is_on_disk) else { return };
            let ssid = it.network.ssid.clone();
            let network = wanted.iter().find(|(wanted, _)| *wanted == id).map(|it| it.1);
            // More networks than fit are more than wanted.
            let _ = ids.push(id);
            difference = difference.take().or(match network {
                Some(network) if same_credentials(network, &it.network) => None,
                Some(_) => {
                    Some((Finding::Stored(ssid.clone()), Finding::StoredWithAnotherKey(ssid)))
                }
                None => Some((Finding::NotStored(ssid.clone()), Finding::Stored(ssid))),
            });
        });
        if let Err(gap) = listed.await {
            self.log.add_gap(gap);
            return Ok(());
        }
        let missing = wanted.iter().find(|(id, _)| !ids.contains(id)).map(|(_, network)| {
            (Finding::Stored(network.ssid.clone()), Finding::NotStored(network.ssid.clone()))
        });
        match difference.or(missing) {
            Some((wanted, found)) => Err(Failure::new(step, wanted, found).into()),
            None => Ok(()),
        }
    }

    /// Fails unless the platform still has this network of the user.
    async fn expect_network_of_user(
        &mut self,
        step: &'static str,
        network: &Credentials,
    ) -> Result<(), Stop> {
        let mut is_there = false;
        let listed = self.test_bed.platform_networks(|it| {
            is_there |= it.id.is_none() && same_credentials(&it.network, network);
        });
        if let Err(gap) = listed.await {
            self.log.add_gap(gap);
            return Ok(());
        }
        let ssid = &network.ssid;
        expect(step, is_there, Finding::Stored(ssid.clone()), Finding::NotStored(ssid.clone()))
    }
}

pub(super) async fn keeps<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    let (old, home) = (fixtures::old(), fixtures::home());
    context.test_bed.start_router(&home).await?;
    // The record of the first network could not be saved: the task goes on, with its snapshot.
    let first = context.join_and_keep("keep", &old).await?;
    context.pair("pair after keep", &home).await?;
    let _ = context.try_join(&fixtures::home_with_another_key()).await?;
    let id = context.join_and_keep("keep in a later try", &home).await?;
    let wanted = Finding::KeptBy(KeptBy::Platform(first));
    let found = Finding::KeptBy(KeptBy::Platform(id));
    expect("keep in a later try of the same task", id == first, wanted, found)?;
    context.expect_on_disk("after keep", &[(id, &home)]).await?;

    let settings = fixtures::station(kept(&home, id));
    context = context.cut_power().await;
    context.end_task();
    let step = "apply(station) of a kept network after a power cut";
    context.apply_and_expect(step, &settings).await?;
    context.expect_stable_state(step, &expected_state(&settings)).await?;
    context.expect_at_rest(step, &[(id, &home)]).await?;
    context.apply_again("apply of the kept network in use", &settings).await?;

    let remembered = Some(kept(&home, id));
    let off = Settings::Off { remembered: remembered.clone() };
    for settings in [fixtures::hotspot_with(remembered), off] {
        let step = "after apply of a mode that remembers the kept network";
        let applied = context.apply_and_expect(step, &settings).await;
        if context.skip_part(applied)? {
            context.expect_at_rest(step, &[(id, &home)]).await?;
        }
    }
    expect_proven(&mut context, id, &home).await
}

/// Fails unless `join` of a kept network proves it.
async fn expect_proven<S: TestBed>(
    context: &mut TestContext<'_, S>,
    id: KeptId,
    network: &Credentials,
) -> Result<(), Stop> {
    const STEP: &str = "join of a kept network";
    let record = kept(network, id);
    context.join(STEP, &record).await?;
    context.end_task();
    context.expect_at_rest(STEP, &[(id, network)]).await?;
    context.expect_stable_state(STEP, &ObservedState::Joined(network.ssid.clone())).await?;
    context.test_bed.stop_router(&network.ssid).await;
    let step = "join of a kept network whose router is off";
    context.expect_join_error(step, &record, ErrorKind::NotFound).await?;
    context.test_bed.start_router(&fixtures::home_with_another_key()).await?;
    let step = "join of a kept network that has changed its key";
    context.expect_join_error(step, &record, ErrorKind::WrongKey).await?;
    context.expect_on_disk(step, &[(id, network)]).await
}

/// How a task fails.
#[derive(Clone, Copy)]
enum Failing {
    /// The network did not accept its key.
    WrongKey,
    /// The network was joined. It was not kept.
    Joined,
    /// The record of the kept network could not be saved.
    Kept,
    /// The power was cut before the record of the kept network was saved.
    PowerCut,
}

pub(super) async fn kept_in_vain<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    let (old, home) = (fixtures::old(), fixtures::home());
    context.test_bed.start_router(&home).await?;
    let settings = fixtures::station(old.clone());
    context = fail_each_way(context, &settings, &[]).await?;
    expect_removal_despite_drops(&mut context, &settings).await?;
    context = expect_kept_without_record(context).await?;

    let id = context.join_and_keep("keep of the first network", &old).await?;
    context.end_task();
    let settings = fixtures::station(kept(&old, id));
    // Also with an open web page, which drops `maintain`.
    context.link_is_queried = true;
    context = fail_each_way(context, &settings, &[(id, &old)]).await?;
    expect_nothing_removed_while_missing(&mut context, id).await
}

/// Fails tasks in each way, with these settings before. Fails unless the network of the settings is
/// back after each, and the platform keeps exactly `before` at rest.
async fn fail_each_way<'s, S: TestBed>(
    mut context: TestContext<'s, S>,
    settings: &Settings,
    before: &[Kept<'_>],
) -> Result<TestContext<'s, S>, Stop> {
    let home = fixtures::home();
    context.apply_and_expect("apply(station)", settings).await?;
    for failing in [Failing::WrongKey, Failing::Joined, Failing::Kept, Failing::PowerCut] {
        let mut on_disk = heapless::Vec::<_, 2>::from_iter(before.iter().copied());
        let step = match failing {
            Failing::WrongKey => {
                let _ = context.try_join(&fixtures::home_with_another_key()).await?;
                "after apply of the settings before a join that failed"
            }
            Failing::Joined => {
                context.join("join", &home).await?;
                "after apply of the settings before join"
            }
            Failing::Kept | Failing::PowerCut => {
                let id = context.join_and_keep("join and keep", &home).await?;
                on_disk.extend([(id, &home)]);
                "after apply of the settings before keep"
            }
        };
        if matches!(failing, Failing::PowerCut) {
            context = context.cut_power().await;
        }
        let snapshot = context.task.take().unwrap_or_default();
        context.apply(step, settings, &snapshot).await?;
        context.expect_on_disk(step, &on_disk).await?;
        context.expect_state(step, &expected_state(settings)).await?;
        context.expect_stable_state(step, &expected_state(settings)).await?;
        context.expect_at_rest("at rest after a failure", before).await?;
    }
    Ok(context)
}

/// Drops `maintain` at each poll while there is a network to remove. Fails unless the next
/// `maintain` removes it.
async fn expect_removal_despite_drops<S: TestBed>(
    context: &mut TestContext<'_, S>,
    settings: &Settings,
) -> Result<(), Stop> {
    let polls = drop_removal(context, settings, usize::MAX).await?.unwrap_or_default();
    for polls in context.drops(polls, 1) {
        context.log.drops.tried += 1;
        let case = TestCase::Dropped { method: "maintain", polls };
        let ended = drop_removal(context, settings, polls).await;
        ended.map_err(|stop| stop.in_case(case))?;
    }
    Ok(())
}

/// Keeps a network in vain, and drops `maintain` at the poll with the number `drop_at`. Returns the
/// number of polls in the watch window, or `None` if it was dropped before.
async fn drop_removal<S: TestBed>(
    context: &mut TestContext<'_, S>,
    settings: &Settings,
    drop_at: usize,
) -> Result<Option<usize>, Stop> {
    context.join_and_keep("join and keep", &fixtures::home()).await?;
    let snapshot = context.task.take().unwrap_or_default();
    context.apply("apply(station)", settings, &snapshot).await?;
    let polls = context.poll_maintain("maintain", settings, drop_at).await?;
    context.expect_at_rest("at rest after maintain was dropped", &[]).await?;
    Ok(polls)
}

/// Loses the record: a new driver gets settings without the kept network. Fails unless that stays
/// on the disk until a task was tried.
async fn expect_kept_without_record<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<TestContext<'_, S>, Stop> {
    const LOST: &str = "after the record was lost";
    const AFTER_TASK: &str = "after the record was lost and a task has failed";
    let (old, home) = (fixtures::old(), fixtures::home());
    let id = context.join_and_keep("join and keep", &home).await?;
    context.end_task();
    context = context.cut_power().await;
    let without_network = fixtures::station(old);
    for settings in [&Settings::Platform, &without_network] {
        let applied = context.apply(LOST, settings, &Snapshot::default()).await;
        if context.skip_part(applied)? {
            context.expect_at_rest(LOST, &[(id, &home)]).await?;
        }
    }
    let _ = context.try_join(&fixtures::home_with_another_key()).await?;
    context.apply_and_expect(AFTER_TASK, &without_network).await?;
    context.expect_at_rest(AFTER_TASK, &[]).await?;
    Ok(context)
}

/// The user removes the kept network `id` that the settings name, and another one was kept in vain.
/// Fails if that one is removed before the record has forgotten the first one.
async fn expect_nothing_removed_while_missing<S: TestBed>(
    context: &mut TestContext<'_, S>,
    id: KeptId,
) -> Result<(), Stop> {
    const STEP: &str = "while the platform does not have the network of the settings";
    let home = fixtures::home();
    let in_vain = context.join_and_keep("join and keep", &home).await?;
    if let Err(gap) = context.test_bed.remove_kept(id).await {
        context.log.add_gap(gap);
        return Ok(());
    }
    let snapshot = context.task.take().unwrap_or_default();
    context.apply(STEP, &fixtures::station(kept(&fixtures::old(), id)), &snapshot).await?;
    context.expect_idle_event(STEP, IdleEvent::NetworkRemoved).await?;
    context.expect_on_disk(STEP, &[(in_vain, &home)]).await?;
    const FORGOTTEN: &str = "after the network was forgotten";
    let applied = context.apply(FORGOTTEN, &Settings::Platform, &Snapshot::default()).await;
    if context.skip_part(applied)? {
        context.expect_at_rest(FORGOTTEN, &[]).await?;
    }
    Ok(())
}

pub(super) async fn kept_removed<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    const STEP: &str = "after the user has removed the kept network";
    let home = fixtures::home();
    context.test_bed.start_router(&home).await?;
    for link_is_queried in [false, true] {
        let id = context.join_and_keep("join and keep", &home).await?;
        context.end_task();
        let settings = fixtures::station(kept(&home, id));
        context.link_is_queried = link_is_queried;
        context.expect_at_rest("while the platform has the network", &[(id, &home)]).await?;
        context.stop_router_and_wait("while the router is off", &home).await?;
        context.test_bed.start_router(&home).await?;
        context.expect_state("after its router came back", &expected_state(&settings)).await?;
        if !link_is_queried {
            // `link` would not return in time.
            rest_without_response(&mut context).await?;
        }
        context.test_bed.remove_kept(id).await?;
        if link_is_queried {
            // As after a restart of the device.
            context.apply(STEP, &settings, &Snapshot::default()).await?;
        }
        context.expect_idle_event(STEP, IdleEvent::NetworkRemoved).await?;
        const FORGOTTEN: &str = "after the removed network was forgotten";
        let applied = context.apply(FORGOTTEN, &Settings::Platform, &Snapshot::default()).await;
        if context.skip_part(applied)? {
            context.expect_at_rest(FORGOTTEN, &[]).await?;
        }
    }
    Ok(())
}

/// Rests while the platform does not answer. Fails if the driver reports anything.
async fn rest_without_response<S: TestBed>(context: &mut TestContext<'_, S>) -> Result<(), Stop> {
    const STEP: &str = "while the platform does not answer";
    if let Err(gap) = context.test_bed.set_platform_responsive(false).await {
        context.log.add_gap(gap);
        return Ok(());
    }
    context.rest(STEP, context.limits.watch_window).await?;
    context.test_bed.set_platform_responsive(true).await?;
    context.rest("after the platform answers again", context.limits.watch_window).await
}

pub(super) async fn kept_same_name<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<(), Stop> {
    const STEP: &str = "after the network was kept again with another key";
    // The network of the user has the name and the second key of the router's network.
    let (home, changed) = (fixtures::home(), fixtures::home_with_another_key());
    context.test_bed.start_router(&home).await?;
    let first = context.join_and_keep("join and keep", &home).await?;
    context.end_task();
    let step = "after a network with the name of a network of the user was kept";
    context.expect_at_rest(step, &[(first, &home)]).await?;
    context.expect_network_of_user(step, &changed).await?;

    context.stop_router_and_wait("while the router is off", &home).await?;
    context.test_bed.start_router(&changed).await?;
    context.pair_and_join("pair again", &changed).await?;
    let second = context.keep_on_platform("keep again", &changed).await?;
    let found = Finding::KeptBy(KeptBy::Platform(second));
    expect("keep in another task", second != first, Finding::NewIdentifier, found)?;
    // The record still names the first one.
    context.expect_on_disk("after keep again", &[(first, &home), (second, &changed)]).await?;
    context.end_task();
    context.expect_at_rest(STEP, &[(second, &changed)]).await?;
    context.expect_stable_state(STEP, &ObservedState::Joined(changed.ssid.clone())).await?;
    context.expect_network_of_user(STEP, &changed).await
}

pub(super) async fn platform_decides<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<(), Stop> {
    const STEP: &str = "apply(station) of a kept network while the platform is in another one";
    // The platform has the network "old" of the user.
    let (old, home) = (fixtures::old(), fixtures::home());
    context.test_bed.start_router(&home).await?;
    let id = context.join_and_keep("join and keep", &home).await?;
    context.end_task();
    context.stop_router_and_wait("while the router is off", &home).await?;
    context = context.cut_power().await;
    let joined = ObservedState::Joined(old.ssid.clone());
    if !context.is_state_reached("after a restart", &joined).await? {
        return Err(Unavailable("the platform did not join another network by itself").into());
    }
    context.test_bed.start_router(&home).await?;
    let network = kept(&home, id);
    context.apply_unchanged(STEP, &fixtures::station(network.clone()), &joined).await?;
    context.expect_at_rest(STEP, &[(id, &home)]).await?;
    context.expect_network_of_user(STEP, &old).await?;
    context.expect_stable_state(STEP, &joined).await?;
    context.join("join of the kept network then", &network).await
}

pub(super) async fn kept_elsewhere<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<(), Stop> {
    const APPLY_STEP: &str = "apply(station) of a network that another platform keeps";
    const JOIN_STEP: &str = "join of a network that another platform keeps";
    const REMEMBERED: &str = "while a network that another platform keeps is remembered";
    let (old, home, open) = (fixtures::old(), fixtures::home(), fixtures::open());
    context.test_bed.start_router(&home).await?;
    if let Err(gap) = context.test_bed.start_router(&open).await {
        context.log.add_gap(gap);
    }
    context.join("join", &old).await?;
    let kept_by = context.keep("keep", &old).await?;
    context.end_task();
    let network = kept(&open, UNKNOWN_ID);

    // A task fails, and the record of before names the network.
    context.join("join before a failure", &home).await?;
    let snapshot = context.task.take().unwrap_or_default();
    context.begin("apply(station)");
    let settings = fixtures::station(network.clone());
    let apply = context.driver.apply(&settings, &snapshot);
    let result = timed(&context.clock, APPLY_TIMEOUT, apply).await;
    expect_kept_elsewhere(APPLY_STEP, result)?;
    context.expect_left(APPLY_STEP, &home).await?;
    context.expect_not_joined(APPLY_STEP, &[&open, &home]).await?;
    let result = context.try_join(&network).await?;
    expect_kept_elsewhere(JOIN_STEP, result)?;
    context.expect_not_joined(JOIN_STEP, &[&open, &home]).await?;

    let settings = Settings::Off { remembered: Some(network) };
    let applied = context.apply_and_expect(REMEMBERED, &settings).await;
    if context.skip_part(applied)? {
        context.rest(REMEMBERED, context.limits.watch_window).await?;
        if let KeptBy::Platform(id) = kept_by {
            context.expect_on_disk(REMEMBERED, &[(id, &old)]).await?;
        }
    }
    context.pair_and_join("pair and join after that", &home).await?;
    context.apply_and_expect("apply(station) after that", &fixtures::station(old)).await
}

/// Fails unless the method has returned [`ErrorKind::KeptElsewhere`].
fn expect_kept_elsewhere(step: &'static str, result: Result<(), Finding>) -> Result<(), Stop> {
    let (wanted, found) = (Finding::Error(ErrorKind::KeptElsewhere), result.err());
    let holds = found.as_ref() == Some(&wanted);
    expect(step, holds, wanted, found.unwrap_or(Finding::Success))
}
