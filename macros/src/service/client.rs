//! The struct that calls, and the one whose calls are waited for later.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Ident;

use super::input::{Method, Service};
use super::types::{Argument, Output};

pub(crate) fn expand(service: &Service<'_>) -> TokenStream {
    let root = &service.root;
    let caller = quote!(#root::service::caller);
    let (ident, vis) = (&service.item.ident, &service.item.vis);
    let (client, calls) = (format_ident!("{ident}Client"), format_ident!("{ident}Calls"));
    let name = service.name.value();
    let about_client =
        format!("Calls `{name}`, a [`{ident}`], wherever it is. Clones call the same one.");
    let about_calls = format!("Calls of a [`{client}`] that are waited for later.");
    let now = service.methods.iter().map(|method| call(service, method));
    let later = service.methods.iter().filter_map(|method| later(service, method));
    quote! {
        #[doc = #about_client]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #client(#caller::Caller<dyn #ident>);

        #[automatically_derived]
        #[allow(dead_code, reason = "not every program calls every method")]
        #[allow(clippy::too_many_arguments, reason = "as many as the method takes")]
        impl #client {
            /// Calls a service of this process.
            #vis fn local(service: impl #ident) -> Self {
                let service: ::std::sync::Arc<dyn #ident> = ::std::sync::Arc::new(service);
                Self(#caller::Caller::new(service.into()))
            }

            /// The same, with another patience than 10 seconds. A service of this process is always
            /// waited for.
            #[must_use]
            #vis fn with_timeout(self, timeout: ::core::time::Duration) -> Self {
                Self(self.0.with_timeout(timeout))
            }

            /// Calls that are made now and waited for later.
            #vis fn start(&self) -> #calls<'_> {
                #calls(self.0.start())
            }

            /// Makes the calls that `add` adds, all at once, and returns what it returns.
            ///
            /// If it fails, none of them is made; except that a service of this process is called
            /// when the call is added.
            ///
            /// # Errors
            ///
            /// Those of `add`.
            #vis fn batch<Added>(
                &self,
                add: impl ::core::ops::FnOnce(
                    &mut #calls<'_>,
                ) -> ::core::result::Result<Added, #root::service::CallError>,
            ) -> ::core::result::Result<Added, #root::service::CallError> {
                let mut calls = #calls(self.0.batch()?);
                let added = add(&mut calls)?;
                calls.0.commit();
                ::core::result::Result::Ok(added)
            }

            #(#now)*
        }

        #[automatically_derived]
        impl ::core::convert::From<#root::service::Binding<dyn #ident>> for #client {
            fn from(binding: #root::service::Binding<dyn #ident>) -> Self {
                Self(#caller::Caller::new(binding))
            }
        }

        #[doc = #about_calls]
        #[derive(::core::fmt::Debug)]
        #vis struct #calls<'a>(#caller::Calls<'a, dyn #ident>);

        #[automatically_derived]
        #[allow(dead_code, reason = "not every program calls every method")]
        #[allow(clippy::too_many_arguments, reason = "as many as the method takes")]
        impl #calls<'_> {
            #(#later)*
        }
    }
}

/// A method that calls, and waits if there is an answer.
fn call(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let root = &service.root;
    let Parts { docs, name, parameters, id, arguments, here } = Parts::new(service, method);
    let vis = &service.item.vis;
    let error = quote!(#root::service::CallError);
    let (call, returns) = match &method.output {
        _ if method.one_way => (quote!(notify), quote!(())),
        Output::Stream(item) => (quote!(stream::<#item>), quote!(#root::service::Stream<#item>)),
        output => {
            let (value, domain) = outcome(output);
            let returned = |ty| quote!(#root::service::Returned<#ty>);
            let (returned_value, returned_error) = (returned(&value), returned(&domain));
            return quote! {
                #(#docs)*
                #vis fn #name(&self, #(#parameters),*)
                    -> ::core::result::Result<#returned_value, #error<#returned_error>>
                {
                    self.0.call::<#value, #domain>(#id, #arguments, #here)
                }
            };
        }
    };
    quote! {
        #(#docs)*
        #vis fn #name(&self, #(#parameters),*) -> ::core::result::Result<#returns, #error> {
            self.0.#call(#id, #arguments, #here)
        }
    }
}

/// The same for a call that is waited for later; a stream waits by itself.
fn later(service: &Service<'_>, method: &Method<'_>) -> Option<TokenStream> {
    let root = &service.root;
    let Parts { docs, name, parameters, id, arguments, here } = Parts::new(service, method);
    let vis = &service.item.vis;
    let (call, returns) = match &method.output {
        Output::Stream(_) => return None,
        _ if method.one_way => (quote!(notify), quote!(())),
        output => {
            let (value, domain) = outcome(output);
            (quote!(start), quote!(#root::service::Pending<#value, #domain>))
        }
    };
    Some(quote! {
        #(#docs)*
        #vis fn #name(
            &mut self,
            #(#parameters),*
        ) -> ::core::result::Result<#returns, #root::service::CallError> {
            self.0.#call(#id, #arguments, #here)
        }
    })
}

/// What a method's result and error are, `()` and `Infallible` where there is none.
pub(crate) fn outcome(output: &Output<'_>) -> (TokenStream, TokenStream) {
    let never = quote!(::core::convert::Infallible);
    match output {
        Output::Nothing => (quote!(()), never),
        Output::Value(value) | Output::Stream(value) => (quote!(#value), never),
        Output::Result(value, error) => (quote!(#value), quote!(#error)),
    }
}

/// What both kinds of calls are written with.
struct Parts<'a> {
    docs: Vec<TokenStream>,
    name: &'a Ident,
    parameters: Vec<TokenStream>,
    id: u16,
    /// The arguments as a body.
    arguments: TokenStream,
    /// How a service of this process is called.
    here: TokenStream,
}

impl<'a> Parts<'a> {
    fn new(service: &Service<'_>, method: &'a Method<'_>) -> Self {
        let root = &service.root;
        let (ident, name) = (&service.item.ident, method.ident);
        let mut docs: Vec<_> = method.docs.iter().map(|doc| quote!(#doc)).collect();
        if docs.is_empty() {
            let words = format!("Calls [`{ident}::{}`].", method.name());
            docs.push(quote!(#[doc = #words]));
        }
        let (mut parameters, mut values, mut archives, mut passed) =
            (vec![], vec![], vec![], vec![]);
        for (name, argument) in &method.arguments {
            values.push(match argument {
                Argument::Value(_) => quote!(&#name),
                _ => quote!(#name),
            });
            passed.push(match argument {
                Argument::Archived(_) => quote!(&#name),
                _ => quote!(#name),
            });
            parameters.push(match argument {
                Argument::Value(ty) => quote!(#name: #ty),
                Argument::Reference(ty) => quote!(#name: &#ty),
                Argument::Text => quote!(#name: &::core::primitive::str),
                Argument::Slice(element) => quote!(#name: &[#element]),
                Argument::Archived(message) => {
                    archives.push(quote! {
                        let #name = #root::message::Held::<#message, _>::of(#name)?;
                    });
                    quote!(#name: &#message)
                }
            });
        }
        let called = quote!(<dyn #ident as #ident>::#name(__service, #(#passed),*));
        let called = match &method.output {
            Output::Nothing if method.one_way => quote!(#called),
            Output::Nothing => quote!({ #called; ::core::result::Result::Ok(()) }),
            Output::Value(_) => quote!(::core::result::Result::Ok(#called)),
            Output::Result(..) | Output::Stream(_) => called,
        };
        let here = quote! {
            |__service| {
                #(#archives)*
                ::core::result::Result::Ok(#called)
            }
        };
        let arguments = quote!(&#root::message::Arguments((#(#values,)*)));
        Self { docs, name, parameters, id: method.id, arguments, here }
    }
}
