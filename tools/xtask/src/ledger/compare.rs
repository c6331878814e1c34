//! The sources against the ledger: each difference is a fault, told with its place.

use super::file::{Entry, Half, Ledger, PATH};
use super::scan::Findings;
use std::collections::BTreeMap;

/// An argument shorter than this many characters explains nothing.
const SHORTEST_ARGUMENT: usize = 40;

/// Everything in which the ledger and the scanned sources (by file) disagree.
pub(super) fn faults(ledger: &Ledger, sources: &BTreeMap<String, Findings>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (file, findings) in sources {
        for fault in &findings.faults {
            faults.push(format!("{file}:{}: {}", fault.line, fault.what));
        }
        for site in &findings.sites {
            let place = format!("{file}:{}", site.line);
            if let Some(first) = seen.insert(&site.name, place.clone()) {
                // One name for two accesses would weaken both at once, and prove neither.
                faults.push(format!("{place}: site `{}` is already at {first}", site.name));
                continue;
            }
            match ledger.sites.get(&site.name) {
                None => faults.push(format!(
                    "{place}: site `{}` ({}) is not in {PATH}: add it with a model or an argument",
                    site.name, site.ordering
                )),
                Some(entry) if entry.file != *file || entry.ordering != site.ordering => {
                    faults.push(format!(
                        "{place}: site `{}` is {}, but {PATH} has {} in {}",
                        site.name, site.ordering, entry.ordering, entry.file
                    ));
                }
                Some(_) => {}
            }
        }
        compare_relaxed(ledger, file, findings, &mut faults);
    }
    for (name, entry) in &ledger.sites {
        if !seen.contains_key(name.as_str()) {
            faults.push(format!("{PATH}: site `{name}` is no longer in the sources: remove it"));
        }
        faults.extend(entry_fault(entry).map(|what| format!("{PATH}: site `{name}` {what}")));
    }
    for file in ledger.relaxed.keys().filter(|file| !sources.contains_key(*file)) {
        faults.push(format!("{PATH}: [relaxed] names {file}, which is not scanned: remove it"));
    }
    faults
}

fn compare_relaxed(ledger: &Ledger, file: &str, findings: &Findings, faults: &mut Vec<String>) {
    let found = findings.relaxed.len();
    match ledger.relaxed.get(file) {
        None if found == 0 => {}
        None => faults.push(format!(
            "{file}: Relaxed {found} times (lines {:?}), but not under [relaxed] in {PATH}",
            findings.relaxed
        )),
        Some(entry) if entry.count != found => faults.push(format!(
            "{file}: Relaxed {found} times (lines {:?}), but {PATH} says {}",
            findings.relaxed, entry.count
        )),
        Some(entry) if entry.reason.trim().is_empty() => {
            faults.push(format!("{PATH}: [relaxed] {file} gives no reason"));
        }
        Some(_) => {}
    }
}

/// What is wrong with an entry by itself.
fn entry_fault(entry: &Entry) -> Option<String> {
    let argued = match &entry.argument {
        Some(text) if text.trim().chars().count() < SHORTEST_ARGUMENT => {
            return Some(format!("has an argument of under {SHORTEST_ARGUMENT} characters"));
        }
        argument => argument.is_some(),
    };
    let Some(model) = &entry.model else {
        let missing = "has neither a model nor an argument".to_owned();
        let idle = "has `keep` without a model".to_owned();
        return if !argued { Some(missing) } else { (!entry.keep.is_empty()).then_some(idle) };
    };
    if !model.contains("::") {
        return Some(format!("has the model `{model}`: write `test_binary::test_name`"));
    }
    if entry.ordering != "AcqRel" {
        // A load has no release half to keep: loom would refuse it, which looks like a catch.
        if !entry.keep.is_empty() {
            return Some(format!("has `keep`, which only an AcqRel may, not {}", entry.ordering));
        }
        // loom treats such an access as AcqRel, so no model can show the rest of it.
        if entry.ordering == "SeqCst" && !argued {
            return Some("is a SeqCst access, which loom cannot tell from AcqRel: argue it".into());
        }
        return None;
    }
    let both = entry.keep.contains(&Half::Acquire) && entry.keep.contains(&Half::Release);
    (!both && !argued).then(|| {
        "is AcqRel: `keep = [\"acquire\", \"release\"]`, or argue for the half left out".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    const SOURCE: &str = r#"
        fn publish() { word.store(1, Release.at("ring.publish")); word.load(Relaxed); }
    "#;
    const ENTRY: &str =
        r#""ring.publish" = { file = "ring.rs", ordering = "Release", model = "ring::publish" }"#;
    const RELAXED: &str = r#""ring.rs" = { count = 1, reason = "own word" }"#;

    fn faults_of(source: &str, sites: &str, relaxed: &str) -> Vec<String> {
        let ledger = format!("scan = []\n[sites]\n{sites}\n[relaxed]\n{relaxed}\n");
        let sources = BTreeMap::from([("ring.rs".to_owned(), scan(source).unwrap())]);
        faults(&Ledger::parse(&ledger).unwrap(), &sources)
    }

    #[track_caller]
    fn one_fault(source: &str, sites: &str, relaxed: &str, expected: &str) {
        let faults = faults_of(source, sites, relaxed);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains(expected), "{faults:?}");
    }

    #[test]
    fn agreement_is_silent() {
        assert_eq!(faults_of(SOURCE, ENTRY, RELAXED), Vec::<String>::new());
    }

    #[test]
    fn an_unlisted_site_is_a_fault() {
        one_fault(SOURCE, "", RELAXED, "ring.rs:2: site `ring.publish` (Release) is not in");
    }

    #[test]
    fn a_stale_entry_is_a_fault() {
        let stale = format!("{ENTRY}\n{}", ENTRY.replace(".publish", ".gone"));
        one_fault(SOURCE, &stale, RELAXED, "`ring.gone` is no longer in the sources");
    }

    #[test]
    fn ordering_and_file_must_match() {
        let other = ENTRY.replace("\"Release\"", "\"Acquire\"");
        one_fault(SOURCE, &other, RELAXED, "is Release, but");
        let other = ENTRY.replace("ring.rs", "moved.rs");
        one_fault(SOURCE, &other, RELAXED, "in moved.rs");
    }

    #[test]
    fn a_new_relaxed_access_is_noticed() {
        one_fault(SOURCE, ENTRY, "", "Relaxed 1 times (lines [2])");
        one_fault(SOURCE, ENTRY, &RELAXED.replace("= 1", "= 2"), "says 2");
        one_fault(SOURCE, ENTRY, &RELAXED.replace("own word", " "), "gives no reason");
        let stale = format!("{RELAXED}\n{}", RELAXED.replace("ring.rs", "gone.rs"));
        one_fault(SOURCE, ENTRY, &stale, "gone.rs, which is not scanned");
    }

    #[test]
    fn a_name_serves_one_access() {
        let twice = SOURCE.replace("word.load(Relaxed)", "word.load(Acquire.at(\"ring.publish\"))");
        one_fault(&twice, ENTRY, "", "is already at ring.rs:2");
    }

    #[test]
    fn bare_orderings_come_with_their_place() {
        let bare = SOURCE.replace("Relaxed", "Acquire");
        one_fault(&bare, ENTRY, "", "ring.rs:2: bare Acquire");
    }

    #[test]
    fn an_entry_needs_evidence() {
        let long = "because ".repeat(6);
        let with = |ordering: &str, rest: &str| {
            let source = SOURCE.replace("Release", ordering);
            let entry = format!(
                r#""ring.publish" = {{ file = "ring.rs", ordering = "{ordering}" {rest} }}"#
            );
            faults_of(&source, &entry, RELAXED).pop().unwrap_or_default()
        };
        let argument = format!(", argument = \"{long}\"");
        let model = ", model = \"ring::publish\"";
        assert!(with("Release", "").contains("neither a model nor an argument"));
        assert!(with("Release", ", argument = \"obvious\"").contains("under 40"));
        assert_eq!(with("Release", &argument), "");
        assert!(with("Release", ", model = \"publish\"").contains("test_binary::"));
        let keep = format!("{model}, keep = [\"acquire\"]");
        assert!(with("Release", &keep).contains("only an AcqRel"));
        assert!(with("AcqRel", model).contains("keep = ["));
        assert!(with("AcqRel", &keep).contains("keep = ["));
        assert_eq!(with("AcqRel", &format!("{keep}{argument}")), "");
        assert_eq!(with("AcqRel", &format!("{model}, keep = [\"acquire\", \"release\"]")), "");
        assert!(with("SeqCst", model).contains("argue it"));
        assert_eq!(with("SeqCst", &format!("{model}{argument}")), "");
    }
}
