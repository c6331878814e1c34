//! The parts of a schema that plain and archived messages have in common.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, GenericArgument, Ident, Path, PathArguments, Type};

use crate::input::{Input, members};

/// An expression that builds the schema text of a type whose archive is `archived`.
pub(crate) fn text(input: &Input<'_>, archived: &TokenStream) -> TokenStream {
    let root = &input.root;
    let name = input.derive.ident.unraw().to_string();
    let parts = match &input.derive.data {
        Data::Struct(data) => {
            let types = data.fields.iter().map(|field| described(&field.ty, input));
            let fields = members(&data.fields).into_iter().zip(types).map(|((member, name), ty)| {
                quote! {
                    text.push_field(
                        #name,
                        &<#ty as #root::message::Schema>::TEXT,
                        ::core::option::Option::Some(::core::mem::offset_of!(#archived, #member)),
                    );
                }
            });
            quote! { text.push("{"); #(#fields)* text.push("}"); }
        }
        Data::Enum(data) => {
            let fieldless = data.variants.iter().all(|variant| variant.fields.is_empty());
            let variants = data.variants.iter().enumerate().map(|(index, variant)| {
                let ident = &variant.ident;
                let name = ident.unraw().to_string();
                // Without fields there may be explicit discriminants, and a cast tells them.
                // With fields they follow the order.
                let discriminant = if fieldless {
                    let empty = match variant.fields {
                        syn::Fields::Unit => quote!(),
                        syn::Fields::Named(_) => quote!({}),
                        syn::Fields::Unnamed(_) => quote!(()),
                    };
                    quote!(Self::#ident #empty as i128)
                } else {
                    quote!(#index as i128)
                };
                let fields = variant_fields(&variant.fields, input);
                quote! { text.push_variant(#name, #discriminant); #fields }
            });
            quote! { text.push("<"); #(#variants)* text.push(">"); }
        }
        Data::Union(_) => quote!(),
    };
    quote! {{
        ::core::assert!(
            ::core::mem::align_of::<#archived>() <= #root::message::MAX_ALIGN,
            ::core::concat!("`", #name, "` is aligned to more than the 16 bytes a message may be"),
        );
        let mut text = #root::message::SchemaText::new();
        text.push(#name);
        #parts
        text.push_layout::<#archived>();
        text
    }}
}

fn variant_fields(fields: &syn::Fields, input: &Input<'_>) -> TokenStream {
    if fields.is_empty() {
        return quote!();
    }
    let root = &input.root;
    let types = fields.iter().map(|field| described(&field.ty, input));
    let fields = members(fields).into_iter().zip(types).map(|((_, name), ty)| {
        quote! {
            text.push_field(
                #name,
                &<#ty as #root::message::Schema>::TEXT,
                ::core::option::Option::None,
            );
        }
    });
    quote! { text.push("{"); #(#fields)* text.push("}"); }
}

/// The type whose description stands for `ty`: itself, with `SelfReference` where it mentions
/// the type that is being derived.
pub(crate) fn described(ty: &Type, input: &Input<'_>) -> Type {
    let mut ty = ty.clone();
    replace_self(&mut ty, &input.derive.ident, &input.root);
    ty
}

fn replace_self(ty: &mut Type, name: &Ident, root: &Path) {
    match ty {
        Type::Path(path) if path.qself.is_none() => {
            let first = &path.path.segments[0].ident;
            if path.path.segments.len() == 1 && (first == "Self" || first == name) {
                *ty = syn::parse_quote!(#root::message::SelfReference);
                return;
            }
            for segment in &mut path.path.segments {
                if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                    for argument in &mut arguments.args {
                        if let GenericArgument::Type(ty) = argument {
                            replace_self(ty, name, root);
                        }
                    }
                }
            }
        }
        Type::Array(array) => replace_self(&mut array.elem, name, root),
        Type::Paren(inner) => replace_self(&mut inner.elem, name, root),
        Type::Group(inner) => replace_self(&mut inner.elem, name, root),
        Type::Tuple(tuple) => {
            for element in &mut tuple.elems {
                replace_self(element, name, root);
            }
        }
        _ => {}
    }
}
