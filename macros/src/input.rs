//! What the derive was given, and what it refuses.

use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Ident, Meta, Path, Result, Token};

/// A type to make a message of.
pub(crate) struct Input<'a> {
    /// The type as written.
    pub(crate) derive: &'a DeriveInput,
    /// Whether it is to be its own archive.
    pub(crate) plain: bool,
    /// The integer an enum is represented by, if its `repr` says.
    pub(crate) integer: Option<Ident>,
    /// The crate in which `message` and `rkyv` are found.
    pub(crate) root: Path,
}

impl<'a> Input<'a> {
    pub(crate) fn new(derive: &'a DeriveInput) -> Result<Self> {
        let options = Options::parse(&derive.attrs)?;
        let repr = Repr::parse(&derive.attrs)?;
        let plain = !options.archive
            && match &derive.data {
                Data::Struct(_) => repr.fixed_struct,
                Data::Enum(data) => {
                    repr.integer.is_some()
                        && data
                            .variants
                            .iter()
                            .all(|variant| matches!(variant.fields, Fields::Unit))
                }
                Data::Union(data) => {
                    return Err(Error::new_spanned(
                        data.union_token,
                        "a union cannot be a message: nothing says which of its fields is valid",
                    ));
                }
            };
        let empty = match &derive.data {
            Data::Struct(data) => data.fields.is_empty(),
            Data::Enum(data) => data.variants.is_empty(),
            Data::Union(_) => false,
        };
        if empty {
            return Err(Error::new_spanned(
                &derive.ident,
                "a message holds at least one field or variant: for a bare signal send a `u8`",
            ));
        }
        if let Some(lifetime) = derive.generics.lifetimes().next() {
            return Err(Error::new_spanned(
                lifetime,
                "a message owns what it holds: references cannot cross a process boundary",
            ));
        }
        if plain && !derive.generics.params.is_empty() {
            return Err(Error::new_spanned(
                &derive.generics,
                "a plain message has no parameters: its padding could not be ruled out. Remove \
                 the `repr` and derive `rkyv::Archive` and `rkyv::Serialize` beside `Message`",
            ));
        }
        if plain && let Some(packed) = repr.packed {
            return Err(Error::new_spanned(
                packed,
                "a packed struct cannot be a message: its fields cannot be referred to",
            ));
        }
        Ok(Self { derive, plain, integer: repr.integer, root: options.root })
    }

    /// All fields, of all variants.
    pub(crate) fn fields(&self) -> Vec<&'a syn::Field> {
        match &self.derive.data {
            Data::Struct(data) => data.fields.iter().collect(),
            Data::Enum(data) => data.variants.iter().flat_map(|v| v.fields.iter()).collect(),
            Data::Union(_) => Vec::new(),
        }
    }
}

/// `#[message(…)]`.
struct Options {
    archive: bool,
    root: Path,
}

impl Options {
    fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut options = Self { archive: false, root: syn::parse_quote!(::strait) };
        for attribute in named(attributes, "message") {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("archive") {
                    options.archive = true;
                } else if meta.path.is_ident("crate") {
                    options.root = meta.value()?.call(Path::parse_mod_style)?;
                } else {
                    return Err(meta.error("expected `archive` or `crate = path`"));
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}

/// `#[repr(…)]`.
#[derive(Default)]
struct Repr {
    fixed_struct: bool,
    integer: Option<Ident>,
    packed: Option<Meta>,
}

impl Repr {
    fn parse(attributes: &[Attribute]) -> Result<Self> {
        const INTEGERS: [&str; 10] =
            ["u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128"];
        let mut repr = Self::default();
        for attribute in named(attributes, "repr") {
            let parts =
                attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
            for part in parts {
                let path = part.path();
                if path.is_ident("C") || path.is_ident("transparent") {
                    repr.fixed_struct = true;
                } else if path.is_ident("packed") {
                    repr.packed = Some(part);
                } else if let Some(name) = path.get_ident()
                    && INTEGERS.iter().any(|integer| name == integer)
                {
                    repr.integer = Some(name.clone());
                }
            }
        }
        Ok(repr)
    }
}

/// The attributes of that name.
fn named<'a>(attributes: &'a [Attribute], name: &str) -> impl Iterator<Item = &'a Attribute> {
    attributes.iter().filter(move |attribute| attribute.path().is_ident(name))
}

/// Options of rkyv that change what an archive is.
pub(crate) struct RkyvOptions {
    /// Archives may be checked by more than their fields.
    pub(crate) custom_check: bool,
}

impl RkyvOptions {
    /// Refuses options under which the archive is not what the fields say.
    pub(crate) fn parse(input: &Input<'_>) -> Result<Self> {
        const REFUSED: [&str; 6] = ["as", "remote", "with", "getter", "niche", "niches"];
        let fields = input.fields();
        let attributes = named(&input.derive.attrs, "rkyv")
            .chain(fields.iter().flat_map(|field| named(&field.attrs, "rkyv")));
        let mut options = Self { custom_check: false };
        for attribute in attributes {
            // `#[rkyv(a, b = …, c(…))]`: names at the start and after commas.
            let mut at_start = true;
            for token in attribute.meta.require_list()?.tokens.clone() {
                if let TokenTree::Ident(name) = &token
                    && at_start
                {
                    if REFUSED.iter().any(|refused| name == refused) {
                        return Err(Error::new_spanned(
                            name,
                            format!("`{name}` changes the archive in a way a schema cannot tell"),
                        ));
                    }
                    options.custom_check |= name == "bytecheck" || name == "attr";
                }
                at_start = matches!(&token, TokenTree::Punct(mark) if mark.as_char() == ',');
            }
        }
        Ok(options)
    }
}

/// The names by which the fields are known: their own, or their numbers.
pub(crate) fn members(fields: &Fields) -> Vec<(syn::Member, String)> {
    let name = |member: &syn::Member| match member {
        syn::Member::Named(ident) => {
            use syn::ext::IdentExt;
            ident.unraw().to_string()
        }
        syn::Member::Unnamed(index) => index.to_token_stream().to_string(),
    };
    fields.members().map(|member| (member.clone(), name(&member))).collect()
}
