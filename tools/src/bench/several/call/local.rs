//! Calls that stay in the thread: a virtual call, and a client before it, which looks whether the service
//! is still offered, and turns a panic into an error.

use super::{Place, Row, TRIPS_PER_MIB};
use crate::echo::{self, BLOCK, Echo, EchoClient, Echoing};
use anyhow::Result;
use std::hint::black_box;
use std::sync::Arc;
use strait::service::Binding;

/// `Arc<dyn Echo>` and the client of the same object in turn, so that both meet the same cache.
pub(super) fn round(place: &Place) -> Result<Row> {
    let service: Arc<dyn Echo> = black_box(Arc::new(Echoing::default()));
    let client = black_box(EchoClient::from(Binding::from(Arc::clone(&service))));
    let long = place.count.div_ceil(TRIPS_PER_MIB);
    let block = black_box([1; BLOCK]);
    let bytes = black_box(vec![1; 1 << 20]);
    let mut row = Row::new();
    let count = place.count;
    row.insert(
        "local, nothing, Arc<dyn>",
        place.per_call(count, |_| {
            black_box(&service).nothing();
            Ok(())
        })?,
    );
    row.insert(
        "local, nothing, client",
        place.per_call(count, |_| Ok(black_box(&client).nothing()?))?,
    );
    row.insert(
        "local, 48 B, Arc<dyn>",
        place.per_call(count, |number| {
            let back = black_box(&service).words(black_box(&echo::words(number)));
            assert_eq!(back.map(|words| words[0]), Ok(number));
            Ok(())
        })?,
    );
    row.insert(
        "local, 48 B, client",
        place.per_call(count, |number| {
            let back = black_box(&client).words(black_box(&echo::words(number)));
            assert_eq!(back.map(|words| words[0]), Ok(number));
            Ok(())
        })?,
    );
    row.insert(
        "local, 1 KiB, Arc<dyn>",
        place.per_call(count, |_| {
            black_box(black_box(&service).block(&block));
            Ok(())
        })?,
    );
    row.insert(
        "local, 1 KiB, client",
        place.per_call(count, |_| {
            black_box(black_box(&client).block(&block)?);
            Ok(())
        })?,
    );
    row.insert(
        "local, 1 MiB in, Arc<dyn>",
        place.per_call(count, |_| {
            black_box(black_box(&service).last(&bytes));
            Ok(())
        })?,
    );
    row.insert(
        "local, 1 MiB in, client",
        place.per_call(count, |_| {
            black_box(black_box(&client).last(&bytes)?);
            Ok(())
        })?,
    );
    row.insert(
        "local, 1 MiB in and out, Arc<dyn>",
        place.per_call(long, |_| {
            black_box(black_box(&service).bytes(&bytes));
            Ok(())
        })?,
    );
    row.insert(
        "local, 1 MiB in and out, client",
        place.per_call(long, |_| {
            black_box(black_box(&client).bytes(&bytes)?);
            Ok(())
        })?,
    );
    Ok(row)
}
