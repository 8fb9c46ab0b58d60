//! Scans, the search for a router in pairing mode, the exchange with it, and the state of the link,
//! through wpa_supplicant's control socket or over D-Bus.
//!
//! Several drivers can share this: wpa_supplicant may run the radio while another program decides
//! which networks it joins. So nothing here depends on a driver, or on networks other than the
//! temporary network block of an exchange.

pub(crate) mod bss;
pub(crate) mod bss_table;
pub(crate) mod bus;
pub(crate) mod client;
#[cfg_attr(not(feature = "_test"), expect(unreachable_pub, reason = "for the tests"))]
pub(crate) mod control_socket;
#[cfg_attr(not(feature = "_test"), expect(unreachable_pub, reason = "for the tests"))]
pub(crate) mod event;
pub(crate) mod exchange;
pub(crate) mod link;
pub(crate) mod network_block;
mod presses;
pub(crate) mod refusals;
pub(crate) mod reply;
pub(crate) mod requests;
pub(crate) mod return_delay;
pub(crate) mod scan;
pub(crate) mod search;
pub(crate) mod session;
