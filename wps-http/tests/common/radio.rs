//! A radio that may be one of those that cannot be limited to one access point.

use wps_core::driver::{KeptBy, Offer, PairContext};
use wps_core::{Credentials, IdleEvent, Link, ScanResults, Settings, Snapshot, WifiDriver};

pub struct TestRadio<D> {
    pub radio: D,
    pub can_pair_with_one: bool,
}

impl<D: WifiDriver> WifiDriver for TestRadio<D> {
    type Error = D::Error;

    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), D::Error> {
        self.radio.apply(settings, snapshot).await
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, D::Error> {
        self.radio.pair(context).await
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), D::Error> {
        self.radio.join(network, snapshot).await
    }

    async fn keep(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<KeptBy, D::Error> {
        self.radio.keep(network, snapshot).await
    }

    async fn snapshot(&mut self) -> Result<Snapshot, D::Error> {
        self.radio.snapshot().await
    }

    async fn link(&mut self) -> Result<Link, D::Error> {
        self.radio.link().await
    }

    async fn scan(&mut self) -> Result<ScanResults, D::Error> {
        self.radio.scan().await
    }

    fn can_pair_with_one(&self) -> bool {
        self.can_pair_with_one && self.radio.can_pair_with_one()
    }

    async fn maintain(&mut self, settings: &Settings) -> IdleEvent {
        self.radio.maintain(settings).await
    }
}
