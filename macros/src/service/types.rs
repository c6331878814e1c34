//! What a method may take and return, as far as it can be seen from how it is written.
//!
//! Whether a type is a message, and plain, the compiler finds out.

use syn::{Error, GenericArgument, PathArguments, Result, ReturnType, Type};

/// What a method takes.
pub(crate) enum Argument<'a> {
    /// `T`, plain.
    Value(&'a Type),
    /// `&T`, plain.
    Reference(&'a Type),
    /// `&str`.
    Text,
    /// `&[T]`, plain.
    Slice(&'a Type),
    /// `&Archived<T>`.
    Archived(&'a Type),
}

const TEXT: &str = "text is read where it lies: write `&str`";

const VECTOR: &str = "a vector is read where it lies: write `&[T]` if its elements are plain, or \
                      `&Archived<Vec<T>>`";

const ARCHIVE: &str = "what may be of any length is read where it lies: write `&Archived<T>`";

const TAKES: &str =
    "a method of a service takes plain messages (`T` or `&T`), `&str`, `&[T]` and `&Archived<T>`";

impl<'a> Argument<'a> {
    pub(crate) fn new(ty: &'a Type) -> Result<Self> {
        let refuse = |instead: &str| Err(Error::new_spanned(ty, instead));
        let (referent, by_value) = match ty {
            Type::Reference(reference) => {
                if reference.mutability.is_some() {
                    return refuse("a service changes nothing of its caller's: return what is new");
                }
                if let Some(lifetime) = &reference.lifetime {
                    return Err(Error::new_spanned(
                        lifetime,
                        "an argument lives as long as the call: leave the lifetime out",
                    ));
                }
                (&*reference.elem, false)
            }
            _ => (ty, true),
        };
        let (name, types) = last_name(referent);
        match (&*name, &*types, referent) {
            ("String", ..) => refuse(TEXT),
            ("Vec", ..) => refuse(VECTOR),
            ("Box" | "Option", ..) => refuse(ARCHIVE),
            ("Archived", [message], _) if !by_value => Ok(Self::Archived(message)),
            ("Archived", ..) => refuse(ARCHIVE),
            ("str", ..) => Ok(Self::Text),
            (.., Type::Slice(slice)) if !by_value => Ok(Self::Slice(&slice.elem)),
            (.., Type::Path(_) | Type::Array(_)) if by_value => Ok(Self::Value(referent)),
            (.., Type::Path(_) | Type::Array(_)) => Ok(Self::Reference(referent)),
            _ => refuse(TAKES),
        }
    }
}

/// What a method returns.
pub(crate) enum Output<'a> {
    Nothing,
    /// `T`.
    Value(&'a Type),
    /// `Result<T, E>`, where `T` may be `()`.
    Result(&'a Type, &'a Type),
    /// `Results<T>`.
    Stream(&'a Type),
}

impl<'a> Output<'a> {
    pub(crate) fn new(output: &'a ReturnType) -> Result<Self> {
        let ReturnType::Type(_, ty) = output else { return Ok(Self::Nothing) };
        let (name, types) = last_name(ty);
        match (&*name, &*types) {
            ("Result", [value, error]) => {
                if !is_unit(value) {
                    refuse_result(value)?;
                }
                refuse_result(error)?;
                Ok(Self::Result(value, error))
            }
            ("Result", _) => Err(Error::new_spanned(
                ty,
                "write both types: `Result<T, E>`. The error is a message, as the result is",
            )),
            ("Results", [item]) => {
                refuse_result(item)?;
                Ok(Self::Stream(item))
            }
            _ if is_unit(ty) => Ok(Self::Nothing),
            _ => {
                refuse_result(ty)?;
                Ok(Self::Value(ty))
            }
        }
    }
}

/// Refuses what is not a message of any kind.
fn refuse_result(ty: &Type) -> Result<()> {
    let (name, _) = last_name(ty);
    let instead = match (&*name, ty) {
        ("Archived", _) => {
            "write the type itself: it is archived on its way to the caller, who reads it there"
        }
        ("Result" | "Results", _) => {
            "`Result` and `Results` do not stand within one another: put the error of a stream into \
             its items"
        }
        (_, Type::Path(_) | Type::Array(_)) => return Ok(()),
        (_, Type::Tuple(_)) if !is_unit(ty) => return Ok(()),
        (_, Type::Reference(_)) => {
            "a result is returned by value: it leaves the process of the service"
        }
        _ => {
            "a method of a service returns a message, `Result<T, E>`, nothing, or for several \
             messages one after another `Results<T>`"
        }
    };
    Err(Error::new_spanned(ty, instead))
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// The last name of a path, and the types in `<>` behind it; empty for what is no path.
fn last_name(ty: &Type) -> (String, Vec<&Type>) {
    let Type::Path(path) = ty else { return Default::default() };
    let Some(last) = path.path.segments.last() else { return Default::default() };
    let types = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => {
            let types = arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            types.collect()
        }
        _ => Vec::new(),
    };
    (last.ident.to_string(), types)
}
