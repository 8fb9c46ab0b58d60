//! The delay before a return to our network, while the radio is in another one or in none.

use std::time::Duration;

use tokio::time::Instant;

/// How long wpa_supplicant may be in another network, or in none, without trying ours while it is
/// enabled and in range. After a failed association it ignores the access point for 10 s
/// (`wpa_bssid_ignore_add`), joins the next best network and stays there. After a `DISCONNECT` of
/// another program it joins none.
const RETURN_DELAY: Duration = Duration::from_secs(10);
/// The delay doubles up to this, because each return may interrupt a working connection.
const MAX_RETURN_DELAY: Duration = Duration::from_secs(640);

/// The delay before a return to our network, which wpa_supplicant is not trying to join.
#[derive(Clone, Debug)]
pub(crate) struct ReturnDelay {
    /// When the delay is over. `None` if it is not running.
    end: Option<Instant>,
    /// The length of the delay when it starts.
    length: Duration,
}

impl Default for ReturnDelay {
    fn default() -> Self {
        Self { end: None, length: RETURN_DELAY }
    }
}

impl ReturnDelay {
    /// Starts the delay unless it is running. Returns whether it is over.
    pub(crate) fn is_over(&mut self) -> bool {
        let now = Instant::now();
        now >= *self.end.get_or_insert(now + self.length)
    }

    /// Stops the delay. Its length stays.
    pub(crate) fn stop(&mut self) {
        self.end = None;
    }

    /// Extends the delay by its shortest length, because a return is not possible now.
    pub(crate) fn postpone(&mut self) {
        self.end = Some(Instant::now() + RETURN_DELAY);
    }

    /// Starts the delay again, twice as long.
    pub(crate) fn double(&mut self) {
        self.length = (self.length * 2).min(MAX_RETURN_DELAY);
        self.end = Some(Instant::now() + self.length);
    }
}
