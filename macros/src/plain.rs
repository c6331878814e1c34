//! Structs and enums that are their own archive.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, Result};

use crate::fields::text;
use crate::input::Input;

pub(crate) fn expand(input: &Input<'_>) -> Result<TokenStream> {
    let root = &input.root;
    let name = &input.derive.ident;
    let fields = input.fields();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();

    let text = text(input, &quote!(#name));
    let any_bits = match &input.derive.data {
        Data::Enum(_) => quote!(false),
        _ => quote!(#(<#types as #root::message::Schema>::ANY_BITS)&&*),
    };
    let no_padding = matches!(input.derive.data, Data::Struct(_)).then(|| {
        quote! {
            const _: () = ::core::assert!(
                0 #(+ ::core::mem::size_of::<#types>())* == ::core::mem::size_of::<#name>(),
                ::core::concat!(
                    "`", ::core::stringify!(#name), "` has padding: put its widest fields first, \
                     and fill what is left with a field such as `reserved: [u8; 4]`",
                ),
            );
        }
    });
    let check = check(input);

    Ok(quote! {
        #[automatically_derived]
        // SAFETY: the text names the type and, in order, the names, types and offsets of all its
        // fields or variants, and its layout. It asserts the alignment, and there is at least one
        // field or a discriminant. Every bit pattern is valid only where that holds of all fields.
        unsafe impl #root::message::Schema for #name {
            const TEXT: #root::message::SchemaText = #text;
            const ANY_BITS: bool = #any_bits;
            type Shape = #root::message::shape::PlainShape;
        }

        const _: #root::message::SchemaText = <#name as #root::message::Schema>::TEXT;

        const _: fn() = || {
            fn __plain<__T: #root::message::Plain>() {}
            #(__plain::<#types>();)*
        };

        #no_padding

        #[automatically_derived]
        // SAFETY: the layout is fixed by `repr`, the lines above assert that all fields are plain
        // and that there is no padding, and `Copy` types have no interior mutability.
        unsafe impl #root::message::Plain for #name {}

        #[automatically_derived]
        // SAFETY: the layout is fixed by `repr` and there is no interior mutability. The schema
        // tells machines of different layouts apart.
        unsafe impl #root::rkyv::Portable for #name {}

        #[automatically_derived]
        // SAFETY: there is no padding, and no field has any.
        unsafe impl #root::rkyv::traits::NoUndef for #name {}

        #[automatically_derived]
        impl #root::rkyv::Archive for #name {
            const COPY_OPTIMIZATION: #root::rkyv::traits::CopyOptimization<Self> =
                // SAFETY: there is no padding.
                unsafe { #root::rkyv::traits::CopyOptimization::enable() };

            type Archived = Self;
            type Resolver = ();

            #[inline]
            fn resolve(&self, (): (), out: #root::rkyv::Place<Self>) {
                out.write(*self);
            }
        }

        #[automatically_derived]
        impl<__S: #root::rkyv::rancor::Fallible + ?::core::marker::Sized>
            #root::rkyv::Serialize<__S> for #name
        {
            #[inline]
            fn serialize(&self, _: &mut __S) -> ::core::result::Result<(), __S::Error> {
                ::core::result::Result::Ok(())
            }
        }

        #[automatically_derived]
        impl<__D: #root::rkyv::rancor::Fallible + ?::core::marker::Sized>
            #root::rkyv::Deserialize<#name, __D> for #name
        {
            #[inline]
            fn deserialize(&self, _: &mut __D) -> ::core::result::Result<Self, __D::Error> {
                ::core::result::Result::Ok(*self)
            }
        }

        #[automatically_derived]
        // SAFETY: all fields are checked; an enum's value is compared with its discriminants.
        unsafe impl<__C> #root::rkyv::bytecheck::CheckBytes<__C> for #name
        where
            __C: #root::rkyv::rancor::Fallible + ?::core::marker::Sized,
            __C::Error: #root::rkyv::rancor::Source,
        {
            #[inline]
            unsafe fn check_bytes(
                value: *const Self,
                context: &mut __C,
            ) -> ::core::result::Result<(), __C::Error> {
                #check
            }
        }
    })
}

/// The body of `check_bytes`.
fn check(input: &Input<'_>) -> TokenStream {
    let root = &input.root;
    let name = &input.derive.ident;
    match (&input.derive.data, &input.integer) {
        (Data::Enum(data), Some(integer)) => {
            let variants = data.variants.iter().map(|variant| &variant.ident);
            quote! {
                let _ = context;
                // SAFETY: the caller gives an aligned pointer to initialised bytes, and the enum
                // is laid out as this integer.
                let found = unsafe { value.cast::<#integer>().read() };
                if #(found == #name::#variants as #integer)||* {
                    return ::core::result::Result::Ok(());
                }
                ::core::result::Result::Err(<__C::Error as #root::rkyv::rancor::Source>::new(
                    #root::rkyv::bytecheck::InvalidEnumDiscriminantError {
                        enum_name: ::core::stringify!(#name),
                        invalid_discriminant: found,
                    },
                ))
            }
        }
        (Data::Struct(data), _) => {
            let types = data.fields.iter().map(|field| &field.ty);
            let members = data.fields.members();
            quote! {
                #(
                    let field = value
                        .cast::<u8>()
                        .wrapping_add(::core::mem::offset_of!(#name, #members))
                        .cast::<#types>();
                    // SAFETY: the caller gives an aligned pointer to initialised bytes, of which
                    // the field is a part.
                    unsafe {
                        <#types as #root::rkyv::bytecheck::CheckBytes<__C>>::check_bytes(
                            field, context,
                        )?;
                    }
                )*
                ::core::result::Result::Ok(())
            }
        }
        _ => quote!(::core::unreachable!("a plain message is a struct or a field-less enum")),
    }
}
