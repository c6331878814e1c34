//! The implementation of `Service`: descriptions of methods, and from requests to calls.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::client::outcome;
use super::input::{Method, Service};
use super::types::{Argument, Output};

pub(crate) fn expand(service: &Service<'_>) -> TokenStream {
    let root = &service.root;
    let ident = &service.item.ident;
    let client = format_ident!("{ident}Client");
    let (name, version) = (&service.name, service.version);
    // In one order, so that services that are the same have the same hash.
    let mut ordered: Vec<_> = service.methods.iter().collect();
    ordered.sort_by_key(|method| method.id);
    let descriptions = ordered.into_iter().map(|method| description(service, method));
    let arms = service.methods.iter().map(|method| arm(service, method));
    quote! {
        #[automatically_derived]
        impl #root::registry::Interface for dyn #ident {
            const NAME: &'static ::core::primitive::str = #name;
        }

        #[automatically_derived]
        impl #root::service::Service for dyn #ident {
            const VERSION: ::core::primitive::u32 = #version;
            const METHODS: &'static [#root::service::Method] = &[#(#descriptions),*];

            type Client = #client;

            fn dispatch(
                &self,
                __request: &mut #root::service::dispatch::Request<'_>,
                __streams: &mut #root::service::Streams,
            ) {
                match __request.method() {
                    #(#arms)*
                    _ => #root::service::dispatch::others::<Self>(__request, __streams),
                }
            }
        }
    }
}

/// What a method takes and returns.
fn description(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let root = &service.root;
    let (id, one_way, name) = (method.id, method.one_way, method.name());
    let arguments = method.arguments.iter().map(|(name, argument)| {
        let name = syn::ext::IdentExt::unraw(*name).to_string();
        match argument {
            Argument::Value(ty) | Argument::Reference(ty) => quote!(.plain::<#ty>(#name)),
            Argument::Text => quote!(.text(#name)),
            Argument::Slice(element) => quote!(.slice::<#element>(#name)),
            Argument::Archived(message) => quote!(.message::<#message>(#name)),
        }
    });
    let end = match &method.output {
        _ if one_way => quote!(.one_way()),
        Output::Stream(item) => quote!(.streams::<#item>()),
        output => {
            let (value, error) = outcome(output);
            quote!(.returns::<#value, #error>())
        }
    };
    quote! {
        #root::service::Method::new(#id, #name, #one_way, {
            let text: &'static #root::message::SchemaText = const {
                &#root::service::method::Signature::new(#name) #(#arguments)* #end
            };
            text.as_str()
        })
    }
}

/// From a request for the method to its answer.
fn arm(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let root = &service.root;
    let (ident, name, id) = (&service.item.ident, method.ident, method.id);
    let names: Vec<_> = method.arguments.iter().map(|(name, _)| name).collect();
    let read = method.arguments.iter().map(|(name, argument)| match argument {
        Argument::Value(ty) => quote!(*#name.plain::<#ty>()?),
        Argument::Reference(ty) => quote!(#name.plain::<#ty>()?),
        Argument::Text => quote!(#name.text()?),
        Argument::Slice(element) => quote!(#name.slice::<#element>()?),
        Argument::Archived(message) => quote!(#name.message::<#message>()?),
    });
    let called = quote!(<dyn #ident as #ident>::#name(self, #(#read),*));
    let called = match &method.output {
        Output::Nothing => quote!({ #called; ::core::result::Result::Ok(()) }),
        Output::Value(_) => quote!(::core::result::Result::Ok(#called)),
        Output::Result(..) | Output::Stream(_) => called,
    };
    let call = quote! {
        |__arguments| {
            let [#(#names),*] = __arguments.split()?;
            ::core::result::Result::Ok(#called)
        }
    };
    match &method.output {
        Output::Stream(item) => quote!(#id => __streams.open::<#item>(__request, #call),),
        output => {
            let (value, error) = outcome(output);
            quote!(#id => #root::service::dispatch::answer::<#value, #error>(__request, #call),)
        }
    }
}
