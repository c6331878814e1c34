//! The trait as it was written, and what is refused of it.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, Ident, ItemTrait, LitInt, LitStr, Pat, Path, ReceiverKind, Result,
    Safety, Token, TraitItem, TraitItemFn, TypeParamBound,
};

use super::types::{Argument, Output};

/// The highest number of a method, as `strait_ipc::calls::MAX_METHOD` says.
const MAX_METHOD: u16 = 4000;

/// As many as a summary of 2048 bytes holds.
const MOST_METHODS: usize = 90;

/// As many as `strait_ipc::message::Arguments` takes.
const MOST_ARGUMENTS: usize = 8;

/// What clients have methods of their own for.
const TAKEN: [&str; 4] = ["batch", "local", "start", "with_timeout"];

/// A service.
pub(crate) struct Service<'a> {
    /// The crate in which `service`, `message` and `rkyv` are found.
    pub(crate) root: Path,
    /// What it is called.
    pub(crate) name: LitStr,
    /// Which version it is.
    pub(crate) version: u32,
    /// The trait as written.
    pub(crate) item: &'a ItemTrait,
    /// Its methods.
    pub(crate) methods: Vec<Method<'a>>,
}

/// A method of a service.
pub(crate) struct Method<'a> {
    /// Its number.
    pub(crate) id: u16,
    /// Whether nobody waits for it.
    pub(crate) one_way: bool,
    pub(crate) ident: &'a Ident,
    /// What is said of it.
    pub(crate) docs: Vec<&'a Attribute>,
    /// What it takes, with names.
    pub(crate) arguments: Vec<(&'a Ident, Argument<'a>)>,
    pub(crate) output: Output<'a>,
}

impl Method<'_> {
    /// Its name, as it is written without `r#`.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }
}

impl<'a> Service<'a> {
    pub(crate) fn new(options: TokenStream, item: &'a ItemTrait) -> Result<Self> {
        let Options { name, version, root } = Options::parse(options)?;
        if let Some(token) = &item.unsafety {
            return Err(Error::new(token.span, "a service is not `unsafe`: others call it too"));
        }
        if !item.generics.params.is_empty() || item.generics.where_clause.is_some() {
            return Err(Error::new(
                item.ident.span(),
                "a service has no parameters: its name stands for one trait",
            ));
        }
        let methods = item.items.iter().map(Method::new).collect::<Result<Vec<_>>>()?;
        if methods.is_empty() {
            return Err(Error::new(item.ident.span(), "a service has at least one method"));
        }
        if let Some(method) = methods.get(MOST_METHODS) {
            return Err(Error::new(
                method.ident.span(),
                "a service has at most 90 methods: make two services of it",
            ));
        }
        for (index, method) in methods.iter().enumerate() {
            if let Some(other) = methods[..index].iter().find(|other| other.id == method.id) {
                return Err(Error::new(
                    method.ident.span(),
                    format!(
                        "method {} is `{}` already: give each method a number of its own, and never \
                         that of one that was removed",
                        method.id, other.ident
                    ),
                ));
            }
        }
        Ok(Self { root, name, version, item, methods })
    }
}

impl<'a> Method<'a> {
    fn new(item: &'a TraitItem) -> Result<Self> {
        let TraitItem::Fn(item) = item else {
            return Err(Error::new_spanned(item, "a service has methods, and nothing else"));
        };
        let ident = &item.sig.ident;
        let (id, one_way) = number(item)?;
        refuse_qualifiers(item)?;
        if TAKEN.iter().any(|taken| ident == taken) {
            return Err(Error::new(
                ident.span(),
                format!("`{ident}` is a method that every client has: choose another name"),
            ));
        }
        let mut inputs = item.sig.inputs.iter();
        refuse_receiver(ident, inputs.next())?;
        let arguments = inputs.map(argument).collect::<Result<Vec<_>>>()?;
        if let Some((name, _)) = arguments.get(MOST_ARGUMENTS) {
            return Err(Error::new(
                name.span(),
                "a method takes at most 8 arguments: put some of them into a message",
            ));
        }
        let output = Output::new(&item.sig.output)?;
        if one_way && !matches!(output, Output::Nothing) {
            return Err(Error::new_spanned(
                &item.sig.output,
                "a one-way method returns nothing: nobody waits for it",
            ));
        }
        let docs = item.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")).collect();
        Ok(Self { id, one_way, ident, docs, arguments, output })
    }
}

/// The number in `#[method(number)]`, and whether `oneway` stands beside it.
fn number(item: &TraitItemFn) -> Result<(u16, bool)> {
    let attribute = item.attrs.iter().find(|attribute| attribute.path().is_ident("method"));
    let Some(attribute) = attribute else {
        return Err(Error::new(
            item.sig.ident.span(),
            "a method of a service has a number, which stays when others come: `#[method(1)]`",
        ));
    };
    let parsed = attribute.parse_args_with(|input: ParseStream<'_>| {
        let number: LitInt = input.parse()?;
        let comma: Option<Token![,]> = input.parse()?;
        let one_way = comma.is_some() && !input.is_empty();
        if one_way && input.parse::<Ident>()? != "oneway" {
            return Err(input.error("another word"));
        }
        Ok((number, one_way))
    });
    let expected = |span| {
        Error::new(span, "expected a number, such as `#[method(1)]` or `#[method(1, oneway)]`")
    };
    let (number, one_way) = parsed.map_err(|error| expected(error.span()))?;
    match number.base10_parse() {
        Ok(id) if (1..=MAX_METHOD).contains(&id) => Ok((id, one_way)),
        _ => Err(Error::new(number.span(), format!("methods have numbers from 1 to {MAX_METHOD}"))),
    }
}

fn refuse_qualifiers(item: &TraitItemFn) -> Result<()> {
    let signature = &item.sig;
    if let Some(token) = &signature.asyncness {
        return Err(Error::new(
            token.span,
            "a method of a service is not `async`: it is the caller who need not wait, by \
             `client.start()`",
        ));
    }
    if let Some(body) = &item.default {
        return Err(Error::new(
            body.span(),
            "a method of a service has no body here: callers in other processes would not have it",
        ));
    }
    if !signature.generics.params.is_empty() || signature.generics.where_clause.is_some() {
        return Err(Error::new(
            signature.ident.span(),
            "a method of a service has no parameters in `<>`: its arguments are of one type each",
        ));
    }
    let plain = signature.constness.is_none()
        && signature.abi.is_none()
        && signature.variadic.is_none()
        && matches!(signature.safety, Safety::Default);
    if plain { Ok(()) } else { Err(Error::new_spanned(signature, "expected a plain `fn`")) }
}

fn refuse_receiver(method: &Ident, receiver: Option<&FnArg>) -> Result<()> {
    let span = match receiver {
        Some(FnArg::Receiver(receiver)) => match &receiver.kind {
            ReceiverKind::Reference(_, None, None) => return Ok(()),
            _ => receiver.span(),
        },
        _ => method.span(),
    };
    Err(Error::new(
        span,
        "a method of a service takes `&self`: many call it at a time. What it changes is behind a \
         `Mutex`, or atomic",
    ))
}

fn argument(input: &FnArg) -> Result<(&Ident, Argument<'_>)> {
    match input {
        FnArg::Typed(typed) => match &*typed.pat {
            Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
                Ok((&pattern.ident, Argument::new(&typed.ty)?))
            }
            pattern => Err(Error::new_spanned(
                pattern,
                "an argument has a name, by which differences between versions are told",
            )),
        },
        FnArg::Receiver(receiver) => Err(Error::new_spanned(receiver, "expected an argument")),
    }
}

/// What stands in `#[service(…)]`.
struct Options {
    name: LitStr,
    version: u32,
    root: Path,
}

impl Options {
    fn parse(options: TokenStream) -> Result<Self> {
        let (mut name, mut version) = (None, None);
        let mut root = syn::parse_quote!(::strait);
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("name") {
                name = Some(service_name(meta.value()?.parse()?)?);
            } else if meta.path.is_ident("version") {
                version = Some(meta.value()?.parse::<LitInt>()?.base10_parse()?);
            } else if meta.path.is_ident("crate") {
                root = meta.value()?.call(Path::parse_mod_style)?;
            } else {
                return Err(meta.error("expected `name`, `version` or `crate = path`"));
            }
            Ok(())
        });
        parser.parse2(options)?;
        match (name, version) {
            (Some(name), Some(version)) => Ok(Self { name, version, root }),
            _ => Err(Error::new(
                Span::call_site(),
                "a service has a name and a version: `#[service(name = \"demo.Matcher\", version = 1)]`",
            )),
        }
    }
}

fn service_name(name: LitStr) -> Result<LitStr> {
    let value = name.value();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=64).contains(&value.len()) && value.chars().all(legal) && !value.starts_with('.') {
        return Ok(name);
    }
    Err(Error::new(
        name.span(),
        "a service's name is 1 to 64 letters, digits, `.`, `_` or `-`, not beginning with a dot",
    ))
}

/// Removes what is for this macro alone.
pub(crate) fn strip(item: &mut ItemTrait) {
    for item in &mut item.items {
        if let TraitItem::Fn(method) = item {
            method.attrs.retain(|attribute| !attribute.path().is_ident("method"));
        }
    }
}

/// What every service is: any thread may call it, for as long as anybody has it.
pub(crate) fn supertraits() -> [TypeParamBound; 3] {
    [
        syn::parse_quote!(::core::marker::Send),
        syn::parse_quote!(::core::marker::Sync),
        syn::parse_quote!('static),
    ]
}
