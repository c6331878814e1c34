//! That somebody dies at every mark in some model.

#![cfg(loom)]

use strait_loom_tests::deaths::MODELS;
use strait_pools::marks::Mark;

const SOURCES: [(&str, &str); 12] = [
    ("answers", include_str!("answers.rs")),
    ("blocks", include_str!("blocks.rs")),
    ("broadcast_deaths", include_str!("broadcast_deaths.rs")),
    ("burial", include_str!("burial.rs")),
    ("directory", include_str!("directory.rs")),
    ("lanes", include_str!("lanes.rs")),
    ("crowd", include_str!("crowd.rs")),
    ("latest", include_str!("latest.rs")),
    ("lifecycle", include_str!("lifecycle.rs")),
    ("mpmc", include_str!("mpmc.rs")),
    ("parking", include_str!("parking.rs")),
    ("succession", include_str!("succession.rs")),
];

#[test]
fn every_mark_is_died_at_in_one_model() {
    for mark in Mark::ALL {
        let models: Vec<_> =
            MODELS.iter().filter(|(_, marks)| marks.contains(mark)).map(|model| model.0).collect();
        assert_eq!(
            models.len(),
            1,
            "{mark:?} belongs in one row of `deaths`, and is in {models:?}"
        );
    }
}

#[test]
fn every_model_of_deaths_asks_for_its_marks() {
    for (model, _) in MODELS {
        let (file, test) = model.split_once("::").unwrap();
        let source = SOURCES.iter().find(|(name, _)| *name == file);
        let source = source.unwrap_or_else(|| panic!("there is no {file}.rs among the sources")).1;
        assert!(source.contains(&format!("#[test]\nfn {test}()")), "there is no test {model}");
        assert!(source.contains(&format!("marks_of(\"{model}\")")), "{model} asks for no marks");
    }
}
