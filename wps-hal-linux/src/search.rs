//! Looking for the router whose button was pressed, without leaving the present network.

use std::mem;
use std::time::Duration;

use wps_core::driver::{PairContext, SearchProgress};
use wps_core::wsc::{Decision, Router, ScanPlan};
use wps_core::{ErrorKind, ScanResults};

use crate::access_point;
use crate::error::LinuxError;
use crate::reply::Heard;
use crate::session::{Scan, Session};

/// Between two looks when one failed.
const BREATH: Duration = Duration::from_millis(200);
/// Routers heard this many seconds ago still count as in range, though not as pressed.
const IN_RANGE: u64 = 30;
/// A button heard pressed this many seconds ago is still told as pressed: its channel has its turn again
/// before.
const STILL_PRESSED: u64 = 5;

/// Looks, without leaving the present network, until exactly one router was pressed: on the channels of
/// `freq_list`, or of the card if that is empty.
pub(crate) async fn find_pressed(
    session: &Session,
    freq_list: &[u16],
    context: &mut PairContext<'_>,
) -> Result<Router, LinuxError> {
    let listed = |frequency: &u16| freq_list.is_empty() || freq_list.contains(frequency);
    let mut sweep = ScanPlan::new(session.frequencies().await?.into_iter().filter(listed));
    // With no network to come back to, everything at once first: that is sooner done.
    let mut at_once = session.joined().await?.is_none() && session.served().await?.is_none();
    loop {
        let look: Vec<u16> = if mem::take(&mut at_once) {
            sweep.frequencies().collect()
        } else {
            sweep.next_step().to_vec()
        };
        if look.is_empty() {
            return Err(LinuxError::Unsupported(
                "this card has no channel that WPS can use, or freq_list names none of them",
            ));
        }
        let began = match session.scan(&look).await? {
            Scan::Done(began) => {
                sweep.mark_scanned(&look);
                began
            }
            // Alone and refused: the card cannot do this channel. Else the sweep asks one by one.
            Scan::Refused => {
                if let [frequency_mhz] = look.as_slice() {
                    sweep.remove(*frequency_mhz);
                }
                continue;
            }
            // Not every card can look around while it serves.
            Scan::Failed | Scan::Unable if session.served().await?.is_some() => {
                context.before_disconnect().await;
                access_point::stop(session).await?;
                continue;
            }
            Scan::Unable => return Err(LinuxError::Unsupported("this card cannot look around")),
            Scan::Failed => {
                if !session.is_on().await? {
                    return Err(LinuxError::Air(ErrorKind::Blocked));
                }
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let heard = session.heard(IN_RANGE).await?;
        let mut neighbours = ScanResults::default();
        heard.iter().for_each(|it| neighbours.add(it.neighbour.clone()));
        context.report_scan_results(&neighbours);
        let look_took = began.elapsed().as_secs() + 1;
        let mut pressed = Vec::new();
        for router in &heard {
            if router.age <= look_took {
                sweep.mark_wps(router.router.frequency_mhz);
                pressed.extend(router.pressed.then(|| router.router.clone()));
            }
        }
        match context.overlap_detector.decide(&pressed, &sweep) {
            Decision::Pair(router) => return Ok(router),
            Decision::Overlap => return Err(LinuxError::Air(ErrorKind::Overlap)),
            Decision::KeepScanning => {
                let ssid = pressed.first().and_then(|router| router.ssid.clone());
                context.report_progress(SearchProgress::Pressed { ssid });
            }
            Decision::NoRouter => {
                let pressed = |router: &&Heard| router.pressed && router.age <= STILL_PRESSED;
                if let Some(router) = heard.iter().find(pressed) {
                    context.report_progress(SearchProgress::Pressed {
                        ssid: router.router.ssid.clone(),
                    });
                } else if !heard.is_empty() {
                    context.report_progress(SearchProgress::NotPressed);
                } else if sweep.is_complete() {
                    context.report_progress(SearchProgress::NoRouter);
                }
            }
        }
    }
}
