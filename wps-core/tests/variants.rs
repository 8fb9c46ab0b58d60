//! The lists of all variants, which other crates walk in their tests, and what every error of this
//! crate has to be.

use std::collections::HashSet;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::Debug;
use std::mem::{Discriminant, discriminant};

use wps_core::button::{Action, Press};
use wps_core::conformance::{Failure, Unavailable};
use wps_core::driver::{DriverError, ErrorKind, Offer, PairContext, WifiDriver};
use wps_core::sim::{DiskError, DiskFault, SimError, samples};
use wps_core::wsc::CredentialError;
use wps_core::{
    Cause, Credentials, IdleEvent, InvalidValue, RecordError, RequestError, Settings, Snapshot,
    TaskKind,
};
use wps_core::{Cipher, Security};

/// Asserts that each value is of another variant.
#[track_caller]
fn expect_different<T: Debug>(values: &[T]) {
    let variants: HashSet<Discriminant<T>> = values.iter().map(discriminant).collect();
    assert_eq!(variants.len(), values.len(), "{values:?}");
}

#[test]
fn each_list_has_each_variant_once() {
    expect_different(ErrorKind::ALL);
    expect_different(Security::ALL);
    expect_different(Cipher::ALL);
    expect_different(IdleEvent::ALL);
    expect_different(TaskKind::ALL);
    expect_different(InvalidValue::ALL);
    expect_different(CredentialError::ALL);
    expect_different(Press::ALL);
    expect_different(Action::ALL);
    expect_different(&samples::phases());
    expect_different(&samples::search_progress());
    expect_different(&samples::pair_events());
    expect_different(&samples::request_errors());
    expect_different(&samples::record_errors());
    let causes: HashSet<_> = Cause::ALL.iter().collect();
    assert_eq!(causes.len(), Cause::ALL.len());
    let kinds = ErrorKind::ALL.iter().map(|kind| Cause::Driver(*kind));
    assert!(kinds.into_iter().all(|cause| causes.contains(&cause)));
}

/// Asserts that errors print different sentences, each with its cause: a source in addition would
/// be printed twice.
#[track_caller]
fn expect_sentences<E: Error>(errors: impl IntoIterator<Item = E>) {
    let mut sentences = HashSet::new();
    for error in errors {
        let sentence = error.to_string();
        assert!(sentence.len() > 10, "{sentence}");
        assert!(error.source().is_none(), "{sentence}: {:?}", error.source());
        assert!(sentences.insert(sentence), "{error}: the same sentence twice");
    }
}

#[test]
fn every_error_is_a_sentence() {
    expect_sentences(ErrorKind::ALL);
    // One cause is short: "cancelled".
    expect_sentences(Cause::ALL.iter().filter(|cause| **cause != Cause::Cancelled));
    expect_sentences(InvalidValue::ALL);
    expect_sentences(CredentialError::ALL);
    expect_sentences(samples::request_errors());
    expect_sentences(Cause::ALL.iter().map(|cause| RequestError::Failed(*cause)));
    expect_sentences(samples::record_errors());
    expect_sentences(ErrorKind::ALL.iter().map(|kind| SimError(*kind)));
    expect_sentences([DiskError(DiskFault::Full), DiskError(DiskFault::Unreadable)]);
    expect_sentences([Unavailable("the radio cannot be observed")]);
}

#[test]
fn every_error_is_an_error_of_the_standard_library() {
    fn expect_error<E: core::error::Error>() {}
    expect_error::<ErrorKind>();
    expect_error::<Cause>();
    expect_error::<RequestError>();
    expect_error::<RecordError>();
    expect_error::<InvalidValue>();
    expect_error::<CredentialError>();
    expect_error::<SimError>();
    expect_error::<DiskError>();
    expect_error::<Failure>();
    expect_error::<Unavailable>();
}

#[test]
fn a_driver_needs_no_error_type_of_its_own() {
    /// A radio that only fails, with the error `E`.
    struct Failing<E>(fn() -> E);

    impl<E: DriverError> WifiDriver for Failing<E> {
        type Error = E;

        async fn apply(&mut self, _: &Settings, _: &Snapshot) -> Result<(), E> {
            Err((self.0)())
        }

        async fn pair(&mut self, _: &mut PairContext<'_>) -> Result<Offer, E> {
            Err((self.0)())
        }

        async fn join(&mut self, _: &Credentials, _: &Snapshot) -> Result<(), E> {
            Err((self.0)())
        }
    }

    fn expect_driver<D: WifiDriver>(_: &D) {}
    expect_driver(&Failing(|| ErrorKind::Blocked));
    expect_driver(&Failing::<Infallible>(|| unreachable!("never called")));
    for kind in ErrorKind::ALL {
        assert_eq!(kind.kind(), *kind);
    }
}

#[test]
fn unusable_credentials_are_final_each_with_its_kind() {
    let kinds: HashSet<_> = CredentialError::ALL.iter().map(DriverError::kind).collect();
    assert_eq!(kinds.len(), CredentialError::ALL.len());
    // The router would hand over the same ones again.
    assert!(kinds.iter().all(|kind| kind.is_final()), "{kinds:?}");
}
