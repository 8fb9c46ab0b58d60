//! Tests of the WPS parsers, the overlap detector and the scan plan. The parsers get captured
//! frames, the known errors of real routers, and arbitrary bytes.

mod credential;
mod element;
mod overlap;
mod pressed;
mod scan_plan;
