//! The guide's request as a FlatBuffers table, as its compiler would generate it: building,
//! verifying, and looking at the fields where they lie.

use super::codec::{Format, Request, digest};
use anyhow::{Context, Result};
use flatbuffers::{
    FlatBufferBuilder, Follow, ForwardsUOffset, InvalidFlatbuffer, Table, VOffsetT, Verifiable,
    Verifier, root,
};

const ID: VOffsetT = 4;
const KIND: VOffsetT = 6;
const DATA: VOffsetT = 8;

/// A place for one table.
#[derive(Default)]
pub(super) struct Flat(FlatBufferBuilder<'static>);

impl Format for Flat {
    fn write(&mut self, request: &Request) -> Result<usize> {
        let builder = &mut self.0;
        builder.reset();
        let kind = builder.create_string(&request.kind);
        let data = builder.create_string(&request.data);
        let table = builder.start_table();
        builder.push_slot_always(DATA, data);
        builder.push_slot_always(KIND, kind);
        builder.push_slot_always(ID, request.id);
        let table = builder.end_table(table);
        builder.finish_minimal(table);
        Ok(builder.finished_data().len())
    }

    fn read(&self) -> Result<u64> {
        let view = root::<RequestView<'_>>(self.0.finished_data())?;
        let missing = "a field is missing";
        let kind = view.text(KIND).context(missing)?;
        let data = view.text(DATA).context(missing)?;
        Ok(digest(view.id(), kind, data))
    }
}

/// A verified table.
struct RequestView<'a>(Table<'a>);

impl<'a> RequestView<'a> {
    fn id(&self) -> i32 {
        // SAFETY: the verifier has found a number in this field, or nothing.
        unsafe { self.0.get::<i32>(ID, Some(0)) }.unwrap_or(0)
    }

    fn text(&self, field: VOffsetT) -> Option<&'a str> {
        // SAFETY: the verifier has found a text in this field, or nothing.
        unsafe { self.0.get::<ForwardsUOffset<&str>>(field, None) }
    }
}

impl<'a> Follow<'a> for RequestView<'a> {
    type Inner = Self;

    unsafe fn follow(buffer: &'a [u8], position: usize) -> Self {
        // SAFETY: the caller vouches for a table at that position.
        Self(unsafe { Table::new(buffer, position) })
    }
}

impl Verifiable for RequestView<'_> {
    fn run_verifier(
        verifier: &mut Verifier<'_, '_>,
        position: usize,
    ) -> Result<(), InvalidFlatbuffer> {
        verifier
            .visit_table(position)?
            .visit_field::<i32>("id", ID, false)?
            .visit_field::<ForwardsUOffset<&str>>("kind", KIND, false)?
            .visit_field::<ForwardsUOffset<&str>>("data", DATA, false)?
            .finish();
        Ok(())
    }
}
