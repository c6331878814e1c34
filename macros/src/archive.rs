//! Types archived by rkyv: its derives make the archive, this one describes it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, Error, Result};

use crate::fields::{described, text};
use crate::input::{Input, RkyvOptions};

pub(crate) fn expand(input: &Input<'_>) -> Result<TokenStream> {
    refuse_discriminants_with_fields(input)?;
    let options = RkyvOptions::parse(input)?;
    let root = &input.root;
    let name = &input.derive.ident;

    let mut generics = input.derive.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!(#root::message::Schema));
        parameter.bounds.push(syn::parse_quote!(#root::rkyv::Archive));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();

    let archived = quote!(<#name #type_generics as #root::rkyv::Archive>::Archived);
    let text = text(input, &archived);
    let any_bits = if matches!(input.derive.data, Data::Enum(_)) || options.custom_check {
        quote!(false)
    } else {
        let types = input.fields().into_iter().map(|field| described(&field.ty, input));
        quote!(#(<#types as #root::message::Schema>::ANY_BITS)&&*)
    };
    // Errors of the text show up where the type is defined, unless its parameters are unknown.
    let evaluation = input.derive.generics.params.is_empty().then(
        || quote!(const _: #root::message::SchemaText = <#name as #root::message::Schema>::TEXT;),
    );
    Ok(quote! {
        #[automatically_derived]
        // SAFETY: the text names the type and, in order, the names, types and offsets of all its
        // fields or variants, and the archive's layout. It asserts the alignment, and there is at
        // least one field or a discriminant. Every bit pattern is valid only where that holds of
        // all fields and nothing else is checked.
        unsafe impl #impl_generics #root::message::Schema for #name #type_generics #where_clause {
            const TEXT: #root::message::SchemaText = #text;
            const ANY_BITS: bool = #any_bits;
            type Shape = #root::message::shape::ArchivedShape;
        }

        #evaluation
    })
}

/// Such discriminants cannot be told from outside the type.
fn refuse_discriminants_with_fields(input: &Input<'_>) -> Result<()> {
    let Data::Enum(data) = &input.derive.data else {
        return Ok(());
    };
    if data.variants.iter().all(|variant| variant.fields.is_empty()) {
        return Ok(());
    }
    match data.variants.iter().find_map(|variant| variant.discriminant.as_ref()) {
        Some((_, value)) => Err(Error::new_spanned(
            value,
            "variants of a message that has fields are numbered by their order",
        )),
        None => Ok(()),
    }
}
