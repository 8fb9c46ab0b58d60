//! One search for a pressed router, and the exchange with it: both are the library's.
//!
//! Whatever ends it but a success, it leaves nothing behind that could act later.

use wps_core::driver::Offer;

use crate::event::{WPS, WpsEvent};
use crate::layout::StationConfig;
use crate::{EspError, credentials, ffi, station};

/// Searches until a router hands over its networks. The library ends its search after two minutes of
/// its own; whether they are over here is not its business, so it begins another one.
pub(crate) async fn pair() -> Result<Offer, EspError> {
    // Empty: on success the library writes its key over what is there, and of a longer one the end
    // would stay.
    station::restart(&mut StationConfig::empty())?;
    loop {
        let search = Search::begin()?;
        let offer = match WPS.wait().await {
            WpsEvent::Success(offer) => offer?,
            WpsEvent::SuccessInConfig => {
                let config = ffi::station()?;
                Offer::from(credentials::read(&config.ssid, &config.password)?)
            }
            WpsEvent::TimedOut => continue,
            WpsEvent::Failed(reason) => return Err(EspError::Exchange { reason }),
            WpsEvent::Overlap => return Err(EspError::Overlap),
            WpsEvent::Malformed { id, length } => return Err(EspError::Event { id, length }),
        };
        search.succeeded();
        return Ok(offer);
    }
}

/// A search that is under way.
struct Search;

impl Search {
    fn begin() -> Result<Self, EspError> {
        // Enabling takes back what the library was about to post for an earlier search, and nothing is
        // posted before the start: what is there now is old, and what comes from now on is not.
        ffi::wps_enable()?;
        let search = Self;
        WPS.reset();
        ffi::wps_start()?;
        Ok(search)
    }

    /// With one network the library has disabled WPS and is joining by itself: let it.
    fn succeeded(self) {
        // It answers that there is nothing to do.
        let _ = ffi::wps_disable();
        core::mem::forget(self);
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        // Neither has a failure that matters: the next verb stops the radio.
        let _ = ffi::wps_disable();
        let _ = ffi::disconnect();
        WPS.reset();
    }
}
