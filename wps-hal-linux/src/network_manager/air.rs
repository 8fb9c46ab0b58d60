//! What wpa_supplicant has to do for a connection of NetworkManager: fresh scan results before it,
//! and the return to it after an exchange behind NetworkManager's back.

use std::time::Duration;

use tokio::time::timeout;
use wps_core::Ssid;

use crate::error::LinuxError;
use crate::supplicant::bss_table::Sighting;
use crate::supplicant::client::SupplicantClient;
use crate::supplicant::exchange;
use crate::supplicant::reply::Network;
use crate::supplicant::requests::ScanMode;
use crate::supplicant::scan::ScanOutcome;

/// The value of `wps_cred_processing` that NetworkManager sets when it takes an interface.
const CRED_PROCESSING: u8 = 2;
/// An access point seen at most this many seconds ago needs no scan before it is joined.
/// wpa_supplicant uses results for 5 s, and then scans all bands, for up to 14 s.
const MAX_FRESH_AGE_SECONDS: u64 = 2;
/// The longest time for a scan before a return. The return is possible without it.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(2);
/// WPS exists below 6 GHz only, whose channels make a scan three times as long.
const MAX_FREQUENCY_MHZ: u16 = 5895;

/// Ends an exchange of ours. A pairing that NetworkManager has begun goes on.
pub(crate) async fn cancel_exchange(session: &SupplicantClient) -> Result<(), LinuxError> {
    exchange::cancel_ours(session, CRED_PROCESSING).await
}

/// Scans the channel of an access point that is to be joined, unless its results are fresh.
pub(crate) async fn refresh(
    session: &SupplicantClient,
    frequency_mhz: u16,
) -> Result<(), LinuxError> {
    let mut seen = session.requests().sightings().await?.into_iter();
    let is_fresh =
        seen.any(|it| it.frequency_mhz == frequency_mhz && it.age_seconds <= MAX_FRESH_AGE_SECONDS);
    if !is_fresh && frequency_mhz != 0 {
        let scan = timeout(REFRESH_TIMEOUT, session.scan(&[frequency_mhz], ScanMode::Active)).await;
        scan.map_or(Ok(()), |outcome| outcome.map(drop))?;
    }
    Ok(())
}

/// Whether a network is in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// It was seen.
    Seen,
    /// It was not seen, but an access point that hides its name, or it was only seen when it was
    /// asked by its name; or the card could not look.
    PossiblyHidden,
    /// It was not seen.
    Absent,
}

/// Scans until an access point of this network is found: first where it was seen last.
pub(crate) async fn find_network(
    session: &SupplicantClient,
    ssid: &Ssid,
) -> Result<Range, LinuxError> {
    let mut known: Vec<u16> = Vec::new();
    for it in session.requests().sightings().await? {
        if it.ssid.as_ref() == Some(ssid) {
            if it.age_seconds <= MAX_FRESH_AGE_SECONDS {
                return Ok(Range::Seen);
            }
            known.push(it.frequency_mhz);
        }
    }
    let all = session.requests().frequencies().await?;
    let all: Vec<u16> = all.into_iter().filter(|it| *it <= MAX_FREQUENCY_MHZ).collect();
    let others = all.iter().copied().filter(|it| !known.contains(it)).collect();
    let mut range = Range::Absent;
    // The last scan is for an access point that hides its name: the others hear it only by chance.
    for (frequencies, mode) in [
        (known.clone(), ScanMode::Active),
        (others, ScanMode::Active),
        (all, ScanMode::Directed(ssid)),
    ] {
        let is_directed = mode != ScanMode::Active;
        if frequencies.is_empty() || is_directed && range == Range::PossiblyHidden {
            continue;
        }
        let ScanOutcome::Done(started) = session.scan(&frequencies, mode).await? else {
            return Ok(Range::PossiblyHidden); // NetworkManager may still find it
        };
        let age = started.elapsed().as_secs() + 1;
        let seen = session.requests().sightings().await?;
        let mut seen = seen.iter().filter(|it| it.age_seconds <= age);
        if seen.clone().any(|it| it.ssid.as_ref() == Some(ssid)) {
            return Ok(if is_directed { Range::PossiblyHidden } else { Range::Seen });
        }
        if seen.any(Sighting::is_hidden) {
            range = Range::PossiblyHidden;
        }
    }
    Ok(range)
}

/// Lets wpa_supplicant return to the network of NetworkManager, which our exchange has disabled
/// without NetworkManager noticing. Does nothing if it is not disabled.
pub(crate) async fn return_to_network(
    session: &SupplicantClient,
    frequency_mhz: u16,
) -> Result<(), LinuxError> {
    // NetworkManager adds one network at a time, and enables it.
    let networks = session.requests().networks().await?;
    let is_its = |network: &&Network| !network.enabled && !network.name.is_empty();
    if let Some(network) = networks.iter().rev().find(is_its) {
        refresh(session, frequency_mhz).await?;
        session.requests().return_to_network(network.id).await?;
    }
    Ok(())
}
