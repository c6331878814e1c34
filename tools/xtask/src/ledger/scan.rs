//! Finding memory orderings, and steps named as they are, in a Rust source.
//!
//! Works on tokens, so comments, strings and line breaks are no concern of it. What stands behind
//! `#[cfg(test)]` is left out; so are `use` declarations, except that they may not rename an
//! ordering.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::str::FromStr;

/// What one source holds.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) sites: Vec<SiteUse>,
    /// The line of each `Relaxed`.
    pub(super) relaxed: Vec<usize>,
    pub(super) faults: Vec<Fault>,
}

/// A named ordering.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SiteUse {
    pub(super) name: String,
    /// As in the source; a fence's as `fence(…)`.
    pub(super) ordering: String,
    pub(super) line: usize,
}

/// An ordering that cannot be told by name.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) what: String,
}

/// Scans the text of one source file.
pub(super) fn scan(source: &str) -> Result<Findings> {
    let tokens = TokenStream::from_str(source)
        .map_err(|error| anyhow!("line {}: {error}", error.span().start().line))?;
    let mut findings = Findings::default();
    findings.scan_group(tokens);
    Ok(findings)
}

impl Findings {
    fn scan_group(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let rest = &tokens[at + 1..];
            at += 1;
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' && opens_test_code(rest) => {
                    at += item_length(rest);
                }
                TokenTree::Group(group) => self.scan_group(group.stream()),
                TokenTree::Ident(ident) => {
                    let before = at.checked_sub(2).and_then(|index| tokens.get(index));
                    at += self.scan_ident(&ident.to_string(), line_of(token), before, rest);
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// Looks at an identifier between `before` and `rest`; returns how much of `rest` is done with.
    fn scan_ident(
        &mut self,
        ident: &str,
        line: usize,
        before: Option<&TokenTree>,
        rest: &[TokenTree],
    ) -> usize {
        match ident {
            // Not the `use<…>` of a return type.
            "use" if !rest.first().is_some_and(|next| is_punct(next, '<')) => {
                let length = rest.iter().take_while(|token| !is_punct(token, ';')).count();
                self.check_import(&rest[..length]);
                length
            }
            "fence" => match (before, rest.first()) {
                (Some(before), _) if is_ident(before, "fn") || is_punct(before, '.') => 0,
                (_, Some(TokenTree::Group(arguments)))
                    if arguments.delimiter() == Delimiter::Parenthesis =>
                {
                    self.note_fence(arguments.stream(), line);
                    1
                }
                _ => 0,
            },
            // A step that is no ordering; not where it is defined.
            "step" if !before.is_some_and(|before| is_ident(before, "fn")) => {
                if let Some(TokenTree::Group(arguments)) = rest.first()
                    && let Some(name) =
                        sole_string(&arguments.stream().into_iter().collect::<Vec<_>>())
                {
                    self.sites.push(SiteUse { name, ordering: "step".to_owned(), line });
                }
                0
            }
            "Relaxed" => {
                self.relaxed.push(line);
                0
            }
            "Acquire" | "Release" | "AcqRel" | "SeqCst" => {
                let Some(name) = site_after(rest) else {
                    self.fault(line, format!("bare {ident}: write {ident}.at(\"module.site\")"));
                    return 0;
                };
                self.sites.push(SiteUse { name, ordering: ident.to_owned(), line });
                3
            }
            _ => 0,
        }
    }

    /// `fence(ORDERING, "site")`, where ORDERING may be a path.
    fn note_fence(&mut self, arguments: TokenStream, line: usize) {
        let tokens: Vec<TokenTree> = arguments.into_iter().collect();
        let mut parts = tokens.split(|token| is_punct(token, ','));
        let ordering = parts.next().and_then(<[TokenTree]>::last).map(ToString::to_string);
        let name = parts.next().and_then(sole_string);
        match (ordering, name) {
            (Some(ordering), Some(name)) if STRONGER.contains(&ordering.as_str()) => {
                self.sites.push(SiteUse { name, ordering: format!("fence({ordering})"), line });
            }
            _ => self.fault(line, "a fence is written fence(Ordering, \"module.site\")".into()),
        }
    }

    /// A renamed ordering would be invisible where it is used.
    fn check_import(&mut self, import: &[TokenTree]) {
        for (index, token) in import.iter().enumerate() {
            match token {
                TokenTree::Group(group) => {
                    self.check_import(&group.stream().into_iter().collect::<Vec<_>>());
                }
                TokenTree::Ident(ident) => {
                    let name = ident.to_string();
                    let tracked =
                        STRONGER.contains(&name.as_str()) || name == "Relaxed" || name == "fence";
                    if tracked && import.get(index + 1).is_some_and(|next| is_ident(next, "as")) {
                        self.fault(line_of(token), format!("{name} may not be renamed"));
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn fault(&mut self, line: usize, what: String) {
        self.faults.push(Fault { line, what });
    }
}

/// Orderings that need a name.
const STRONGER: [&str; 4] = ["Acquire", "Release", "AcqRel", "SeqCst"];

/// The site in `.at("site")`.
fn site_after(tokens: &[TokenTree]) -> Option<String> {
    match tokens {
        [dot, at, TokenTree::Group(arguments), ..] if is_punct(dot, '.') && is_ident(at, "at") => {
            sole_string(&arguments.stream().into_iter().collect::<Vec<_>>())
        }
        _ => None,
    }
}

/// The string, if a plain string literal is all there is, but for a comma after it.
fn sole_string(tokens: &[TokenTree]) -> Option<String> {
    let literal = match tokens {
        [TokenTree::Literal(literal)] => literal,
        [TokenTree::Literal(literal), comma] if is_punct(comma, ',') => literal,
        _ => return None,
    };
    let text = literal.to_string();
    Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

/// Whether what follows a `#` is `[cfg(test)]` or `[cfg(all(…, test, …))]`.
fn opens_test_code(rest: &[TokenTree]) -> bool {
    fn needs_test(predicate: &TokenStream) -> bool {
        let tokens: Vec<TokenTree> = predicate.clone().into_iter().collect();
        match tokens.as_slice() {
            [only] => is_ident(only, "test"),
            [all, TokenTree::Group(of)] if is_ident(all, "all") => {
                let of: Vec<TokenTree> = of.stream().into_iter().collect();
                of.split(|token| is_punct(token, ','))
                    .any(|part| needs_test(&part.iter().cloned().collect()))
            }
            _ => false,
        }
    }
    let Some(TokenTree::Group(attribute)) = rest.first() else { return false };
    let tokens: Vec<TokenTree> = attribute.stream().into_iter().collect();
    matches!(tokens.as_slice(), [cfg, TokenTree::Group(predicate)]
        if is_ident(cfg, "cfg") && needs_test(&predicate.stream()))
}

/// Tokens up to the end of an item: its `;` or its braces.
fn item_length(rest: &[TokenTree]) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_punct(token, ';'),
    };
    rest.iter().position(ends).map_or(rest.len(), |index| index + 1)
}

fn line_of(token: &TokenTree) -> usize {
    token.span().start().line
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(source: &str) -> Vec<(String, String, usize)> {
        let found = scan(source).unwrap();
        assert!(found.faults.is_empty(), "{:?}", found.faults);
        found.sites.into_iter().map(|site| (site.name, site.ordering, site.line)).collect()
    }

    fn fault_lines(source: &str) -> Vec<usize> {
        scan(source).unwrap().faults.iter().map(|fault| fault.line).collect()
    }

    fn site(name: &str, ordering: &str, line: usize) -> (String, String, usize) {
        (name.to_owned(), ordering.to_owned(), line)
    }

    #[test]
    fn named_orderings_and_fences_are_found() {
        let source = r#"
            fn f() {
                a.load(Acquire.at("m.load"));
                sync::fence(Ordering::SeqCst, "m.fence");
            }"#;
        let expected = [site("m.load", "Acquire", 3), site("m.fence", "fence(SeqCst)", 4)];
        assert_eq!(sites(source), expected);
    }

    #[test]
    fn calls_broken_over_lines_are_found() {
        let source = r#"
            fn f() {
                self.header
                    .state
                    .compare_exchange(
                        old,
                        new,
                        Ordering::AcqRel
                            .at("m.claim"),
                        Acquire.at(
                            "m.claim.lost",
                        ),
                    );
            }"#;
        let expected = [site("m.claim", "AcqRel", 8), site("m.claim.lost", "Acquire", 10)];
        assert_eq!(sites(source), expected);
    }

    #[test]
    fn comments_strings_imports_and_tests_are_left_out() {
        let source = r##"
            //! Stored with Release.
            use crate::sync::{AtomicU64, Ordering::{self, Acquire, Release, Relaxed}, fence};
            /// Pairs with the Acquire of `poll`.
            fn f() { print("Release"); print(r#"SeqCst"#); /* AcqRel */ }
            #[cfg(test)]
            #[allow(dead_code)]
            mod tests { fn f() { a.load(Acquire); fence(SeqCst); a.load(Relaxed); } }
            #[cfg(all(test, not(loom)))]
            mod more { fn f() { a.load(Acquire); } }
            #[cfg(test)]
            mod elsewhere;
            fn g() { a.store(0, Release.at("m.g")); }
        "##;
        assert_eq!(sites(source), [site("m.g", "Release", 13)]);
        assert!(scan(source).unwrap().relaxed.is_empty());
    }

    #[test]
    fn code_that_is_not_only_for_tests_is_scanned() {
        let source = r#"
            #[cfg(not(test))]
            fn f() { a.load(Acquire); }
            #[cfg(any(test, loom))]
            fn g() { a.load(Acquire); }
            fn h(&self) -> impl Iterator + use<'_> { a.load(Acquire) }
            macro_rules! m { () => { a.load(Acquire) } }"#;
        assert_eq!(fault_lines(source), [3, 5, 6, 7]);
    }

    #[test]
    fn steps_are_found_where_they_are_taken() {
        let source = r#"
            fn step(site: &'static str) -> bool { true }
            fn f() { if step("m.look") { look() } let step = 1; first.step(step); }"#;
        assert_eq!(sites(source), [site("m.look", "step", 3)]);
    }

    #[test]
    fn bare_or_computed_names_are_faults() {
        let source = r#"
            fn f(site: &'static str) {
                a.load(Acquire);
                a.load(Acquire.at(site));
                a.store(1, Release.clone().at("m.a"));
                fence(SeqCst);
                fence(ordering, "m.b");
                fence(Relaxed, "m.c");
                let o = Ordering::SeqCst;
            }"#;
        assert_eq!(fault_lines(source), [3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn orderings_cannot_hide_behind_another_name() {
        assert_eq!(fault_lines("use a::{Ordering::{Acquire as Strong, Release}};"), [1]);
        assert_eq!(fault_lines("use a::fence as wall;"), [1]);
        assert_eq!(fault_lines("use a::AtomicU64 as Word;"), [0; 0]);
    }

    #[test]
    fn relaxed_accesses_are_counted() {
        let found = scan("fn f() {\n a.load(Relaxed);\n a.load(Ordering::Relaxed); }").unwrap();
        assert_eq!(found.relaxed, [2, 3]);
    }

    #[test]
    fn methods_and_functions_called_fence_are_not_fences() {
        assert_eq!(fault_lines("fn fence(a: u8) { garden.fence(post); }"), [0; 0]);
    }

    #[test]
    fn broken_sources_are_errors() {
        assert!(scan("fn f( {").is_err());
    }
}
