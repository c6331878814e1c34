//! `#[service]`: from a trait to its client and its dispatcher.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | the trait as it is left, and what is put beside it |
//! | [`input`] | the trait as it was written, and what is refused of it |
//! | [`types`] | what a method may take and return |
//! | [`client`] | the struct that calls, and the one that calls later |
//! | [`dispatch`] | the implementation of `Service`: descriptions, and from requests to calls |

mod client;
mod dispatch;
mod input;
#[cfg(test)]
mod tests;
mod types;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ItemTrait, Result};

use input::Service;

/// What stands in the place of the trait.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut written: ItemTrait = syn::parse2(item)?;
    let as_written = written.clone();
    input::strip(&mut written);
    let service = match Service::new(options, &as_written) {
        Ok(service) => service,
        Err(refusal) => {
            // With the trait, so that nothing else is said to be missing.
            let refusal = refusal.into_compile_error();
            return Ok(quote!(#written #refusal));
        }
    };
    written.supertraits.extend(input::supertraits());
    written.colon_token.get_or_insert_default();
    let mut expanded = written.into_token_stream();
    expanded.extend(client::expand(&service));
    expanded.extend(dispatch::expand(&service));
    Ok(expanded)
}
